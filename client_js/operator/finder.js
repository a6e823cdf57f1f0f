/**
 * What operators look up: the search, and the list of all that was asked, page by page. Knows no page of the browser.
 */

import { signal } from '@preact/signals';

/** So long after the last letter the search begins, milliseconds. */
const PAUSE_MS = 200;

export class Finder {
  /** @param {object} api see api.js */
  constructor(api) {
    this.api = api;
    this.query = signal('');
    this.found = new Pages((before) => this._search(before));
    /** 'closed' or 'all'; only mine; from and to: days of the calendar, as a field of dates has them. */
    this.filters = signal({ view: 'closed', mine: false, from: '', to: '' });
    this.list = new Pages((before, operatorId) => this.api.chats(filtersOf(this.filters.peek(), operatorId, before)));
  }

  /** Look for this, once nothing more is typed. */
  ask(query) {
    this.query.value = query;
    clearTimeout(this._timer);
    this._timer = setTimeout(() => (query.trim() ? this.found.begin() : this.found.clear()), PAUSE_MS);
  }

  async _search(before) {
    const { tickets, messages, has_more: more } = await this.api.search(this.query.peek().trim().slice(0, 200), before);
    const rows = [...tickets.map((ticket) => ({ ticket })), ...messages.map((message) => ({ message }))];
    return { rows, last: messages.at(-1)?.id, has_more: more };
  }
}

/** A list that is read as one scrolls. */
class Pages {
  /** @param {(before, context) => Promise<object>} read a page: {tickets | rows, has_more, last} */
  constructor(read) {
    this._read = read;
    /** {rows, state: 'idle'|'reading'|'read'|'refused'|'failed', hasMore} */
    this.state = signal({ rows: [], state: 'idle', hasMore: false });
  }

  clear() {
    this._mark = null;
    this.state.value = { rows: [], state: 'idle', hasMore: false };
  }

  /** The first page; what was there stays until it has come. */
  begin(context) {
    this._context = context;
    return this._page(undefined, []);
  }

  /** The next page, unless one is on its way. */
  more() {
    const { rows, state, hasMore } = this.state.peek();
    if (state !== 'reading' && hasMore) return this._page(this._last, rows);
  }

  async _page(before, known) {
    const mark = this._mark = {};
    this.state.value = { ...this.state.peek(), state: 'reading' };
    try {
      const page = await this._read(before, this._context);
      if (mark !== this._mark) return;
      const rows = page.rows ?? page.tickets;
      this._last = page.last ?? rows.at(-1)?.ticket_id;
      this.state.value = { rows: [...known, ...rows], state: 'read', hasMore: page.has_more };
    } catch (error) {
      if (mark === this._mark) this.state.value = { rows: known, state: error.status === 422 ? 'refused' : 'failed', hasMore: false };
    }
  }
}

function filtersOf({ view, mine, from, to }, operatorId, before) {
  const all = { view, operator: mine && operatorId, from: from && moment(from, 0), to: to && moment(to, 1), before };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value));
}

/** The beginning of a day here, or of the one after it. */
function moment(day, later) {
  const [year, month, date] = day.split('-').map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
