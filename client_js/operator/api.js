/**
 * The operator's calls to the support API. Knows paths and fields; the session is a cookie.
 */

import { request } from '../shared/http.js';

/** @param {string} [base] origin of the API; the panel is served by it */
export function operatorApi(base = '') {
  const post = (path, body = {}) => request(base + path, { body });

  return {
    authEndpoint: `${base}/auth`,
    socketId: () => undefined,

    config: () => request(`${base}/config`),
    me: () => request(`${base}/operator/me`),
    login: (email, password) => post('/operator/login', { email, password }),
    logout: () => post('/operator/logout'),
    heartbeat: (status, maxTickets) => post('/operator/heartbeat', { status, max_tickets: maxTickets }),
    tickets: () => request(`${base}/operator/tickets`),
    queue: () => request(`${base}/operator/queue`),

    history: (ticketId, after) => request(`${base}/get_messages?ticket_id=${ticketId}&after=${after}`),
    close: (ticketId) => post('/close_ticket', { ticket_id: ticketId }),

    send(ticketId, { content, client_id }) {
      return post('/send_support_message', { ticket_id: ticketId, content, client_id, socket_id: this.socketId() });
    },

    typing(ticketId) {
      return post('/typing', { ticket_id: ticketId, socket_id: this.socketId() });
    },
  };
}
