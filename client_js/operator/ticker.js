/**
 * Ticks for the heartbeat. Runs as a worker, because browsers slow the timers of a hidden page
 * down to one a minute, and the server would count a working operator as gone.
 */

setInterval(() => postMessage(null), 20_000);
