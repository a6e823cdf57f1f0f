/**
 * Small rules of time. Knows nothing of what is timed.
 */

const BASE_MS = 1000;
const MAX_MS = 30_000;

/** Wait before the next try, milliseconds: doubling, at least half of it for certain. */
export function backoff(attempt, random = Math.random) {
  const whole = Math.min(MAX_MS, BASE_MS * 2 ** Math.min(attempt, 10));
  return whole / 2 + (random() * whole) / 2;
}

/** A function that calls `act` at most once in `ms`; what comes in between is dropped. `shorten(pause)`: once, that pause is enough. */
export function throttle(ms, act) {
  let last = -Infinity;
  let wait = ms;
  const often = () => {
    const now = Date.now();
    if (now - last < wait) return;
    last = now;
    wait = ms;
    act();
  };
  often.shorten = (pause) => {
    wait = pause;
  };
  return often;
}
