/**
 * Chats change hands: one's own goes to a colleague or back to the queue, a waiting one is taken.
 *
 * Knows the questions on the way and what the server may answer. Not: DOM, how a chat that has
 * gone is put away (see chats.js).
 */

import { isFull } from './state.js';

/** The target has as many chats as they want, since the list was made. */
const FULL = 'operator_full';

export class HandOver {
  /**
   * @param {object} parts
   *   api    see api.js
   *   panel  {state, dispatch(action)}: the controller
   *   chats  see chats.js
   */
  constructor({ api, panel, chats }) {
    Object.assign(this, { api, panel, chats });
  }

  /** Begin to choose who gets the chat. */
  async open(ticketId) {
    this.panel.dispatch({ type: 'transfer', ticketId });
    try {
      const [{ operators }, { groups }] = await Promise.all([this.api.colleagues(), this.api.groups()]);
      this._change(ticketId, { colleagues: operators.sort(byReadiness), groups });
    } catch {
      // Whatever it was: the choice of the queue is left, and the dialog says what is missing.
      this._change(ticketId, { colleagues: [], groups: [], error: 'colleaguesFailed' });
    }
  }

  cancel() {
    this.panel.dispatch({ type: 'transfer', ticketId: null });
  }

  /** What the next one shall read. */
  write(note) {
    this._change(this.panel.state.transfer.ticketId, { note });
  }

  /** To the members of a group: whoever of them is free. */
  chooseGroup(group) {
    this._go(this.panel.state.transfer.ticketId, { groupId: group.group_id }, null, false);
  }

  /** To a colleague, or to the queue (null). Somebody with enough chats gets it after a question only. */
  choose(colleague) {
    const { ticketId } = this.panel.state.transfer;
    if (colleague && isFull(colleague)) this._change(ticketId, { asking: colleague, error: null });
    else this._go(ticketId, { operatorId: colleague?.operator_id }, colleague, false);
  }

  /** The question's answer: over the limit (true), or somebody else. */
  answer(yes) {
    const { ticketId, asking } = this.panel.state.transfer;
    if (yes) this._go(ticketId, { operatorId: asking.operator_id }, asking, true);
    else this._change(ticketId, { asking: null });
  }

  /** Make a waiting chat mine and open it. */
  async take(ticketId) {
    if (this.panel.state.taking !== null) return;
    const visitor = this.panel.state.queue[ticketId]?.visitor_name ?? '';
    this.panel.dispatch({ type: 'taking', ticketId });
    try {
      const { ticket } = await this.api.take(ticketId);
      this.chats.add(ticket);
      this.panel.select(ticketId);
    } catch (error) {
      this._notTaken(ticketId, visitor, error);
    }
    this.panel.dispatch({ type: 'taking', ticketId: null });
  }

  /** Go on with a chat that has ended: it is mine again, somebody else's, or waits. */
  async reopen(ticketId) {
    const visitor = this.panel.state.tickets[ticketId]?.visitor_name ?? '';
    try {
      const { ticket } = await this.api.reopen(ticketId);
      // A thread that has ended stays so: it begins anew.
      if (this.chats.get(ticketId)) this.chats.dismiss(ticketId);
      if (ticket.operator_id === this.panel.state.me.operator_id) this.chats.add(ticket);
      this.panel.reload();
      this.panel.select(ticketId);
    } catch {
      this.panel.dispatch({ type: 'notice', notice: { ticketId, key: 'reopenFailed', values: { visitor } } });
    }
  }

  _notTaken(ticketId, visitor, { status }) {
    const key = status === 409 || status === 403 || status === 404 ? 'takenAway' : 'takeFailed';
    this.panel.dispatch({ type: 'notice', notice: { ticketId, key, values: { visitor } } });
    this.panel.reload();
  }

  async _go(ticketId, where, colleague, overLimit) {
    const { busy, note } = this.panel.state.transfer;
    if (busy) return;
    this._change(ticketId, { busy: true, error: null });
    try {
      const { ticket } = await this.api.transfer(ticketId, { ...where, note: note.trim() || undefined }, overLimit);
      this.cancel();
      await this.chats.leave(ticketId, whereOf(ticket));
      this.panel.reload();
    } catch (error) {
      this._refused(ticketId, colleague, error);
    }
  }

  _refused(ticketId, colleague, { status, code }) {
    if (code === FULL) return this._change(ticketId, { busy: false, asking: colleague });
    this._change(ticketId, { busy: false, asking: null, error: 'transferFailed' });
    if (status === 403 || status === 404 || status === 409) this.chats.doubt(ticketId);
  }

  _change(ticketId, change) {
    this.panel.dispatch({ type: 'transfer-changed', ticketId, change });
  }
}

/** Where a ticket is that is not mine any more, as a text. From the queue a free operator may have got it at once. */
export function whereOf({ operator_name: name }) {
  return name ? { key: 'goneTo', values: { name } } : { key: 'goneQueue' };
}

/** Who could begin at once stands first. */
function byReadiness(a, b) {
  return b.is_online - a.is_online || isFull(a) - isFull(b) || a.name.localeCompare(b.name);
}
