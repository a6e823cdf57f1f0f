/**
 * The wire: Pusher protocol 7 as text, and the rules for coming back after a close.
 *
 * Pure. Knows no socket, timer, clock or channel object; chance comes in as an argument.
 */

export const PROTOCOL_VERSION = 7;
export const CLIENT_NAME = 'pushler-js';
export const CLIENT_VERSION = '0.1.0';

/** First wait of the back-off, milliseconds; it doubles with each failed attempt. */
export const BACKOFF_BASE_MS = 1000;
/** Upper bound of one wait, milliseconds. */
export const BACKOFF_MAX_MS = 30_000;
/** A server that asks us to come back at once gets us within this time, milliseconds. */
export const SOON_JITTER_MS = 500;
/** So many returns "at once" in a row are believed; then the ordinary back-off rules. */
export const SOON_ATTEMPTS = 3;

/** Close codes that say "an unchanged client is not welcome". */
export const NEVER = 'never';
export const BACKOFF = 'backoff';
export const SOON = 'soon';

/** The address of the relay for one application key. */
export function socketUrl({ tls, host, port, path = '', key }) {
  const query = `protocol=${PROTOCOL_VERSION}&client=${CLIENT_NAME}&version=${CLIENT_VERSION}`;
  return `${tls ? 'wss' : 'ws'}://${host}:${port}${path}/app/${encodeURIComponent(key)}?${query}`;
}

/**
 * One frame's text → {event, channel?, data, user_id?}, or null when it is not a message.
 * `data` is usually JSON inside a string; text that is not JSON stays text.
 */
export function decode(text) {
  const message = parse(text);
  if (typeof message?.event !== 'string') return null;
  if (typeof message.data === 'string') {
    const data = parse(message.data);
    if (data !== undefined) message.data = data;
  }
  return message;
}

/** A message for the relay, as text. `channel` belongs to client events only. */
export function encode(event, data = {}, channel = undefined) {
  return JSON.stringify({ event, channel, data });
}

/** System events are called `pushler:…` in user code; all other names pass unchanged. */
export function publicName(event) {
  return event.replace(/^pusher(_internal)?:/, 'pushler:');
}

/**
 * Whether an error only repeats that the subscription to `channel` was refused: the relay says it a second time for clients
 * that know no subscription_error. Null: no refusal came before.
 */
export function repeatsRefusal({ code, message, channel: own }, channel) {
  return channel !== null && code === null && own === undefined && String(message).startsWith(`Subscription to channel ${channel} refused`);
}

/** The kind of a channel is its prefix: 'presence', 'private' or 'public'. */
export function channelKind(name) {
  return /^(presence|private)-/.exec(name)?.[1] ?? 'public';
}

/** What a close code asks of us: never again, after a back-off, or at once. */
export function closeAction(code) {
  if (code >= 4000 && code < 4100) return NEVER;
  return code >= 4200 && code < 4300 ? SOON : BACKOFF;
}

/**
 * Milliseconds to wait before the next attempt: full jitter, so that clients that fell together
 * do not return together.
 *
 * @param {number} code    close code of the connection that was lost
 * @param {number} attempt attempts since the last good connection, from 0
 * @param {() => number} random in [0, 1)
 */
export function reconnectDelay(code, attempt, random) {
  if (closeAction(code) === SOON && attempt < SOON_ATTEMPTS) return random() * SOON_JITTER_MS;
  const spread = random() * Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.min(attempt, 10));
  // 41xx: the server is over capacity and wants at least a second of peace.
  return code >= 4100 && code < 4200 ? BACKOFF_BASE_MS + spread : spread;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
