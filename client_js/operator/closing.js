/**
 * Chats that are being closed: for a moment it can be taken back, and whoever writes meanwhile is not shut out.
 *
 * The chat leaves the list at once; the server hears of it when the moment is over, when the operator does not want to wait,
 * or when they leave the page. Knows when. Not: DOM, how a chat is closed (see controller.js).
 */

import { longestWaiting } from './state.js';

/** For so long a closing can be taken back, milliseconds. */
export const GRACE_MS = 8000;

export class Closing {
  /** @param {{panel: object}} parts panel: {state, dispatch(action), select(ticketId), closeTicket(ticketId)}, the controller */
  constructor({ panel }) {
    this.panel = panel;
    this._timers = new Map();
  }

  /** Begin to close a chat, and open the one that waits longest. */
  begin(ticketId) {
    const { panel } = this;
    if (this._timers.has(ticketId)) return;
    const wasOpen = panel.state.current === ticketId;
    panel.dispatch({ type: 'closing', ticketId, on: true });
    if (wasOpen) panel.select(longestWaiting(panel.state));
    this._timers.set(ticketId, null);
    this.resume(ticketId);
  }

  /** The chat stays open. */
  undo(ticketId) {
    this._forget(ticketId);
    this.panel.dispatch({ type: 'closing', ticketId, on: false });
  }

  /** Somebody is reading what can be taken back: the time stands still. */
  pause(ticketId) {
    clearTimeout(this._timers.get(ticketId));
  }

  resume(ticketId) {
    if (!this._timers.has(ticketId)) return;
    this.pause(ticketId);
    this._timers.set(ticketId, setTimeout(() => this.finish(ticketId), GRACE_MS));
  }

  /** Close it now. */
  async finish(ticketId) {
    const { panel } = this;
    const visitor = panel.state.tickets[ticketId]?.visitor_name ?? '';
    this._forget(ticketId);
    await panel.closeTicket(ticketId);
    if (!panel.state.closing.includes(ticketId)) return;
    panel.dispatch({ type: 'closing', ticketId, on: false });
    panel.dispatch({ type: 'notice', notice: { ticketId, key: 'closeFailed', values: { visitor } } });
  }

  /** Close all of them now: the operator leaves. */
  finishAll() {
    return Promise.all([...this._timers.keys()].map((ticketId) => this.finish(ticketId)));
  }

  /** The visitor has written: they do not find a closed chat. */
  heard(ticketId) {
    if (!this._timers.has(ticketId)) return;
    const visitor = this.panel.state.tickets[ticketId]?.visitor_name ?? '';
    this.undo(ticketId);
    this.panel.dispatch({ type: 'notice', notice: { ticketId, key: 'closeStopped', values: { visitor } } });
  }

  /** The session has ended: nothing can be closed any more. */
  stop() {
    for (const ticketId of [...this._timers.keys()]) this._forget(ticketId);
  }

  _forget(ticketId) {
    this.pause(ticketId);
    this._timers.delete(ticketId);
  }
}
