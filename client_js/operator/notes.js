/**
 * What operators say among themselves about a chat; its visitor never reads it.
 *
 * A half-written note is a draft of its own, so that nothing turns into an answer by a switch that was overlooked.
 * Knows no DOM.
 */

import { newId } from '../kit/ids.js';
import { Drafts } from './drafts.js';

export class Notes {
  /**
   * @param {object} parts
   *   api      see api.js
   *   storage  see kit/storage.js; holds by operator `drafts:ID:notes`
   *   panel    {state, dispatch(action)}: the controller
   *   failed   (error) a call was refused
   */
  constructor({ api, storage, panel, failed }) {
    Object.assign(this, { api, storage, panel, failed });
    this._tries = new Map();
  }

  /** An operator has logged in. */
  begin(operatorId) {
    this.drafts = new Drafts(this.storage, `${operatorId}:notes`, (ticketId) => this._draftChanged(ticketId));
  }

  end() {
    this.drafts?.stop();
    this._tries.clear();
  }

  /** Read what colleagues noted about a chat that is open now. */
  async load(ticketId) {
    const answer = await this.api.notes(ticketId).catch((error) => this.failed(error));
    if (answer) this._add(ticketId, answer.notes);
  }

  /** A note of a chat of mine has come. */
  heard({ note }) {
    this._add(note.ticket_id, [note]);
  }

  /** Write notes about the chat from now on, or answers again. */
  toggle(ticketId) {
    this.panel.dispatch({ type: 'noting', ticketId, noting: this.panel.state.noting[ticketId] ? null : { error: null } });
  }

  /** Store a note; its draft stays until it is. */
  async write(ticketId, text) {
    if (!text.trim()) return;
    const { drafts } = this;
    try {
      const { note } = await this.api.writeNote(ticketId, { content: text, client_id: this._idOf(ticketId, text) });
      this._tries.delete(ticketId);
      if (drafts !== this.drafts) return;
      this._add(ticketId, [note]);
      if (drafts.slot(ticketId).get() === text) drafts.drop(ticketId);
      this._draftChanged(ticketId);
      this._tell(ticketId, null);
    } catch (error) {
      this._tell(ticketId, 'noteFailed');
      this.failed(error);
    }
  }

  /** The same text has the same id until it is stored: a repeat makes no second note. */
  _idOf(ticketId, text) {
    const last = this._tries.get(ticketId);
    if (last?.text !== text) this._tries.set(ticketId, { text, id: newId() });
    return this._tries.get(ticketId).id;
  }

  _add(ticketId, notes) {
    this.panel.dispatch({ type: 'notes', ticketId, notes });
  }

  _tell(ticketId, error) {
    if (this.panel.state.noting[ticketId]) this.panel.dispatch({ type: 'noting', ticketId, noting: { error } });
  }

  _draftChanged(ticketId) {
    this.panel.dispatch({ type: 'draft', ticketId });
  }
}
