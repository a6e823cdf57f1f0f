/**
 * Addresses within the panel's page: `#/` the lists, `#/chats/17` a chat, `#/search/word` another pane and what follows.
 *
 * Pure: text in, values out. Knows no page and no pane.
 */

/** The pane of lists, chat and visitor. */
export const CHATS = 'chats';

/**
 * @param {string} hash of the page's address, with or without `#`
 * @returns {{pane: string, ticketId: number|null, rest: string[]}} what is no address is that of the lists
 */
export function parseRoute(hash) {
  const [pane = CHATS, ...rest] = hash.replace(/^#?\/?/, '').split('/').filter(Boolean).map(decoded);
  const ticketId = pane === CHATS && /^\d{1,15}$/.test(rest[0] ?? '') ? Number(rest[0]) : null;
  return { pane, ticketId, rest };
}

/** The address of a chat; null: that of the lists. */
export function chatPath(ticketId) {
  return ticketId === null ? '#/' : `#/${CHATS}/${ticketId}`;
}

/** The address of another pane. @param {...string} rest what the pane makes of it */
export function panePath(pane, ...rest) {
  return `#/${[pane, ...rest].map(encodeURIComponent).join('/')}`;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}
