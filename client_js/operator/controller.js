/**
 * The panel's use cases: log in, stay present, receive chats, write, hand over, close.
 *
 * Joins state, API, the conversations (chats.js), their changing hands (hand_over.js) and the
 * realtime client. All lists are read again whenever the relay confirms a subscription, so nothing
 * depends on having heard every event. Knows no DOM.
 */

import { ACTIVE, CLOSED, WAITING } from '../conversation/thread.js';
import { isTemporary } from '../kit/http.js';
import { backoff } from '../kit/timing.js';
import { Chats } from './chats.js';
import { Closing } from './closing.js';
import { HandOver, whereOf } from './hand_over.js';
import { Notes } from './notes.js';
import { initialState, LOGIN, longestWaiting, MINE, reduce, WORK } from './state.js';

/** Doublings of the pause between questions whether the desk is back: 4 s at most. */
const MAX_DOUBLINGS = 2;

export class Controller {
  /**
   * @param {object} parts
   *   api        see api.js
   *   storage    see kit/storage.js; holds `status`, `who` has logged in in this browser, and by operator `read:ID`;
   *              chats.js has more there
   *   Client     class of the realtime client
   *   ticker     (onTick) → stop; ticks every 20 s, in a hidden page too
   *   render     (state) after each change
   *   notify     ('assigned' | 'queued' | 'message', ticket, watched) something wants attention;
   *              watched: it is on the screen already
   *   isVisible  () → is the page on the screen
   */
  constructor({ api, storage, Client, ticker, render, notify, isVisible }) {
    Object.assign(this, { api, storage, Client, ticker, render, notify, isVisible });
    this.state = { ...initialState, status: storage.get('status') ?? 'online' };
    this.closing = new Closing({ panel: this });
    this.chats = new Chats({ api, storage, panel: this, notify: (...call) => this._called(...call), isVisible });
    this.handOver = new HandOver({ api, panel: this, chats: this.chats });
    this.notes = new Notes({ api, storage, panel: this, failed: (error) => this._failed(error) });
    this._loads = new Map();
    this._unheardBeats = 0;
    storage.watch('who', () => this._sessionChanged());
    api.socketId = () => this._client?.socketId ?? undefined;
  }

  /** Go on with the session of the cookie, or ask to log in. */
  async load(attempt = 0) {
    try {
      await this._enter(await this.api.me(), this.state.status);
    } catch (error) {
      if (error.status === 401) return this.dispatch({ type: 'login' });
      this.dispatch({ type: 'connection', state: 'reconnecting' });
      setTimeout(() => this.load(attempt + 1), backoff(attempt));
    }
  }

  async login(email, password) {
    if (this.state.busy) return;
    this.dispatch({ type: 'busy' });
    const failed = (textOf) => (error) => this.dispatch({ type: 'login', error: textOf(error) });
    const answer = await this.api.login(email, password).catch(failed(loginError));
    if (!answer) return;
    // The password was right: whoever is unknown now has a browser that keeps no cookie.
    await this._enterAs('online').catch(failed((error) => (error.status === 401 ? 'needCookies' : loginError(error))));
  }

  async logout() {
    await this.closing.finishAll();
    await this.api.logout().catch(() => {});
    this.storage.set('who', null);
    this._leave();
  }

  setStatus(status) {
    this.storage.set('status', status);
    this.dispatch({ type: 'status', status });
    this._beat();
  }

  /** How many chats I take at once. */
  setLimit(maxTickets) {
    this.dispatch({ type: 'limit', maxTickets });
    this._beat(maxTickets);
  }

  /** Open a chat, mine or a waiting one; null: none. */
  select(ticketId) {
    if (this.state.closing.includes(ticketId)) this.closing.undo(ticketId);
    this.dispatch({ type: 'select', ticketId });
    this.chats.doubt(ticketId);
  }

  /** Returns whether the text is on its way. */
  send(ticketId, text) {
    return this.chats.get(ticketId)?.send(text);
  }

  retry(ticketId, clientId) {
    this.chats.get(ticketId)?.retry(clientId);
  }

  typing(ticketId) {
    this.chats.get(ticketId)?.type();
  }

  /** The end of the open chat has gone out of view, or come back. */
  setScrolled(on) {
    if (on !== this.state.scrolled) this.dispatch({ type: 'scrolled', on, visible: this.isVisible() });
  }

  readNotice(ticketId) {
    this.dispatch({ type: 'notice-read', ticketId });
  }

  /** Close a chat; it leaves the list once the server has agreed, and the one that waits longest is opened. */
  async closeTicket(ticketId) {
    try {
      await this.api.close(ticketId);
      const wasOpen = this.state.current === ticketId;
      this.dismiss(ticketId);
      if (wasOpen) this.select(longestWaiting(this.state));
    } catch (error) {
      if (!isTemporary(error)) this.chats.doubt(ticketId);
    }
  }

  /** Take a chat that has ended for me off the list, and with it what was not sent. */
  dismiss(ticketId) {
    this.chats.dismiss(ticketId);
  }

  /** The page is visible again, or the network is back. */
  wake() {
    if (this.state.screen !== WORK) return;
    if (this.isVisible()) this.dispatch({ type: 'seen' });
    this._beat();
    this.reload();
    this.chats.resync();
  }

  /** Any call to the desk was answered, or it was not: then the desk is asked until it is. */
  reached(isThere) {
    if (this.state.screen !== WORK || isThere !== this.state.unheard) return;
    if (isThere) this._beat();
    else this._unheard();
  }

  dispatch(action) {
    const { read, current } = this.state;
    this.state = reduce(this.state, action);
    if (this.state.read !== read && this.state.screen === WORK) {
      this._readSlot.set(this.state.read);
      this.chats.see(this.state.read);
    }
    this.render(this.state);
    if (this.state.current !== current && this.state.current !== null) this.notes.load(this.state.current);
  }

  reload() {
    this._loadTickets();
    this._loadQueue();
  }

  async _enterAs(status) {
    await this._enter(await this.api.me(), status);
  }

  async _enter(me, status) {
    const config = await this.api.config();
    this.storage.set('status', status);
    this.storage.set('who', me.operator_id);
    const read = `read:${me.operator_id}`;
    this._readSlot = this.storage.slot(read);
    this._unwatchRead = this.storage.watch(read, () => this.dispatch({ type: 'read', read: this._readSlot.get() ?? {} }));
    this._client = this._newClient(config);
    this.dispatch({ type: 'enter', me, status, read: this._readSlot.get() ?? {} });
    this.notes.begin(me.operator_id);
    this.chats.begin(me.operator_id, this._client);
    this._stopTicker = this.ticker(() => this._beat());
    this._listen(me.operator_id);
    this._beat();
    this.reload();
  }

  /** Another tab has logged out, or in as somebody else: what is on this page is not for their eyes. */
  _sessionChanged() {
    const who = this.storage.get('who');
    if (who === (this.state.me?.operator_id ?? null)) return;
    if (this.state.screen === WORK) this._leave();
    if (who !== null) this.load();
  }

  _leave(error) {
    this._stopTicker?.();
    this._unwatchRead?.();
    clearTimeout(this._beatTimer);
    this.chats.end();
    this.notes.end();
    this.closing.stop();
    const client = this._client;
    this._client = null;
    client?.off();
    client?.disconnect();
    this.dispatch({ type: 'login', error });
  }

  _newClient(config) {
    return new this.Client({
      appKey: config.app_key,
      wsHost: config.ws_host,
      wsPort: config.ws_port,
      forceTLS: config.force_tls,
      // The history says what was missed, whatever the relay remembers.
      resume: false,
      authEndpoint: this.api.authEndpoint,
      userAuthEndpoint: this.api.userAuthEndpoint,
    });
  }

  _listen(operatorId) {
    this._client.on('state_change', ({ current }) => this._connectionChanged(current));
    this._client.signin();
    this._join(`private-operator-${operatorId}`)
      .on('pushler:subscription_succeeded', () => this._operatorJoined())
      .on('note:new', (data) => this.notes.heard(data))
      .on('ticket:assigned', (data) => this._assigned(data))
      .on('ticket:transferred', (data) => this._transferred(data));
    this._join('private-support-queue')
      .on('pushler:subscription_succeeded', () => this._loadQueue())
      .on('ticket:new', (data) => this._queueChanged(data, true))
      .on('ticket:updated', (data) => this._queueChanged(data, false));
  }

  /** What was said on my channel meanwhile is asked for. */
  _operatorJoined() {
    this._loadTickets();
    if (this.state.current !== null) this.notes.load(this.state.current);
  }

  /** A channel of every operator. Taken from us, only the server knows whether we are still one. */
  _join(name) {
    const client = this._client;
    return client
      .subscribe(name)
      .on('pushler:unsubscribed', () => client.subscribe(name))
      .on('pushler:subscription_error', () => this._loadTickets());
  }

  _connectionChanged(state) {
    this.dispatch({ type: 'connection', state });
    // While live events can't come, each pause of the reconnecting brings the news by HTTP; and a connection that the relay
    // has closed for good, the reason.
    if (state !== 'reconnecting' && state !== 'disconnected') return;
    this.reload();
    this.chats.catchUp();
  }

  _assigned(data) {
    const ticket = withNumber(data);
    if (this.chats.add(ticket, true)) this.notify('assigned', ticket, false);
  }

  /** A chat of mine wants attention. */
  _called(kind, ticket, watched) {
    if (kind === 'message') this.closing.heard(ticket.ticket_id);
    this.notify(kind, ticket, watched);
  }

  /** It was mine. */
  _transferred(data) {
    this.chats.leave(Number(data.ticket_id), whereOf(data));
    this._loadQueue();
  }

  _queueChanged(data, isNew) {
    const ticket = withNumber(data);
    const { me, tickets } = this.state;
    if (ticket.operator_id === me.operator_id && ticket.status === ACTIVE) return this._assigned(ticket);
    // Late, or a chat of mine that has changed hands: its history knows.
    if (tickets[ticket.ticket_id]?.access === MINE && ticket.status !== CLOSED) this.chats.doubt(ticket.ticket_id);
    if (isNew || ticket.status !== WAITING || this.state.queue[ticket.ticket_id]) this._queueTicket(ticket);
    // It came back, and the event does not say whose it is.
    else this._loadQueue().then(() => this._notifyQueued(ticket.ticket_id));
  }

  _queueTicket(ticket) {
    const known = this.state.queue[ticket.ticket_id];
    this.dispatch({ type: 'queue-ticket', ticket });
    if (!known) this._notifyQueued(ticket.ticket_id);
  }

  _notifyQueued(ticketId) {
    const ticket = this.state.queue[ticketId];
    if (ticket) this.notify('queued', ticket, this.state.current === ticketId && this.isVisible());
  }

  _loadTickets() {
    return this._loadList('tickets', ({ tickets }) => {
      for (const ticket of tickets) this.chats.add(ticket);
      this.chats.keepOnly(new Set(tickets.map((ticket) => ticket.ticket_id)));
      this.dispatch({ type: 'listed', list: 'mine' });
    });
  }

  _loadQueue() {
    return this._loadList('queue', ({ tickets }) => {
      this.dispatch({ type: 'queue', tickets });
      this.dispatch({ type: 'listed', list: 'queue' });
    });
  }

  /** Only the answer to the newest request counts: an older one may arrive later. */
  async _loadList(name, take) {
    const mark = {};
    this._loads.set(name, mark);
    const answer = await this.api[name]().catch((error) => this._failed(error));
    if (answer && this._loads.get(name) === mark && this.state.screen === WORK) take(answer);
  }

  async _beat(maxTickets) {
    clearTimeout(this._beatTimer);
    try {
      const answer = await this.api.heartbeat(this.state.status, maxTickets);
      this._unheardBeats = 0;
      this.dispatch({ type: 'heard', maxTickets: answer.max_tickets });
    } catch (error) {
      this._failed(error);
      if (this.state.screen === WORK) this._unheard();
    }
  }

  /** Say so, and ask again soon. */
  _unheard() {
    clearTimeout(this._beatTimer);
    this._beatTimer = setTimeout(() => this._beat(), backoff(Math.min(this._unheardBeats, MAX_DOUBLINGS)));
    this._unheardBeats += 1;
    this.dispatch({ type: 'unheard' });
  }

  _failed(error) {
    if (error.status === 401 && this.state.screen !== LOGIN) this._leave('expired');
  }
}

/** Older clients' events carry ids as text. */
function withNumber(data) {
  return { ...data, ticket_id: Number(data.ticket_id) };
}

function loginError(error) {
  if (error.status === 401 || error.status === 422) return 'wrongLogin';
  return error.status === 429 ? 'tooManyTries' : 'unreachable';
}
