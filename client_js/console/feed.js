/**
 * The feed of one app, and its way back after a loss.
 *
 * Reads the stream by fetch, where EventSource would neither tell why it was refused nor notice silence.
 */

import { parser } from '../kit/sse.js';

/** Pauses before the next tries, milliseconds; the last one is kept to. */
const PAUSES_MS = [1000, 2000, 4000, 8000, 15_000];
/** The relay says something every 15 s: after this the connection is dead, milliseconds. */
const SILENCE_MS = 40_000;

export class Feed {
  /**
   * @param {object} parts
   *   on       {state, happened, missed, open, lost}: functions; lost gets the reason, '' when nobody answered
   *   fetch    to be replaced in tests
   */
  constructor({ on, fetch = (...args) => globalThis.fetch(...args) }) {
    this._on = on;
    this._fetch = fetch;
    this._tries = 0;
  }

  /** Read the feed of an app from now on, until `close`. */
  open(app) {
    this.close();
    this._tries = 0;
    this._read(app);
  }

  close() {
    clearTimeout(this._timer);
    this._abort?.abort();
    this._abort = null;
  }

  /** Try again now, if a pause is on. */
  hurry() {
    if (!this._again) return;
    clearTimeout(this._timer);
    this._again();
  }

  async _read(app) {
    const abort = (this._abort = new AbortController());
    this._again = null;
    let reason = '';
    try {
      const response = await this._fetch(`/feed?app=${encodeURIComponent(app)}`, { signal: abort.signal });
      if (response.ok) {
        this._tries = 0;
        this._on.open();
        await this._follow(response.body, abort);
      } else {
        reason = await reasonOf(response);
      }
    } catch {
      // The network's failures have no text for people.
    }
    if (abort === this._abort) this._pause(app, reason);
  }

  async _follow(body, abort) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = parser((event, data) => this._on[event]?.(data));
    for (;;) {
      const silence = setTimeout(() => abort.abort(), SILENCE_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done || abort !== this._abort) return;
      parse(value);
    }
  }

  _pause(app, reason) {
    this._on.lost(reason);
    const wait = PAUSES_MS[Math.min(this._tries, PAUSES_MS.length - 1)];
    this._tries += 1;
    this._again = () => this._read(app);
    this._timer = setTimeout(this._again, wait);
  }
}

/** The text of an error of the console; '' when it is none of ours. */
export async function reasonOf(response) {
  try {
    return (await response.json()).error ?? '';
  } catch {
    return '';
  }
}
