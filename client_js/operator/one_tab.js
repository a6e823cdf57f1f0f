/**
 * Several tabs of one browser hear of the same event: settles which of them calls the operator.
 *
 * Each tab tells the others what it could do; after a moment all of them know the same and come
 * to the same result. Nobody calls where somebody looks at it already. A tab that hears of the
 * event later, after a reconnect for example, finds that it is settled.
 * Knows tabs. Not: sounds, notes, what an event means.
 */

/** How long the other tabs' answers are awaited, milliseconds. A hidden tab's timer may take a second. */
export const WAIT_MS = 200;
/** For so long an event that was settled is not called again, milliseconds. */
export const SETTLED_MS = 10_000;

export class OneTab {
  /**
   * @param {object} parts
   *   id       of this tab
   *   channel  BroadcastChannel, or null where there is none: then this tab is alone
   */
  constructor({ id, channel }) {
    this.id = id;
    this._channel = channel;
    this._rounds = new Map();
    channel?.addEventListener('message', ({ data }) => this._hear(data));
  }

  /**
   * @param {string} key the event, the same in all tabs
   * @param {{watches: boolean, focused: boolean, audible: boolean}} able
   * @param {(means: {sound: boolean, note: boolean}) => void} act
   */
  call(key, able, act) {
    const round = this._round(key);
    if (round.settled) return;
    const claim = { key, id: this.id, ...able };
    round.claims.push(claim);
    this._channel?.postMessage(claim);
    setTimeout(() => this._settle(round, key, act), this._channel ? WAIT_MS : 0);
  }

  _settle(round, key, act) {
    if (round.settled) return;
    const share = shareOf(this.id, round.claims);
    const means = { sound: share.sound && !round.done.sound, note: share.note && !round.done.note };
    round.settled = true;
    this._channel?.postMessage({ key, done: means });
    act(means);
  }

  _hear({ key, done, ...claim }) {
    const round = this._round(key);
    if (!done) return round.claims.push(claim);
    // Where claims have crossed, what is done is done.
    round.done = { sound: round.done.sound || done.sound, note: round.done.note || done.note };
    round.settled ||= !this._isMine(round);
  }

  /** Having claimed, a tab settles by itself: all come to the same result. */
  _isMine(round) {
    return round.claims.some(({ id }) => id === this.id);
  }

  _round(key) {
    if (!this._rounds.has(key)) {
      this._rounds.set(key, { claims: [], settled: false, done: { sound: false, note: false } });
      setTimeout(() => this._rounds.delete(key), SETTLED_MS);
    }
    return this._rounds.get(key);
  }
}

/** What the tab `id` has to do when these are all claims: one sound and one note at most among them. */
export function shareOf(id, claims) {
  if (claims.some(({ watches }) => watches)) return { sound: false, note: false };
  const focused = claims.some((claim) => claim.focused);
  const best = (list) => [...list].sort((a, b) => b.focused - a.focused || (a.id < b.id ? -1 : 1))[0]?.id;
  return { sound: best(claims.filter(({ audible }) => audible)) === id, note: !focused && best(claims) === id };
}
