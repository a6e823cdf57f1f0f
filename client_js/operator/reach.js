/**
 * Notices when the desk stops answering: a call failed, or has waited for so long that somebody
 * at the panel should know. And that it answers again.
 *
 * Knows how calls end. Not: which calls there are, what is shown.
 */

/** An answer that takes longer counts as none until it comes, milliseconds. */
export const SLOW_MS = 2500;

/** What a proxy answers for a desk that is away. */
const NOBODY_THERE = new Set([0, 502, 503, 504]);

export class Reach {
  /** @param {(isThere: boolean) => void} onCall after each call, and when one is slow */
  constructor(onCall = () => {}) {
    this.onCall = onCall;
    this._answers = 0;
  }

  /** Watch a call. Returns its promise. */
  watch(call) {
    let slow;
    // Whoever answers others meanwhile is there, and has so long again from then on.
    const wait = (answers) => {
      slow = setTimeout(() => {
        if (answers === this._answers) this.onCall(false);
        else wait(this._answers);
      }, SLOW_MS);
    };
    wait(this._answers);
    const settled = (isThere) => {
      clearTimeout(slow);
      if (isThere) this._answers += 1;
      this.onCall(isThere);
    };
    call.then(
      () => settled(true),
      (error) => settled(!NOBODY_THERE.has(error.status)),
    );
    return call;
  }
}
