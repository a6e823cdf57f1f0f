/** What the colleague wrote who handed the open chat over; it goes with the first answer. */

import { h } from 'preact';
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** The newest such note of a chat: {ticketId, note}. */
const found = signal(null);

export function TransferNote({ desk, ticket, thread }) {
  const id = ticket.ticket_id;
  const moves = thread?.messages.findLast(({ code }) => code === 'transferred' || code === 'returned')?.seq ?? 0;
  useEffect(() => void load(desk, id, moves), [id, moves]);
  const { note, ticketId } = found.value ?? {};
  const isRead = thread?.messages.some(({ sender_type, seq }) => sender_type === 'operator' && seq > (note?.after_seq ?? 0));
  if (!note || ticketId !== id || isRead) return null;
  return h('div', { id: 'transfer-read', class: 'handed', role: 'note' },
    h('strong', {}, desk.t('noteOf', { name: note.operator_name })), h('p', { dir: 'auto' }, note.content));
}

/** Nothing was handed over as long as nothing says so in the chat. */
async function load(desk, ticketId, moves) {
  if (!moves) return;
  const { notes } = await desk.controller.api.notes(ticketId).catch(() => ({ notes: [] }));
  found.value = { ticketId, note: notes.findLast(({ kind }) => kind === 'transfer') };
}
