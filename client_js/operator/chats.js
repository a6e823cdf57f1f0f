/**
 * The operator's conversations: which there are, and what becomes of them when a chat comes, goes
 * to somebody else, or ends.
 *
 * A ticket's channel is joined when the ticket becomes mine, not when it is opened. When it goes,
 * what was not sent of it stays as its draft, whoever it went to.
 * Knows no DOM and no connection of its own.
 */

import { Conversation } from '../shared/conversation.js';
import { CLOSED } from '../shared/thread.js';
import { Drafts } from './drafts.js';
import { GONE } from './state.js';

export class Chats {
  /**
   * @param {object} parts
   *   api        see api.js
   *   storage    see shared/storage.js; holds by operator `drafts:ID`, `kept:ID`, `outbox:ID:TICKET`
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
    for (const ticket of this._keptTickets()) {
      this.panel.dispatch({ type: 'ticket', ticket });
      this.panel.dispatch({ type: 'gone', ticketId: ticket.ticket_id });
    }
  }

  end() {
    for (const talk of this._talks.values()) talk.stop();
    this._talks.clear();
    this.drafts?.stop();
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
    this._talks.delete(ticketId);
    this.panel.dispatch({ type: 'gone', ticketId });
    const unsent = await talk.leave();
    // It stands in the draft from now on.
    this.panel.dispatch({ type: 'thread', thread: { ...talk.thread, pending: [] } });
    const text = this.drafts.prepend(ticketId, unsent.join('\n'));
    // It may have come back meanwhile.
    if (this._talks.has(ticketId)) return;
    if (text) this._keep(ticketId);
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

  /** Remember, over a reload, which chats have gone and left a text of ours: this one, and those that still do. */
  _keep(ticketId) {
    const { visitor_name } = this.panel.state.tickets[ticketId] ?? {};
    const others = this._keptTickets().filter((ticket) => ticket.ticket_id !== ticketId);
    const kept = ticketId ? [...others, { ticket_id: ticketId, visitor_name }] : others;
    this._kept.set(kept.length ? kept : null);
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
    if (thread.denied) return this.leave(ticketId, { key: 'goneAway' });
    const visible = this.isVisible();
    this.panel.dispatch({ type: 'thread', thread, visible });
    const ticket = this.panel.state.tickets[ticketId];
    const speaks = action.type === 'message' && !action.own && action.message.sender_type === 'visitor';
    const watched = visible && this.panel.state.current === ticketId;
    if (speaks && ticket) this.notify('message', { ...ticket, message: action.message.content, event: action.message.id }, watched);
  }
}
