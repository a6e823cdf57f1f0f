/** What has just been done and can be taken back for a moment. */

import { h } from 'preact';
import { IconButton } from '../parts/controls.js';
import { nameOf } from '../people.js';

export function Undo({ desk }) {
  const { closing } = desk.state.value;
  // The box is always there: what comes into it later is spoken.
  return h('div', { id: 'undo-box', role: 'status' }, closing.map((ticketId) => h(Closed, { key: ticketId, desk, ticketId })));
}

function Closed({ desk, ticketId }) {
  const { closing } = desk.controller;
  const name = nameOf(desk.state.value.tickets[ticketId], (word) => desk.t(word));
  const finish = () => {
    closing.finish(ticketId);
    desk.focusOpen();
  };
  const [hold, go] = [() => closing.pause(ticketId), () => closing.resume(ticketId)];
  return h('div', { class: 'undo', onMouseEnter: hold, onMouseLeave: go, onFocusIn: hold, onFocusOut: go },
    h('p', {}, desk.t('closedNow', { name })),
    h('button', { type: 'button', class: 'quiet', onClick: () => desk.undoClose(ticketId) }, desk.t('undo')),
    h(IconButton, { icon: 'close', label: desk.t('closeNow'), onClick: finish }));
}
