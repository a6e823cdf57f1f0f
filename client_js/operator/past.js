/**
 * A chat that is in none of my lists: closed long ago, or a colleague's. It is read a page at a time, from its end or from around
 * a message, and further in both directions as one scrolls. Knows no page.
 */

import { signal } from '@preact/signals';
import { newThread, reduceThread } from '../conversation/thread.js';

export const READING = 'reading';
export const READ = 'read';
export const MISSING = 'missing';
export const FAILED = 'failed';

/** Messages that are read before and after the one that was looked for. */
const AROUND = 25;

export class Past {
  /** @param {object} api see api.js */
  constructor(api) {
    this.api = api;
    /** {ticketId, message, state, ticket, thread, hasOlder, hasNewer}, or null. */
    this.shown = signal(null);
  }

  /** Show this chat, at this message; null: none. */
  open(ticketId, message) {
    const shown = this.shown.peek();
    if (ticketId === (shown?.ticketId ?? null) && (ticketId === null || message === shown.message)) return;
    this.shown.value = ticketId && { ticketId, message, state: READING, ticket: null, thread: null, hasOlder: false, hasNewer: false };
    if (ticketId) this._read();
  }

  retry() {
    this._change({ state: READING });
    return this._read();
  }

  /** What precedes the first message, once. */
  older() {
    const { thread, hasOlder } = this.shown.peek();
    if (!hasOlder) return;
    return this._more({ before: thread.messages[0].seq }, { hasOlder: false }, (more) => ({ hasOlder: more }));
  }

  /** What follows the last one, once. */
  newer() {
    const { thread, hasNewer } = this.shown.peek();
    if (!hasNewer) return;
    return this._more({ after: thread.messages.at(-1).seq }, { hasNewer: false }, (more) => ({ hasNewer: more }));
  }

  async _read() {
    const { ticketId, message } = this.shown.peek();
    const mark = this._mark = {};
    try {
      const { ticket } = await this.api.chat(ticketId);
      const before = (message === null ? ticket.last_seq : Math.min(message + AROUND, ticket.last_seq)) + 1;
      const page = await this.api.part(ticketId, { before });
      if (mark !== this._mark || this.shown.peek()?.ticketId !== ticketId) return;
      const thread = reduceThread(newThread(ticketId), { type: 'history', messages: page.messages, ticket });
      this._change({ state: READ, ticket, thread, hasOlder: page.has_more, hasNewer: before <= ticket.last_seq });
    } catch (error) {
      if (mark === this._mark) this._change({ state: [403, 404].includes(error.status) ? MISSING : FAILED });
    }
  }

  async _more(where, meanwhile, done) {
    const { ticketId } = this.shown.peek();
    const mark = this._mark;
    this._change(meanwhile);
    // A page that did not come is asked for again at the next turn of the wheel.
    const page = await this.api.part(ticketId, where).catch(() => null);
    if (mark !== this._mark || !this.shown.peek()) return;
    if (!page) return this._change(done(true));
    const thread = reduceThread(this.shown.peek().thread, { type: 'history', messages: page.messages, ticket: page.ticket });
    this._change({ thread, ...done(page.has_more) });
  }

  _change(change) {
    if (this.shown.peek()) this.shown.value = { ...this.shown.peek(), ...change };
  }
}
