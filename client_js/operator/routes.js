/**
 * Addresses within the panel's page: `#/` the lists, `#/chats/17` a chat, `#/chats/17?message=42` its message with this seq,
 * `#/search/word` another pane and what follows.
 *
 * Pure: text in, values out. Knows no page and no pane.
 */

/** The pane of lists, chat and visitor. */
export const CHATS = 'chats';

/**
 * @param {string} hash of the page's address, with or without `#`
 * @returns {{pane: string, ticketId: number|null, message: number|null, rest: string[]}} what is no address is that of the lists
 */
export function parseRoute(hash) {
  const [path, query = ''] = hash.split('?', 2);
  const [pane = CHATS, ...rest] = path.replace(/^#?\/?/, '').split('/').filter(Boolean).map(decoded);
  const ticketId = pane === CHATS ? numberIn(rest[0]) : null;
  const message = ticketId && numberIn(new URLSearchParams(query).get('message'));
  return { pane, ticketId, message, rest };
}

/** The address of a chat, or of its message with this seq; null: that of the lists. */
export function chatPath(ticketId, message = null) {
  if (ticketId === null) return '#/';
  return `#/${CHATS}/${ticketId}${message === null ? '' : `?message=${message}`}`;
}

/** The address of another pane. @param {...string} rest what the pane makes of it */
export function panePath(pane, ...rest) {
  return `#/${[pane, ...rest].map(encodeURIComponent).join('/')}`;
}

function numberIn(text) {
  return /^\d{1,15}$/.test(text ?? '') ? Number(text) : null;
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}
