/** The third column: who writes, in sections that other parts add to (slots.js). */

import { h } from 'preact';
import { Avatar } from '../parts/avatar.js';
import { IconButton } from '../parts/controls.js';
import { nameOf } from '../people.js';
import { visitorSections } from '../slots.js';

export function Visitor({ desk }) {
  const past = desk.past.shown.value;
  const ticket = desk.ticket.value ?? past?.ticket;
  if (!ticket) return null;
  const name = nameOf(ticket, (word) => desk.t(word));
  const leave = () => {
    desk.details.value = false;
    document.querySelector('#details').focus();
  };
  return h('aside', { class: 'visitor-pane', 'aria-label': desk.t('details') },
    h('div', { class: 'visitor-top' },
      h(Avatar, { name, of: desk.visitorOf(ticket) }),
      h('h2', { id: 'visitor-title', dir: 'auto' }, name),
      h(IconButton, { id: 'details-close', icon: 'close', label: desk.t('detailsClose'), onClick: leave })),
    visitorSections.map(({ key, Section }) => h(Section, { key, desk, ticket, thread: past ? past.thread : desk.thread.value })));
}
