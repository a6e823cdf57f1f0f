/** What an event that a page sends to the other subscribers must be. */

/** @throws {TypeError} for the programmer: the relay would refuse it */
export function ensureClientEvent({ name, kind }, event) {
  if (!event.startsWith('client-')) throw new TypeError(`a client event's name starts with "client-": ${event}`);
  if (kind === 'public') throw new TypeError(`client events need a private or presence channel: ${name}`);
}
