/**
 * What the operator's panel shows, as a value: who works, which chats, the queue, what is unread.
 *
 * Pure: actions in, a new state out. Tickets, threads and the queue are keyed by integer id.
 * Knows no page, network or storage.
 */

import { ACTIVE, CLOSED, countUnread, newestSeq, WAITING } from '../shared/thread.js';

/** Screens. */
export const LOADING = 'loading';
export const LOGIN = 'login';
export const WORK = 'work';

export const initialState = {
  screen: LOADING,
  /** Key of a text under the log-in form, or null. */
  error: null,
  busy: false,
  me: null,
  /** What the operator has chosen: online, away or offline. */
  status: 'online',
  maxTickets: null,
  /** State of the realtime connection. */
  connection: 'connecting',
  /** The last heartbeat was not answered: the server may count us as gone. */
  unheard: false,
  tickets: {},
  threads: {},
  /** By ticket: messages up to here were on the screen. */
  read: {},
  queue: {},
  current: null,
  confirming: false,
};

export function reduce(state, action) {
  switch (action.type) {
    case 'login':
      return { ...initialState, status: state.status, screen: LOGIN, error: action.error ?? null };
    case 'busy':
      return { ...state, busy: true, error: null };
    case 'enter':
      return { ...state, screen: WORK, busy: false, error: null, me: action.me, maxTickets: action.me.max_tickets, read: action.read, status: action.status };
    case 'heard':
      return { ...state, unheard: false, maxTickets: action.maxTickets ?? state.maxTickets };
    case 'unheard':
      return { ...state, unheard: true };
    case 'status':
      return { ...state, status: action.status };
    case 'limit':
      return { ...state, maxTickets: action.maxTickets };
    case 'connection':
      return { ...state, connection: action.state };
    case 'ticket':
      return withTicket(state, action.ticket);
    case 'thread':
      return withThread(state, action.thread, action.visible);
    case 'remove':
      return withoutTicket(state, action.ticketId);
    case 'queue':
      return { ...state, queue: byId(action.tickets) };
    case 'queue-ticket':
      return withQueueTicket(state, action.ticket);
    case 'select':
      return seen({ ...state, current: action.ticketId, confirming: false });
    case 'seen':
      return seen(state);
    case 'confirm':
      return { ...state, confirming: action.on };
    default:
      return state;
  }
}

/** My chats: those with something unread are not moved; oldest first, closed ones last. */
export function myTickets(state) {
  const closed = (ticket) => Number(statusOf(state, ticket.ticket_id) === CLOSED);
  return Object.values(state.tickets).sort((a, b) => closed(a) - closed(b) || a.ticket_id - b.ticket_id);
}

/** Waiting tickets, the longest waiting first. */
export function queueTickets(state) {
  return Object.values(state.queue).sort((a, b) => a.ticket_id - b.ticket_id);
}

export function unreadOf(state, ticketId) {
  const thread = state.threads[ticketId];
  return thread ? countUnread(thread, 'visitor', state.read[ticketId] ?? 0) : 0;
}

export function unreadTotal(state) {
  return myTickets(state).reduce((sum, ticket) => sum + unreadOf(state, ticket.ticket_id), 0);
}

/** What waits in the chats that are not open. */
export function unreadElsewhere(state) {
  return unreadTotal(state) - unreadOf(state, state.current);
}

export function statusOf(state, ticketId) {
  return state.threads[ticketId]?.status ?? state.tickets[ticketId]?.status;
}

/** The text shown under a name in the list. */
export function lastText(state, ticket) {
  const thread = state.threads[ticket.ticket_id];
  return thread?.pending.at(-1)?.content ?? thread?.messages.at(-1)?.content ?? ticket.message ?? '';
}

function withTicket(state, ticket) {
  const id = ticket.ticket_id;
  const { [id]: _, ...queue } = state.queue;
  return { ...state, queue, tickets: { ...state.tickets, [id]: { status: ACTIVE, ...state.tickets[id], ...ticket } } };
}

function withThread(state, thread, visible) {
  const id = thread.ticketId;
  // A late answer about a chat that was taken off the list changes nothing.
  if (!state.tickets[id]) return state;
  const next = { ...state, threads: { ...state.threads, [id]: thread } };
  if (thread.status === CLOSED && state.current === id) next.confirming = false;
  return visible && state.current === id ? seen(next) : next;
}

function withoutTicket(state, id) {
  const { [id]: _ticket, ...tickets } = state.tickets;
  const { [id]: _thread, ...threads } = state.threads;
  const { [id]: _read, ...read } = state.read;
  const current = state.current === id ? null : state.current;
  return { ...state, tickets, threads, read, current, confirming: current !== null && state.confirming };
}

function withQueueTicket(state, ticket) {
  const { [ticket.ticket_id]: known, ...queue } = state.queue;
  if (ticket.status !== WAITING || state.tickets[ticket.ticket_id]) return { ...state, queue };
  return { ...state, queue: { ...queue, [ticket.ticket_id]: { ...known, ...ticket } } };
}

function seen(state) {
  const thread = state.threads[state.current];
  if (!thread) return state;
  const seq = Math.max(state.read[state.current] ?? 0, newestSeq(thread));
  return { ...state, read: { ...state.read, [state.current]: seq } };
}

function byId(tickets) {
  return Object.fromEntries(tickets.map((ticket) => [ticket.ticket_id, ticket]));
}
