/**
 * How long a message may be. The server has the last word; this spares people its refusal.
 */

/** Characters of one message; one that takes two UTF-16 units counts once. */
export const MAX_CONTENT = 4000;
/** Bytes of one message as JSON, its quotes and escapes too: it has to fit into an event. */
export const MAX_CONTENT_BYTES = 9000;

export function isTooLong(text) {
  const content = text.trim();
  return [...content].length > MAX_CONTENT || new TextEncoder().encode(JSON.stringify(content)).length > MAX_CONTENT_BYTES;
}
