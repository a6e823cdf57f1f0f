/** A chat that is in none of my lists: read, not written in. Knows no network. */

import { h } from 'preact';
import { useRef } from 'preact/hooks';
import { FAILED, MISSING, READ } from '../past.js';
import { Avatar } from '../parts/avatar.js';
import { IconButton } from '../parts/controls.js';
import { Log } from '../parts/log.js';
import { nameOf } from '../people.js';

export function PastChat({ desk, shown }) {
  const { ticketId: id, state, ticket, thread } = shown;
  const log = useRef(null);
  if (state !== READ) return h(NotYet, { desk, shown });
  const name = nameOf(ticket, (word) => desk.t(word));
  return h('div', { class: 'open' },
    h('div', { class: 'chat-top' },
      h(IconButton, { id: 'back', icon: 'back', label: desk.t('back'), class: 'back', onClick: () => desk.goBack() }),
      h(Avatar, { name, of: ticket.visitor_id }),
      h('div', { class: 'names' },
        h('h2', { id: 'chat-title', tabIndex: -1, dir: 'auto' }, name),
        h('p', { class: 'about' }, [`№ ${id}`, ticket.visitor_email].filter(Boolean).join(' · '))),
      h(IconButton, { id: 'details', icon: 'details', label: desk.t('details'), 'aria-expanded': desk.details.value, onClick: () => desk.toggleDetails() })),
    h(Log, { desk, thread, ticketId: id, box: log, onTop: () => desk.past.older(), onEnd: () => desk.past.newer() }),
    h('div', { id: 'chat-bar', class: 'bar end' }, h('p', {}, desk.t('readOnly'))));
}

function NotYet({ desk, shown: { ticketId: id, state } }) {
  const text = { [MISSING]: desk.t('notListed', { id }), [FAILED]: desk.t('notRead') }[state] ?? desk.t('loadingChat');
  return h('div', { class: 'nothing' },
    h(IconButton, { id: 'back', icon: 'back', label: desk.t('back'), text: desk.t('back'), class: 'back', onClick: () => desk.goBack() }),
    h('p', { class: 'empty', role: 'status' }, text),
    state === FAILED && h('button', { type: 'button', class: 'quiet', onClick: () => desk.past.retry() }, desk.t('retry')));
}
