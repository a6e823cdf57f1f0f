/** What the colleague wrote who handed the open chat over; it goes with the first answer. */

import { h } from 'preact';
import { useComputed } from '@preact/signals';

export function TransferNote({ desk, ticket, thread }) {
  const notes = useComputed(() => desk.state.value.notes);
  // Nothing was handed over as long as nothing says so in the chat.
  const moved = thread?.messages.some(({ code }) => code === 'transferred' || code === 'returned');
  const note = moved && notes.value[ticket.ticket_id]?.findLast(({ kind }) => kind === 'transfer');
  const isRead = thread?.messages.some(({ sender_type, seq }) => sender_type === 'operator' && seq > (note?.after_seq ?? 0));
  if (!note || isRead) return null;
  return h('div', { id: 'transfer-read', class: 'handed', role: 'note' },
    h('strong', {}, desk.t('noteOf', { name: note.operator_name })), h('p', { dir: 'auto' }, note.content));
}
