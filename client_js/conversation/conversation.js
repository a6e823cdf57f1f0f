/**
 * Keeps one ticket's thread true: live events, history, outgoing messages, typing.
 *
 * The order that loses nothing: join the channel, and once the relay has confirmed, ask for what
 * came after the last message we have; ask again whenever the numbering shows a hole, the
 * connection changes or the page wakes up. All of it merges by id, so asking twice is harmless.
 *
 * Knows when to ask and what events mean. Not: pages, who the person is, how requests look (`api`).
 */

import { isTemporary } from '../kit/http.js';
import { newId } from '../kit/ids.js';
import { isTooLong } from './limits.js';
import { Outbox } from './outbox.js';
import { ENDED, NO_ACCESS, refusalOf } from './refusal.js';
import { CLOSED, newThread, reduceThread } from './thread.js';
import { backoff, throttle } from '../kit/timing.js';

/** The other side's "is writing" is shown for this long, milliseconds. */
export const TYPING_SHOWN_MS = 3000;
/** Our own is sent at most once in this time, milliseconds. */
export const TYPING_EVERY_MS = 2000;
/** The server swallows what comes sooner than a second after the one before. */
export const TYPING_PAUSE_MS = 1100;

/** What comes on the screen within this time is told to the desk at once, milliseconds. */
export const SEEN_AFTER_MS = 500;

export class Conversation {
  /**
   * @param {object} parts
   *   ticketId  integer
   *   other     'operator' or 'visitor': the side we listen to
   *   api       {send(ticketId, item), history(ticketId, after), typing(ticketId), read(ticketId, seq)}
   *   store     {get(), set()} for the outgoing queue
   *   onChange  (thread, action) after each change
   */
  constructor({ ticketId, other, api, store, onChange }) {
    Object.assign(this, { ticketId, other, api, onChange });
    this._readField = `${other === 'operator' ? 'visitor' : 'operator'}_read_seq`;
    this.thread = newThread(ticketId);
    this.channel = null;
    this._catching = false;
    this._again = false;
    this._failures = 0;
    this._stopped = false;
    this._seen = 0;
    this._outbox = new Outbox({
      store,
      send: (item) => this._deliver(item),
      onChange: (items) => this._apply({ type: 'outbox', items }),
      onSent: (message) => this.addStored(message),
    });
    this.type = throttle(TYPING_EVERY_MS, () => this._sendTyping());
  }

  /** Send what an earlier page left behind. Returns the first catch-up. */
  start() {
    this._apply({ type: 'outbox', items: this._outbox.items });
    this._outbox.flush();
    return this.catchUp();
  }

  /** Listen to the ticket's channel. Call once for each client. */
  listen(client) {
    this._client = client;
    this.channel = client.subscribe(`private-ticket-${this.ticketId}`);
    this.channel
      .on('pushler:subscription_succeeded', () => this.resync())
      // A ticket that was closed meanwhile is refused: the history says so.
      .on('pushler:subscription_error', () => this.catchUp())
      // Taken from us: whether it is ours all the same, the server knows.
      .on('pushler:unsubscribed', () => client.subscribe(this.channel.name))
      .on('message:new', (data) => this._receive(data.message, false))
      .on(`${this.other}:typing`, () => this._showTyping())
      .on('message:read', ({ reader, seq }) => this.setTicket({ [`${reader}_read_seq`]: seq }))
      .on('ticket:updated', (data) => this.setTicket(data))
      .on('ticket:closed', (data) => this.setTicket({ ...data, status: CLOSED }));
  }

  stop() {
    this._stopped = true;
    this._outbox.stop();
    clearTimeout(this._seenTimer);
    clearTimeout(this._catchTimer);
    clearTimeout(this._typingTimer);
    this.channel?.unsubscribe();
  }

  /** Say no more. Returns the texts that the server has not taken, once it has answered the one that was on its way. */
  async leave() {
    this.stop();
    return (await this._outbox.leave()).map((item) => item.content);
  }

  /** Without a text, or with one that the server would not take, nothing happens. Returns whether it is on its way. */
  send(text) {
    const content = text.trim();
    if (!content || isTooLong(content)) return false;
    this._outbox.add({ client_id: newId(), content, created_at: new Date().toISOString() });
    // The message ended "is writing" at the other side: the next key shall show it again.
    this.type.shorten(TYPING_PAUSE_MS);
    return true;
  }

  /** The texts that the server never took; nothing of them stays behind. */
  takeUnsent() {
    return this._outbox.clear().map((item) => item.content);
  }

  /** It was on the screen up to here. A desk that keeps how far we have read is told: after a moment, the highest only. */
  see(seq) {
    // Behind a hole nothing was seen.
    this._seen = Math.max(this._seen, Math.min(seq, this.thread.lastSeq));
    if (!this._stopped && this._seen > this.thread.ticket?.[this._readField]) this._seenTimer ??= setTimeout(() => this._tellSeen(), SEEN_AFTER_MS);
  }

  /** Try a message again at once. */
  retry(clientId) {
    this._outbox.retry(clientId);
  }

  /** The network or the page is back: send and fetch what is outstanding. */
  resync() {
    this._outbox.retry();
    this.see(0);
    return this.catchUp();
  }

  /** What the server answered about the ticket outside the channel (close, for example). */
  setTicket(ticket) {
    this._apply({ type: 'ticket', ticket });
  }

  /** An own message as the server has stored it. */
  addStored(message) {
    this._receive(message, true);
  }

  async _deliver(item) {
    try {
      return (await this.api.send(this.ticketId, item)).message;
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === ENDED) this._foundClosed();
      // Is it the message, or the whole ticket that is not ours? The event that says so may come later.
      if (refusal === NO_ACCESS) this.catchUp();
      throw error;
    }
  }

  /** The event that said so has not come, or not yet. */
  _foundClosed() {
    this.setTicket({ status: CLOSED });
    this.catchUp();
  }

  /** Fetch what comes after the last message. Calls that overlap become one more round. */
  async catchUp() {
    this._again = true;
    if (this._catching || this._stopped) return;
    clearTimeout(this._catchTimer);
    this._catching = true;
    try {
      while (this._again && !this._stopped) {
        this._again = false;
        await this._fetchPage();
      }
      this._failures = 0;
    } catch (error) {
      this._catchUpFailed(error);
    }
    this._catching = false;
  }

  async _fetchPage() {
    const after = this.thread.lastSeq;
    const page = await this.api.history(this.ticketId, after);
    if (this._stopped) return;
    this._apply({ type: 'history', messages: page.messages, ticket: page.ticket });
    for (const message of page.messages) this._outbox.remove(message.client_id);
    // Only a page that brought us forward is worth a next one: a hole on the server must not loop us.
    if ((page.has_more || this.thread.gap) && this.thread.lastSeq > after) this._again = true;
  }

  _catchUpFailed(error) {
    if (this._stopped) return;
    if (!isTemporary(error)) return this._apply({ type: 'denied', status: error.status });
    this._catchTimer = setTimeout(() => this.catchUp(), backoff(this._failures));
    this._failures += 1;
  }

  _receive(message, own) {
    if (this._stopped) return;
    this._apply({ type: 'message', message, own });
    if (this.thread.gap) this.catchUp();
  }

  _showTyping() {
    clearTimeout(this._typingTimer);
    this._apply({ type: 'typing', on: true });
    this._typingTimer = setTimeout(() => this._apply({ type: 'typing', on: false }), TYPING_SHOWN_MS);
  }

  async _tellSeen() {
    const seq = this._seen;
    // Where it fails the next message, or the next connection, has it told again.
    await this.api.read(this.ticketId, seq).then(({ ticket }) => this.setTicket(ticket), () => {});
    this._seenTimer = null;
    if (this._seen > seq) this.see(0);
  }

  _sendTyping() {
    // Of no worth later: a failure is not repeated.
    if (this.thread.status !== CLOSED) this.api.typing(this.ticketId).catch(() => {});
  }

  _apply(action) {
    if (this._stopped) return;
    this.thread = reduceThread(this.thread, action);
    this.onChange(this.thread, action);
  }
}
