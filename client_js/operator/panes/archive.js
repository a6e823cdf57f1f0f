/** The list of all that was asked, with filters, and what the search has found. Both go on as one scrolls. Know no network. */

import { h } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Select, Switch } from '../parts/controls.js';
import { RowButton } from '../parts/row.js';
import { shortText } from '../times.js';

export function Archive({ desk }) {
  const { finder } = desk;
  const filters = finder.filters.value;
  const operatorId = desk.me.value.operator_id;
  useEffect(() => void finder.list.begin(operatorId), [filters]);
  return h('section', { class: 'list archive', 'aria-label': desk.t('archive') },
    h(Filters, { desk, filters }),
    h(Rows, { desk, pages: finder.list, empty: desk.t('noneFound'), Row: TicketRow, again: () => finder.list.begin(operatorId) }));
}

function Filters({ desk, filters }) {
  const set = (change) => (desk.finder.filters.value = { ...filters, ...change });
  const day = (key) => h('input', { id: `archive-${key}`, type: 'date', 'aria-label': desk.t(key), value: filters[key], onChange: (event) => set({ [key]: event.currentTarget.value }) });
  return h('div', { class: 'filters', role: 'group', 'aria-label': desk.t('filters') },
    h(Select, { id: 'archive-view', 'aria-label': desk.t('state'), value: filters.view, options: [['closed', desk.t('viewClosed')], ['all', desk.t('viewAll')]], onChange: (view) => set({ view }) }),
    h(Switch, { id: 'archive-mine', label: desk.t('onlyMine'), on: filters.mine, onChange: (mine) => set({ mine }) }),
    day('from'), day('to'));
}

export function Results({ desk }) {
  const { finder } = desk;
  const empty = finder.query.value.trim() ? desk.t('noneFound') : desk.t('searchHint');
  return h('section', { class: 'list results', 'aria-label': desk.t('results') },
    h(SearchField, { desk, id: 'search-here' }),
    h(Rows, { desk, pages: finder.found, empty, Row: FoundRow, again: () => finder.found.begin() }));
}

function Rows({ desk, pages, empty, Row, again }) {
  const { rows, state, hasMore } = pages.state.value;
  const said = { read: rows.length ? '' : empty, idle: empty, reading: rows.length ? '' : desk.t('loading'), refused: desk.t('nothingToFind'), failed: desk.t('notRead') }[state];
  return h('div', { class: 'rows' },
    h('p', { class: 'empty', role: 'status' }, said),
    state === 'failed' && h('button', { type: 'button', class: 'quiet', onClick: again }, desk.t('retry')),
    h('ul', { 'aria-busy': state === 'reading' }, rows.map((row) => h(Row, { key: row.ticket_id ?? row.message?.id ?? -row.ticket.ticket_id, desk, ticket: row, row }))),
    hasMore && h(More, { desk, more: () => pages.more() }));
}

/** In view, it asks for the next page by itself. */
function More({ desk, more }) {
  const button = useRef(null);
  useEffect(() => {
    const observer = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && more());
    observer.observe(button.current);
    return () => observer.disconnect();
  });
  return h('button', { ref: button, type: 'button', class: 'quiet more', onClick: more }, desk.t('showMore'));
}

function TicketRow({ desk, ticket }) {
  const { current, wanted } = desk.state.value;
  return h('li', {}, h(RowButton, { desk, ticket, chosen: (current ?? wanted) === ticket.ticket_id },
    h('span', { class: 'when' }, shortText(ticket.closed_at ?? ticket.created_at, desk.locale.value)),
    h('span', { class: 'text', dir: 'auto' }, ticket.message)));
}

function FoundRow({ desk, row: { ticket, message } }) {
  if (ticket) return h(TicketRow, { desk, ticket });
  const { ticketId, message: seq } = desk.route.value;
  return h('li', {}, h(RowButton, { desk, ticket: message, chosen: ticketId === message.ticket_id && seq === message.seq, message: message.seq },
    h('span', { class: 'when' }, shortText(message.created_at, desk.locale.value)),
    h('span', { class: 'text', dir: 'auto' }, message.parts.map((part, index) => (part.is_hit ? h('mark', { key: index }, part.text) : part.text)))));
}

/** The field in the top bar, or, where that has no room, above what was found. */
export function SearchField({ desk, id = 'search' }) {
  const ask = (event) => {
    desk.finder.ask(event.currentTarget.value);
    desk.list.value = 'results';
  };
  const down = (event) => event.key === 'ArrowDown' && document.querySelector('.results .row')?.focus();
  return h('input', { id, type: 'search', maxLength: 200, placeholder: desk.t('search'), 'aria-label': desk.t('search'), value: desk.finder.query.value, onInput: ask, onKeyDown: down });
}
