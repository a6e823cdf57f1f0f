/**
 * The operator's calls to the support API. Knows paths and fields; the session is a cookie.
 */

import { request } from '../kit/http.js';
import { Reach } from './reach.js';

/**
 * @param {string} [base] origin of the API; the panel is served by it
 * @param {Reach} [reach] is told how each call went
 */
export function operatorApi(base = '', reach = new Reach()) {
  const get = (path) => reach.watch(request(base + path));
  const post = (path, body = {}, more = {}) => reach.watch(request(base + path, { body, ...more }));

  return {
    authEndpoint: `${base}/auth`,
    userAuthEndpoint: `${base}/user_auth`,
    socketId: () => undefined,

    config: () => get('/config'),
    me: () => get('/operator/me'),
    login: (email, password) => post('/operator/login', { email, password }),
    logout: () => post('/operator/logout'),
    heartbeat: (status, maxTickets) => post('/operator/heartbeat', { status, max_tickets: maxTickets }),
    tickets: () => get('/operator/tickets'),
    queue: () => get('/operator/queue'),
    colleagues: () => get('/operator/colleagues'),

    chat: (ticketId) => get(`/operator/chats/${ticketId}`),
    chats: (filters) => get(`/operator/chats?${new URLSearchParams(filters)}`),
    search: (query, before) => get(`/operator/search?${new URLSearchParams({ q: query, ...(before && { before }) })}`),
    /** Up to 50 messages between these; the first ones, or with `before` the last. */
    part: (ticketId, { after = 0, before }) => get(`/get_messages?${new URLSearchParams({ ticket_id: ticketId, after, limit: 50, ...(before && { before }) })}`),
    history: (ticketId, after) => get(`/get_messages?ticket_id=${ticketId}&after=${after}`),
    // Also when the page goes.
    close: (ticketId) => post('/close_ticket', { ticket_id: ticketId }, { keepalive: true }),
    // Whoever asks for a chat knows how many they have.
    take: (ticketId) => post('/take_ticket', { ticket_id: ticketId, over_limit: true }),
    /** To a colleague, to a group, or with neither to the queue. @param {{operatorId?: number, groupId?: number, note?: string}} where */
    transfer: (ticketId, { operatorId, groupId, note }, overLimit) =>
      post('/transfer_ticket', { ticket_id: ticketId, operator_id: operatorId, group_id: groupId, note, over_limit: overLimit }),
    reopen: (ticketId) => post('/reopen_ticket', { ticket_id: ticketId }),
    notes: (ticketId) => get(`/operator/notes?ticket_id=${ticketId}`),
    groups: () => get('/operator/groups'),

    send(ticketId, { content, client_id }) {
      return post('/send_support_message', { ticket_id: ticketId, content, client_id, socket_id: this.socketId() });
    },

    writeNote: (ticketId, { content, client_id }) => post('/operator/notes', { ticket_id: ticketId, content, client_id }),

    read: (ticketId, seq) => post('/read', { ticket_id: ticketId, seq }),

    typing(ticketId) {
      return post('/typing', { ticket_id: ticketId, socket_id: this.socketId() });
    },
  };
}
