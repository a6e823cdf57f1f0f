/**
 * Half-written answers of one operator, by ticket, in this browser.
 *
 * All of an operator's drafts are one stored value, so that they can be bounded, and another
 * operator of the same browser reads other ones. Every tab writes at each key and adopts what
 * another tab has written: the last writer wins, and a text that was sent in one is gone in all.
 * Knows the storage. Not: where a draft is shown.
 */

/** Drafts kept; those of the lowest tickets go first. What a chat left that ended unseen goes away by this. */
export const MAX_DRAFTS = 100;

export class Drafts {
  /**
   * @param {object} storage see kit/storage.js
   * @param {number} operatorId
   * @param {(ticketId: number) => void} onChange a draft was changed, and not through its slot
   */
  constructor(storage, operatorId, onChange) {
    this._slot = storage.slot(`drafts:${operatorId}`);
    this._onChange = onChange;
    this._known = this._read();
    this._unwatch = storage.watch(`drafts:${operatorId}`, () => this._adopt());
  }

  /** The draft of a ticket as {get, set} of a text or null. */
  slot(ticketId) {
    return { get: () => this._read()[ticketId] ?? null, set: (text) => this._write(ticketId, text) };
  }

  /** The draft of a ticket as far as this tab knows, without asking the storage. */
  known(ticketId) {
    return this._known[ticketId] ?? '';
  }

  /** Put a text before the draft of a ticket, for example one that the server refused. Returns the draft. */
  prepend(ticketId, text) {
    const whole = [text, this._read()[ticketId]].filter(Boolean).join('\n');
    this._write(ticketId, whole || null);
    this._onChange(ticketId);
    return whole;
  }

  drop(ticketId) {
    this._write(ticketId, null);
  }

  stop() {
    this._unwatch();
  }

  _read() {
    return this._slot.get() ?? {};
  }

  _write(ticketId, text) {
    const { [ticketId]: _, ...others } = this._read();
    const all = Object.entries(text ? { ...others, [ticketId]: text } : others);
    this._known = Object.fromEntries(all.slice(-MAX_DRAFTS));
    this._slot.set(all.length ? this._known : null);
  }

  _adopt() {
    const before = this._known;
    this._known = this._read();
    const ids = new Set([...Object.keys(before), ...Object.keys(this._known)]);
    for (const id of ids) if (before[id] !== this._known[id]) this._onChange(Number(id));
  }
}
