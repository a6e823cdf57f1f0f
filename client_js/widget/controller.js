/**
 * The widget's use cases: open, start, resume, write, end, start again.
 *
 * Joins state, API, conversation and realtime client. Nothing is asked of the network before the
 * visitor's first click, unless an open ticket of theirs is stored. Knows no DOM.
 */

import { Conversation } from '../conversation/conversation.js';
import { isTooLong } from '../conversation/limits.js';
import { CLOSED } from '../conversation/thread.js';
import { isTemporary } from '../kit/http.js';
import { newId } from '../kit/ids.js';
import { backoff } from '../kit/timing.js';
import { awaits, initialState, reduce, STARTING } from './state.js';

/** Whether anybody is there is asked again after this time, milliseconds; with a connection it is heard at once. */
export const LOOK_EVERY_MS = 30_000;
/** Where it is heard. */
const STATUS_CHANNEL = 'support-status';

export class Controller {
  /**
   * @param {object} parts
   *   api       see api.js
   *   storage   see kit/storage.js; holds `ticket` {id, closed, readSeq}, `draft` of the start form, `draft:ID` of
   *             a chat, and `start`: the id of a chat that is not confirmed yet
   *   group     see loader.js
   *   Client    class of the realtime client
   *   render    (state) after each change
   *   isVisible () → is the widget on the screen
   *   isSeen    () → and, where its window is open, the last message
   *   alone     (act) → Promise of act(), which no other tab does at the same time
   */
  constructor({ api, storage, group, Client, render, isVisible, isSeen, alone }) {
    Object.assign(this, { api, storage, group, Client, render, isVisible, isSeen, alone });
    this._ended = false;
    this.state = initialState;
    this._saved = storage.get('ticket');
    api.socketId = () => this._client?.socketId ?? undefined;
  }

  /** Go on with a stored open chat; otherwise stay silent. */
  load() {
    if (this._saved && !this._saved.closed) this._resume();
  }

  open() {
    if (this._saved && !this._talk) this._resume();
    // Early: what one tab stores reaches the others only after some milliseconds.
    if (!this._saved) this._askedId();
    this._dispatch({ type: 'open' });
    this._look();
  }

  close() {
    this._dispatch({ type: 'close' });
  }

  /** Everything ends: no timers, no connection, no more changes. What is stored stays for the next time. */
  destroy() {
    this._ended = true;
    clearTimeout(this._lookTimer);
    this.render = () => {};
    this._leave();
  }

  /** What the start form held when the page was left, or begins with: {name, email, message}. */
  get draft() {
    return this.storage.get('draft') ?? {};
  }

  set draft(draft) {
    this.storage.set('draft', draft);
  }

  /** Where the half-written message of a chat is kept. */
  slot(ticketId) {
    return this.storage.slot(`draft:${ticketId}`);
  }

  async start({ name, email, message }) {
    if (this.state.screen === STARTING) return;
    const wrong = wrongInput(name, email, message);
    if (Object.keys(wrong).length) return this._dispatch({ type: 'start-failed', wrong });
    this._dispatch({ type: 'starting' });
    this.draft = { name, email, message };
    try {
      await this.alone(() => this._start(name, email, message));
    } catch (failure) {
      this._dispatch({ type: 'start-failed', ...startError(failure) });
    }
  }

  /** Returns whether the text is on its way. */
  send(text) {
    return this._talk?.send(text);
  }

  retry(clientId) {
    this._talk?.retry(clientId);
  }

  typing() {
    this._talk?.type();
  }

  confirm(on) {
    this._dispatch({ type: 'confirm', on });
  }

  /** End the chat. When the server can't be reached the question stays open for another try. */
  async end() {
    try {
      const { ticket } = await this.api.close(this._saved.id);
      this._talk?.setTicket(ticket);
    } catch (failure) {
      if (!isTemporary(failure)) this._talk?.catchUp();
    }
  }

  /** What was not sent, and what was half-written at the end, begins the new chat. */
  /** Go on with the chat that has ended; where that is not possible any more, with a new one. */
  async reopen() {
    const saved = this._saved;
    try {
      await this.api.reopen(saved.id);
    } catch (error) {
      if (!isTemporary(error)) this._forget();
      return;
    }
    if (saved !== this._saved) return;
    this._leave();
    this._save({ ...saved, closed: false });
    // A thread that has ended stays so: it begins anew.
    await this._resume();
  }

  startAgain() {
    this._forget();
  }

  /** The widget, or its last message, may have come into view. */
  seen() {
    if (this.isSeen()) this._dispatch({ type: 'seen' });
  }

  /** The page is visible again, or the network is back. */
  wake() {
    this.seen();
    this._look();
    if (this._talk && this.state.thread?.status !== CLOSED) this._talk.resync();
  }

  /** Another tab opened, closed or left a chat. */
  storageChanged() {
    const saved = this.storage.get('ticket');
    if (saved?.id === this._saved?.id) return;
    this._leave();
    this._dispatch({ type: 'forget' });
    this._saved = saved;
    this.load();
  }

  /** Open a chat, unless another tab has opened one meanwhile: then that one takes the question. */
  async _start(name, email, message) {
    if (this._ended) return;
    const open = this.storage.get('ticket');
    if (open && !open.closed) {
      if (!this._talk) this._resume(open);
      this._talk.send(message);
    } else await this._create({ name, email: email || undefined, message });
    this.draft = { name, email };
  }

  async _create(draft) {
    const answer = await this.api.create({ ...draft, group: this.group, client_id: this._askedId() });
    this.storage.set('start', null);
    // An earlier try had reached the server after all, and that chat is over.
    if (answer.ticket.status === CLOSED) return this._create(draft);
    this._begin(answer);
    // The server has the text of an earlier try, or of another tab.
    if (draft.message !== answer.message.content) this._talk?.send(draft.message);
  }

  /** One id for all tries until one is confirmed, also those of other tabs: the server makes one chat of them. */
  _askedId() {
    const id = this.storage.get('start') ?? newId();
    this.storage.set('start', id);
    return id;
  }

  _begin({ ticket_id: id, ticket, message }) {
    this._save({ id, readSeq: 0 });
    if (this._ended) return;
    this._converse(id);
    // Shows as "joined" even when an operator was there at once.
    this._talk.setTicket({ ...ticket, status: 'waiting' });
    this._talk.addStored(message);
    this._talk.setTicket(ticket);
    this._connect();
  }

  async _resume(saved = this._saved) {
    this._saved = saved;
    const { id, readSeq } = saved;
    this._dispatch({ type: 'resuming', readSeq });
    this._converse(id);
    const talk = this._talk;
    await talk.start();
    if (talk === this._talk && talk.thread.status !== CLOSED) this._connect();
  }

  _converse(id) {
    this._talk = new Conversation({
      ticketId: id,
      other: 'operator',
      api: this.api,
      store: this.storage.slot(`outbox:${id}`),
      onChange: (thread) => this._threadChanged(thread),
    });
  }

  _threadChanged(thread) {
    if (thread.denied) return this._forget('gone');
    this._dispatch({ type: 'thread', thread, visible: this.isSeen() });
    const closed = thread.status === CLOSED;
    // An operator may have opened it again while nobody looked.
    if (thread.status !== null && closed !== this._saved.closed) this._save({ ...this._saved, closed });
    if (closed) this._disconnect();
  }

  async _connect(attempt = 0) {
    const talk = this._talk;
    this._dispatch({ type: 'connection', state: attempt ? 'reconnecting' : 'connecting' });
    try {
      const config = await this.api.config();
      if (this._talk === talk && !this._saved.closed) this._listen(talk, config);
    } catch {
      this._timer = setTimeout(() => this._talk === talk && this._connect(attempt + 1), backoff(attempt));
    }
  }

  _listen(talk, config) {
    this._client = new this.Client({
      appKey: config.app_key,
      wsHost: config.ws_host,
      wsPort: config.ws_port,
      forceTLS: config.force_tls,
      // The history says what was missed, whatever the relay remembers.
      resume: false,
      authEndpoint: this.api.authEndpoint,
      auth: { credentials: 'omit' },
      headersProvider: this.api.authorization,
    });
    this._client.on('state_change', ({ current }) => this._connectionChanged(current));
    talk.listen(this._client);
    this._client
      .subscribe(STATUS_CHANNEL)
      .on('pushler:subscription_succeeded', () => this._look())
      .on('desk:status', ({ online }) => this._dispatch({ type: 'desk', online }));
  }

  /** Is anybody there? Asked while it makes a difference to what is on the screen. */
  _look() {
    clearTimeout(this._lookTimer);
    if (this._ended || !this.state.open || !awaits(this.state) || !this.isVisible()) return;
    this._lookTimer = setTimeout(() => this._look(), LOOK_EVERY_MS);
    // Without an answer things stand as they were, until the next one.
    this.api.status().then(({ online }) => this._dispatch({ type: 'desk', online }), () => {});
  }

  _connectionChanged(state) {
    this._dispatch({ type: 'connection', state });
    // While live events can't come, each pause of the reconnecting brings the news by HTTP.
    if (state === 'reconnecting') this._talk?.catchUp();
  }

  _disconnect() {
    clearTimeout(this._timer);
    const client = this._client;
    this._client = null;
    client?.off();
    client?.disconnect();
    this._dispatch({ type: 'connection', state: null });
  }

  _leave() {
    const talk = this._talk;
    this._talk = null;
    talk?.stop();
    this._disconnect();
  }

  _forget(error) {
    const talk = this._talk;
    const half = this.slot(talk.ticketId);
    this._leave();
    const unsent = [...talk.takeUnsent(), half.get()?.trim()].filter(Boolean).join('\n\n');
    half.set(null);
    // Before the ticket goes: other tabs look at the draft when they see that.
    if (unsent) this.draft = { ...this.draft, message: unsent };
    this._saved = null;
    this.storage.set('ticket', null);
    this._dispatch({ type: 'forget', error });
    this._look();
  }

  _save(saved) {
    this._saved = saved;
    this.storage.set('ticket', saved);
  }

  _dispatch(action) {
    this.state = reduce(this.state, action);
    if (this._saved && this.state.readSeq > this._saved.readSeq) this._save({ ...this._saved, readSeq: this.state.readSeq });
    this._talk?.see(this.state.readSeq);
    this.render(this.state);
  }
}

/** Keys of texts by field. */
function wrongInput(name, email, message) {
  const wrong = {};
  if (!name) wrong.name = 'needName';
  if (email && !/.@./.test(email)) wrong.email = 'badEmail';
  if (!message) wrong.message = 'needQuestion';
  else if (isTooLong(message)) wrong.message = 'tooLong';
  return wrong;
}

function startError(failure) {
  if (failure.code === 'too_many_open') return { error: 'tooManyOpen' };
  if (isTemporary(failure)) return { error: failure.status === 429 ? 'refused' : 'unreachable' };
  if (failure.field === 'email') return { wrong: { email: 'badEmail' } };
  return failure.field === 'message' ? { wrong: { message: 'tooLong' } } : { error: 'refused' };
}
