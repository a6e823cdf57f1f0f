/**
 * The operator's conversations: which there are, and what becomes of them when a chat comes, goes
 * to somebody else, or ends.
 *
 * A ticket's channel is joined when the ticket becomes mine, not when it is opened. When it goes,
 * what was not sent of it stays as its draft, whoever it went to.
 * Knows no DOM and no connection of its own.
 */

import { Conversation } from '../conversation/conversation.js';
import { CLOSED } from '../conversation/thread.js';
import { Drafts } from './drafts.js';
import { GONE } from './state.js';

export class Chats {
  /**
   * @param {object} parts
   *   api        see api.js
   *   storage    see kit/storage.js; holds by operator `drafts:ID`, `kept:ID`, `outbox:ID:TICKET`
   *   panel      {state, dispatch(action)}: the controller
   *   notify     ('assigned' | 'message', ticket) see controller.js
   *   isVisible  () → is the page on the screen
   */
  constructor({ api, storage, panel, notify, isVisible }) {
    Object.assign(this, { api, storage, panel, notify, isVisible });
    this._talks = new Map();
  }

  /** An operator has logged in; `client` is the realtime client of their session. */
  begin(operatorId, client) {
    this._operatorId = operatorId;
    this._client = client;
    this.drafts = new Drafts(this.storage, operatorId, (ticketId) => this._draftChanged(ticketId));
    this._kept = this.storage.slot(`kept:${operatorId}`);
    for (const ticket of this._keptTickets()) this._showKept(ticket);
  }

  end() {
    for (const talk of this._talks.values()) talk.stop();
    this._talks.clear();
    this.drafts?.stop();
  }

  /** By ticket: messages up to a seq were on the screen. */
  see(read) {
    for (const [id, talk] of this._talks) talk.see(read[id] ?? 0);
  }

  /** It is mine. Returns whether that is new. */
  add(ticket, isNew = false) {
    const id = ticket.ticket_id;
    const known = this._talks.has(id);
    this.panel.dispatch({ type: 'ticket', ticket, isNew: isNew && !known });
    if (known) return false;
    const talk = this._converse(id);
    this._talks.set(id, talk);
    if (this._kept.get()) this._keep();
    talk.listen(this._client);
    talk.start();
    return true;
  }

  /** These are all of mine: what became of the others, their own histories tell. */
  keepOnly(ids) {
    for (const [id, talk] of this._talks) if (!ids.has(id) && talk.thread.status !== CLOSED) talk.catchUp();
  }

  get(ticketId) {
    return this._talks.get(ticketId);
  }

  /** Where live events can't come from, news are asked for. */
  catchUp() {
    for (const talk of this._talks.values()) talk.catchUp();
  }

  resync() {
    for (const talk of this._talks.values()) talk.resync();
  }

  /** Ask the server whether it is still mine. */
  doubt(ticketId) {
    this.get(ticketId)?.catchUp();
  }

  /** Take a chat that has ended off the list, and with it what was not sent. */
  dismiss(ticketId) {
    const talk = this.get(ticketId);
    talk?.stop();
    talk?.takeUnsent();
    this._talks.delete(ticketId);
    this.drafts.drop(ticketId);
    this._keep();
    this.panel.dispatch({ type: 'remove', ticketId });
  }

  /**
   * It is somebody else's from now on. Without text of ours it leaves the list; with it the row
   * stays until the operator has seen to the text.
   * @param {{key: string, values?: object}} where it went, as a text
   */
  async leave(ticketId, where) {
    const talk = this.get(ticketId);
    this._tellWhere(ticketId, where, Boolean(talk));
    if (!talk) return;
    const ticket = this.panel.state.tickets[ticketId];
    this._talks.delete(ticketId);
    this.panel.dispatch({ type: 'gone', ticketId });
    const { drafts } = this;
    const unsent = await talk.leave();
    const text = drafts.prepend(ticketId, unsent.join('\n'));
    // Somebody else works here now, or it has come back.
    if (drafts !== this.drafts || this._talks.has(ticketId)) return;
    // What was not sent stands in the draft from now on.
    this.panel.dispatch({ type: 'thread', thread: { ...talk.thread, pending: [] } });
    if (text) this._keep(ticket);
    else this.panel.dispatch({ type: 'remove', ticketId });
  }

  /** Another tab may have put the text away that a chat was kept for. */
  _draftChanged(ticketId) {
    this.panel.dispatch({ type: 'draft', ticketId });
    const { tickets } = this.panel.state;
    if (tickets[ticketId]?.access === GONE && !this._talks.has(ticketId) && !this.drafts.slot(ticketId).get()) {
      this.panel.dispatch({ type: 'remove', ticketId });
    }
  }

  _showKept(ticket) {
    this.panel.dispatch({ type: 'ticket', ticket });
    this.panel.dispatch({ type: 'gone', ticketId: ticket.ticket_id });
  }

  /** Remember, over a reload, which chats have gone and left a text of ours: this one, and those that still do. */
  _keep(ticket) {
    const others = this._keptTickets().filter(({ ticket_id }) => ticket_id !== ticket?.ticket_id);
    const kept = ticket ? [...others, { ticket_id: ticket.ticket_id, visitor_name: ticket.visitor_name }] : others;
    this._kept.set(kept.length ? kept : null);
    if (ticket && !this.panel.state.tickets[ticket.ticket_id]) this._showKept(ticket);
  }

  _keptTickets() {
    return (this._kept.get() ?? []).filter(({ ticket_id }) => !this._talks.has(ticket_id) && this.drafts.slot(ticket_id).get());
  }

  _tellWhere(ticketId, { key, values }, isFirst) {
    const { tickets, notices } = this.panel.state;
    const told = notices.find((notice) => notice.ticketId === ticketId);
    if (!isFirst && !told) return;
    const visitor = tickets[ticketId]?.visitor_name ?? told?.values.visitor ?? '';
    this.panel.dispatch({ type: 'notice', notice: { ticketId, key, values: { visitor, ...values } } });
  }

  _converse(ticketId) {
    return new Conversation({
      ticketId,
      other: 'visitor',
      api: this.api,
      store: this.storage.slot(`outbox:${this._operatorId}:${ticketId}`),
      onChange: (thread, action) => this._changed(thread, action),
    });
  }

  _changed(thread, action) {
    const { ticketId } = thread;
    // Not the chat has ended but the session: what is unsent waits for the next one.
    if (thread.denied === 401) return this.panel.reload();
    if (thread.denied) return this.leave(ticketId, { key: 'goneAway' });
    const visible = this.isVisible();
    this.panel.dispatch({ type: 'thread', thread, visible });
    const { current, read, scrolled, tickets } = this.panel.state;
    this._talks.get(ticketId)?.see(read[ticketId] ?? 0);
    const ticket = tickets[ticketId];
    const speaks = action.type === 'message' && !action.own && action.message.sender_type === 'visitor';
    const watched = visible && current === ticketId && !scrolled;
    if (speaks && ticket) this.notify('message', { ...ticket, message: action.message.content, event: action.message.id }, watched);
  }
}
