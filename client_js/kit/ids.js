/**
 * Ids made by the browser, so that a repeated request is recognised as one.
 */

/** 128 random bits as text. `crypto.randomUUID` is missing on plain-http pages. */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
