/**
 * Own messages on their way to the server: in order, one at a time, again after a failure, kept
 * in the browser's storage so that a reload loses nothing.
 *
 * Repeating is safe because each message carries a client id and the server stores it once.
 * Knows when to try again. Not: how a message is sent, what a conversation looks like.
 */

import { isTemporary } from '../kit/http.js';
import { refusalOf } from './refusal.js';
import { backoff } from '../kit/timing.js';

/** On its way. */
export const SENDING = 'sending';
/** The last try failed; the next one comes by itself. */
export const RETRYING = 'retrying';
/** The server refused it; only the person can have it tried again. */
export const FAILED = 'failed';

export class Outbox {
  /**
   * @param {object} parts
   *   store     {get(), set(items)} for this ticket's queue
   *   send      (item) → Promise of the stored message; rejects with HttpError
   *   onChange  (items) when anything about the queue changed
   *   onSent    (message) when the server has stored one
   */
  constructor({ store, send, onChange, onSent }) {
    Object.assign(this, { store, onChange, onSent });
    this.send = (item) => (this._sending = send(item));
    this._attempt = 0;
    this._timer = null;
    this._busy = false;
    this._stopped = false;
    // A state of an earlier page says nothing about this one: try all of it.
    this.items = (store.get() ?? []).map((item) => ({ ...item, state: SENDING }));
    this._seen = new Set(this.items.map((item) => item.client_id));
  }

  add(item) {
    this._update([...this.items, { ...item, state: SENDING }]);
    this.flush();
  }

  /** Try now: the network is back, or the person asked for it (`clientId`: for this refused one). */
  retry(clientId) {
    this._update(this.items.map((item) => (item.client_id === clientId ? { ...item, state: SENDING } : item)));
    this._attempt = 0;
    this.flush();
  }

  /** Forget one, for example because it was seen in the history. */
  remove(clientId) {
    const others = this.items.filter((item) => item.client_id !== clientId);
    if (others.length < this.items.length) this._update(others);
  }

  /** Take everything out, what other tabs have put there too. Returns the items that were never stored. */
  clear() {
    const items = this.store.get() ?? [];
    this.items = [];
    this.store.set(null);
    return items;
  }

  stop() {
    this._stopped = true;
    clearTimeout(this._timer);
  }

  /** Stop, wait for the answer to what is on its way, and take out what this page wrote and nobody took. Returns it. */
  async leave() {
    this.stop();
    await Promise.allSettled([this._sending]);
    const { items } = this;
    this._update([]);
    return items;
  }

  async flush() {
    clearTimeout(this._timer);
    if (this._busy || this._stopped) return;
    this._busy = true;
    let item;
    let going = true;
    // Between the last look for an item and the end nothing else can run: what is added meanwhile is not forgotten.
    while (going && !this._stopped && (item = this.items.find((each) => each.state !== FAILED))) going = await this._sendOne(item);
    this._busy = false;
  }

  async _sendOne(item) {
    try {
      const message = await this.send(item);
      this._attempt = 0;
      this.onSent(message);
      this.remove(item.client_id);
      return true;
    } catch (error) {
      return this._failed(item, error);
    }
  }

  _failed(item, error) {
    const temporary = isTemporary(error);
    const state = temporary ? RETRYING : FAILED;
    const why = { refusal: refusalOf(error), reason: error.message };
    this._update(this.items.map((each) => (each.client_id === item.client_id ? { ...each, state, ...why } : each)));
    // A refused one does not hold up the others; an unreachable server holds up all, so the order stays.
    if (!temporary) return true;
    const wait = Math.max(error.retryAfterMs ?? 0, backoff(this._attempt));
    this._attempt += 1;
    if (!this._stopped) this._timer = setTimeout(() => this.flush(), wait);
    return false;
  }

  _update(items) {
    this.items = items;
    for (const item of items) this._seen.add(item.client_id);
    // Another tab may have put its own messages there meanwhile: they are not ours to drop.
    const others = (this.store.get() ?? []).filter((item) => !this._seen.has(item.client_id));
    const all = [...others, ...items];
    this.store.set(all.length ? all : null);
    this.onChange(items);
  }
}
