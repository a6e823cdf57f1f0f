/**
 * The visitor's calls to the support API.
 *
 * Knows paths, fields and the visitor's token. The token goes as a header, so the widget works on
 * other sites too; cookies go along only with the call that opens a ticket, where a known visitor
 * is recognised by them. Elsewhere they could only make us somebody else: an operator who tries
 * the widget in their own browser is a visitor here.
 */

import { request } from '../kit/http.js';

/**
 * @param {string} base origin of the support API
 * @param {{get(): string|null, set(token: string): void}} token
 */
export function visitorApi(base, token) {
  const authorization = () => (token.get() ? { Authorization: `Bearer ${token.get()}` } : {});
  const call = (path, body) =>
    request(base + path, { body, headers: authorization(), credentials: token.get() ? 'omit' : 'same-origin' });

  return {
    authEndpoint: `${base}/auth`,
    authorization,
    socketId: () => undefined,

    /** {online}: is an operator there? */
    status: () => request(`${base}/desk_status`, { credentials: 'omit' }),

    config: () => request(`${base}/config`, { credentials: 'omit' }),

    async create(draft) {
      const answer = await request(`${base}/create_ticket`, { body: draft, headers: authorization() });
      token.set(answer.visitor_token);
      return answer;
    },

    send(ticketId, { content, client_id }) {
      return call('/send_support_message', { ticket_id: ticketId, content, client_id, socket_id: this.socketId() });
    },

    typing(ticketId) {
      return call('/typing', { ticket_id: ticketId, socket_id: this.socketId() });
    },

    read: (ticketId, seq) => call('/read', { ticket_id: ticketId, seq }),

    history: (ticketId, after) => call(`/get_messages?ticket_id=${ticketId}&after=${after}`),

    reopen: (ticketId) => call('/reopen_ticket', { ticket_id: ticketId }),

    close: (ticketId) => call('/close_ticket', { ticket_id: ticketId }),
  };
}
