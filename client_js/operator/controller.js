/**
 * The panel's use cases: log in, stay present, receive chats, write, close.
 *
 * Joins state, API, one conversation a ticket, and the realtime client. A ticket's channel is
 * joined when the ticket becomes mine, not when it is opened; all lists are read again whenever
 * the relay confirms a subscription, so nothing depends on having heard every event.
 * Knows no DOM.
 */

import { Conversation } from '../shared/conversation.js';
import { isTemporary } from '../shared/http.js';
import { ACTIVE, CLOSED } from '../shared/thread.js';
import { backoff } from '../shared/timing.js';
import { initialState, LOGIN, reduce, WORK } from './state.js';

export class Controller {
  /**
   * @param {object} parts
   *   api        see api.js
   *   storage    see shared/storage.js; holds `status`, and by operator `read:ID`
   *   Client     class of the realtime client
   *   ticker     (onTick) → stop; ticks every 20 s, in a hidden page too
   *   render     (state) after each change
   *   notify     ('assigned' | 'queued' | 'message', ticket) something wants attention
   *   isVisible  () → is the page on the screen
   */
  constructor({ api, storage, Client, ticker, render, notify, isVisible }) {
    Object.assign(this, { api, storage, Client, ticker, render, notify, isVisible });
    this.state = { ...initialState, status: storage.get('status') ?? 'online' };
    this._talks = new Map();
    this._loads = new Map();
    api.socketId = () => this._client?.socketId ?? undefined;
  }

  /** Go on with the session of the cookie, or ask to log in. */
  async load(attempt = 0) {
    try {
      await this._enter(await this.api.me(), this.state.status);
    } catch (error) {
      if (error.status === 401) return this._dispatch({ type: 'login' });
      this._dispatch({ type: 'connection', state: 'reconnecting' });
      setTimeout(() => this.load(attempt + 1), backoff(attempt));
    }
  }

  async login(email, password) {
    if (this.state.busy) return;
    this._dispatch({ type: 'busy' });
    try {
      await this.api.login(email, password);
      await this._enter(await this.api.me(), 'online');
    } catch (error) {
      this._dispatch({ type: 'login', error: loginError(error) });
    }
  }

  async logout() {
    await this.api.logout().catch(() => {});
    this._leave();
  }

  setStatus(status) {
    this.storage.set('status', status);
    this._dispatch({ type: 'status', status });
    this._beat();
  }

  /** How many chats I take at once. */
  setLimit(maxTickets) {
    this._dispatch({ type: 'limit', maxTickets });
    this._beat(maxTickets);
  }

  select(ticketId) {
    this._dispatch({ type: 'select', ticketId });
    this._talks.get(ticketId)?.catchUp();
  }

  /** Returns whether the text is on its way. */
  send(ticketId, text) {
    return this._talks.get(ticketId)?.send(text);
  }

  retry(ticketId, clientId) {
    this._talks.get(ticketId)?.retry(clientId);
  }

  typing(ticketId) {
    this._talks.get(ticketId)?.type();
  }

  confirm(on) {
    this._dispatch({ type: 'confirm', on });
  }

  /** Close a chat; it leaves the list once the server has agreed. */
  async closeTicket(ticketId) {
    try {
      await this.api.close(ticketId);
      this.dismiss(ticketId);
    } catch (error) {
      if (!isTemporary(error)) this._talks.get(ticketId)?.catchUp();
    }
  }

  /** Take a closed chat off the list, and with it what it did not take any more. */
  dismiss(ticketId) {
    const talk = this._talks.get(ticketId);
    this._drop(ticketId);
    talk?.takeUnsent();
  }

  /** Not ours to see at this time: what is unsent waits in the storage. */
  _drop(ticketId) {
    this._talks.get(ticketId)?.stop();
    this._talks.delete(ticketId);
    this._dispatch({ type: 'remove', ticketId });
  }

  /** The page is visible again, or the network is back. */
  wake() {
    if (this.state.screen !== WORK) return;
    if (this.isVisible()) this._dispatch({ type: 'seen' });
    this._beat();
    this._reload();
    for (const talk of this._talks.values()) talk.resync();
  }

  async _enter(me, status) {
    const config = await this.api.config();
    this.storage.set('status', status);
    this._readSlot = this.storage.slot(`read:${me.operator_id}`);
    this._dispatch({ type: 'enter', me, status, read: this._readSlot.get() ?? {} });
    this._stopTicker = this.ticker(() => this._beat());
    this._connect(config, me.operator_id);
    this._beat();
    this._reload();
  }

  _leave(error) {
    this._stopTicker?.();
    for (const talk of this._talks.values()) talk.stop();
    this._talks.clear();
    const client = this._client;
    this._client = null;
    client?.off();
    client?.disconnect();
    this._dispatch({ type: 'login', error });
  }

  _connect(config, operatorId) {
    this._client = new this.Client({
      appKey: config.app_key,
      wsHost: config.ws_host,
      wsPort: config.ws_port,
      forceTLS: config.force_tls,
      authEndpoint: this.api.authEndpoint,
    });
    this._client.on('state_change', ({ current }) => this._connectionChanged(current));
    this._client
      .subscribe(`private-operator-${operatorId}`)
      .on('pushler:subscription_succeeded', () => this._loadTickets())
      .on('ticket:assigned', (data) => this._assigned(data));
    this._client
      .subscribe('private-support-queue')
      .on('pushler:subscription_succeeded', () => this._loadQueue())
      .on('ticket:new', (data) => this._queueChanged(data, true))
      .on('ticket:updated', (data) => this._queueChanged(data, false));
  }

  _connectionChanged(state) {
    this._dispatch({ type: 'connection', state });
    // While live events can't come, each pause of the reconnecting brings the news by HTTP.
    if (state !== 'reconnecting') return;
    this._reload();
    for (const talk of this._talks.values()) talk.catchUp();
  }

  _assigned(data) {
    const ticket = { ...data, ticket_id: Number(data.ticket_id) };
    const isNew = !this._talks.has(ticket.ticket_id);
    this._addTicket(ticket);
    if (isNew) this.notify('assigned', ticket);
  }

  _queueChanged(data, isNew) {
    const ticket = { ...data, ticket_id: Number(data.ticket_id) };
    if (ticket.operator_id === this.state.me.operator_id && ticket.status === ACTIVE) return this._assigned(ticket);
    const known = this.state.queue[ticket.ticket_id];
    this._dispatch({ type: 'queue-ticket', ticket });
    if (isNew && !known && this.state.queue[ticket.ticket_id]) this.notify('queued', ticket);
  }

  _addTicket(ticket) {
    this._dispatch({ type: 'ticket', ticket });
    if (this._talks.has(ticket.ticket_id)) return;
    const talk = this._converse(ticket.ticket_id);
    this._talks.set(ticket.ticket_id, talk);
    talk.listen(this._client);
    talk.start();
  }

  _converse(ticketId) {
    return new Conversation({
      ticketId,
      other: 'visitor',
      api: this.api,
      store: this.storage.slot(`outbox:${this.state.me.operator_id}:${ticketId}`),
      onChange: (thread, action) => this._threadChanged(thread, action),
    });
  }

  _threadChanged(thread, action) {
    if (thread.denied) return this._drop(thread.ticketId);
    this._dispatch({ type: 'thread', thread, visible: this.isVisible() });
    const speaks = action.type === 'message' && !action.own && action.message.sender_type === 'visitor';
    const watched = this.state.current === thread.ticketId && this.isVisible();
    if (speaks && !watched) this.notify('message', { ...this.state.tickets[thread.ticketId], message: action.message.content });
  }

  _reload() {
    this._loadTickets();
    this._loadQueue();
  }

  _loadTickets() {
    return this._loadList('tickets', ({ tickets }) => {
      for (const ticket of tickets) this._addTicket(ticket);
      const mine = new Set(tickets.map((ticket) => ticket.ticket_id));
      // Not mine any more: its own history tells whether it was closed or is no longer ours to see.
      for (const [id, talk] of this._talks) if (!mine.has(id) && talk.thread.status !== CLOSED) talk.catchUp();
    });
  }

  _loadQueue() {
    return this._loadList('queue', ({ tickets }) => this._dispatch({ type: 'queue', tickets }));
  }

  /** Only the answer to the newest request counts: an older one may arrive later. */
  async _loadList(name, take) {
    const mark = {};
    this._loads.set(name, mark);
    const answer = await this.api[name]().catch((error) => this._failed(error));
    if (answer && this._loads.get(name) === mark && this.state.screen === WORK) take(answer);
  }

  async _beat(maxTickets) {
    try {
      const answer = await this.api.heartbeat(this.state.status, maxTickets);
      this._dispatch({ type: 'heard', maxTickets: answer.max_tickets });
    } catch (error) {
      this._failed(error);
      if (this.state.screen === WORK) this._dispatch({ type: 'unheard' });
    }
  }

  _failed(error) {
    if (error.status === 401 && this.state.screen !== LOGIN) this._leave('expired');
  }

  _dispatch(action) {
    const { read } = this.state;
    this.state = reduce(this.state, action);
    if (this.state.read !== read && this.state.screen === WORK) this._readSlot.set(this.state.read);
    this.render(this.state);
  }
}

function loginError(error) {
  if (error.status === 401 || error.status === 422) return 'wrongLogin';
  return error.status === 429 ? 'tooManyTries' : 'unreachable';
}
