/** Below the field: what is written now is a note for operators, or an answer again. Knows no network. */

import { h } from 'preact';
import { IconButton } from './controls.js';

/** @param {{desk: object, ticketId: number}} props */
export function NoteSwitch({ desk, ticketId }) {
  const on = Boolean(desk.state.value.noting[ticketId]);
  return h(IconButton, { id: 'note-switch', icon: 'note', label: desk.t('note'), text: desk.t('noteShort'), 'aria-pressed': String(on), onClick: () => desk.toggleNote(ticketId) });
}
