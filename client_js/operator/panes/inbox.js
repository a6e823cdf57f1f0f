/** My chats, and below them the queue, which never leaves the window: who waits there can be looked at and taken. */

import { h } from 'preact';
import { MineRow, WaitingRow } from '../parts/row.js';

export function Inbox({ desk }) {
  const { listed } = desk.state.value;
  return h('div', { class: 'inbox' },
    h(Section, { id: 'my-tickets', title: desk.t('mine'), empty: desk.t('noChats'), items: desk.mine.value, listed: listed.mine, Row: MineRow, desk }),
    h(Section, { id: 'queue', title: desk.t('queue'), empty: desk.t('noQueue'), items: desk.queue.value, listed: listed.queue, Row: WaitingRow, desk }));
}

function Section({ id, title, empty, items, listed, Row, desk }) {
  return h('section', { class: `list ${id}`, 'aria-labelledby': `${id}-title` },
    h('h2', { id: `${id}-title`, tabIndex: -1 }, title, items.length > 0 && h('span', { class: 'count' }, String(items.length))),
    items.length > 0 && h('ul', { id }, items.map((ticket) => h(Row, { key: ticket.ticket_id, desk, ticket }))),
    !items.length && (listed ? h('p', { class: 'empty' }, empty) : h(Skeleton, { label: desk.t('loading') })));
}

/** The list has not come yet. */
function Skeleton({ label }) {
  return h('div', { class: 'skeleton' }, h('span', { class: 'spoken' }, label), [1, 2, 3].map((each) => h('div', { key: each, class: 'skeleton-row' })));
}
