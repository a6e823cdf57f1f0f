/** A chat in a list: one of mine, or one that waits. Writes people's words only as text. */

import { h } from 'preact';
import { CLOSED } from '../../conversation/thread.js';
import { nameOf } from '../people.js';
import { rowMarks } from '../slots.js';
import { GONE, isEnded, lastSpoken, lastText, statusOf, unreadOf, waitsSince } from '../state.js';
import { Avatar } from './avatar.js';
import { Badge } from './controls.js';

/** Who waits longer than this for an answer stands out, milliseconds. */
const LONG_MS = 120_000;

export function MineRow({ desk, ticket }) {
  const state = desk.state.value;
  const id = ticket.ticket_id;
  const unread = unreadOf(state, id);
  const ended = isEnded(state, ticket);
  const classes = [ticket.fresh && 'fresh', ended && 'closed', unread && 'unread'].filter(Boolean).join(' ');
  return h('li', { class: classes },
    h(RowButton, { desk, ticket, chosen: state.current === id },
      h(When, { desk, ticket }),
      h('span', { class: 'text', dir: 'auto' }, h(Said, { desk, ticket })),
      h('span', { class: 'marks' },
        rowMarks.map(({ key, Mark }) => h(Mark, { key, desk, ticket })),
        ticket.fresh && h('span', { class: 'new' }, desk.t('fresh')),
        h(Badge, { count: unread }),
        unread > 0 && h('span', { class: 'spoken' }, desk.t('unread', { n: unread })))));
}

export function WaitingRow({ desk, ticket }) {
  const { current, tickets, taking } = desk.state.value;
  const id = ticket.ticket_id;
  const name = nameOf(ticket, (word) => desk.t(word));
  return h('li', { class: 'waiting' },
    h(RowButton, { desk, ticket, chosen: current === id && !tickets[id] },
      h(Waits, { desk, since: Date.parse(ticket.created_at) }),
      h('span', { class: 'text', dir: 'auto' }, ticket.message ?? ''),
      h('span', { class: 'marks' }, rowMarks.map(({ key, Mark }) => h(Mark, { key, desk, ticket })))),
    h('button', { type: 'button', class: 'take', disabled: taking !== null, 'aria-label': desk.t('takeOf', { name }), onClick: () => desk.take(id) }, desk.t('take')));
}

/** @param {{desk: object, ticket: object, chosen: boolean, message?: number}} props message: the seq of the one that it leads to */
export function RowButton({ desk, ticket, chosen, message, children }) {
  const id = ticket.ticket_id;
  const name = nameOf(ticket, (word) => desk.t(word));
  return h('button', { type: 'button', class: 'row', 'data-ticket': id, 'aria-current': chosen, onClick: () => desk.select(id, message) },
    h(Avatar, { name, of: desk.visitorOf(ticket) }), h('strong', { dir: 'auto' }, name), children);
}

/** How long the visitor waits for my answer, or how long ago somebody wrote. */
function When({ desk, ticket }) {
  const state = desk.state.value;
  if (isEnded(state, ticket)) return h('span', { class: 'when' });
  const since = waitsSince(state, ticket);
  if (since) return h(Waits, { desk, since });
  const last = lastSpoken(state.threads[ticket.ticket_id]);
  return h('span', { class: 'when' }, last ? desk.since(Date.parse(last.created_at)) : '');
}

function Waits({ desk, since }) {
  const time = desk.since(since);
  if (!time) return h('span', { class: 'when' });
  const long = desk.now.value - since > LONG_MS;
  return h('span', { class: `when${long ? ' long' : ''}` }, h('span', { class: 'spoken' }, desk.t('waits', { time })), h('span', { 'aria-hidden': 'true' }, time));
}

/** What was said last, and by whom where it was not the visitor. */
function Said({ desk, ticket }) {
  const state = desk.state.value;
  const id = ticket.ticket_id;
  if (ticket.access === GONE) return desk.t('goneShort');
  if (statusOf(state, id) === CLOSED) return desk.t('closedShort');
  if (state.threads[id]?.typing) return h('em', {}, desk.t('typingShort'));
  const draft = state.current === id ? '' : desk.controller.chats.drafts.known(id);
  if (draft) return [h('em', {}, `${desk.t('draft')}: `), draft];
  const last = lastSpoken(state.threads[id]);
  const own = last && (!last.id || last.sender_type === 'operator');
  return own ? [h('span', { class: 'own' }, `${speaker(desk, last)}: `), lastText(state, ticket)] : lastText(state, ticket);
}

function speaker(desk, message) {
  const mine = !message.id || message.sender_id === String(desk.me.value.operator_id);
  return mine ? desk.t('you') : message.sender_name || desk.t('colleague');
}
