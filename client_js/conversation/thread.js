/**
 * One conversation as values: what was said, in which order, what is still on its way.
 *
 * Pure: actions in, a new thread out. Both the visitor's widget and the operator's panel keep
 * their conversations in this shape. Knows no network, storage, clock or page.
 */

import { GROWING } from './reading.js';

export const WAITING = 'waiting';
export const ACTIVE = 'active';
export const CLOSED = 'closed';

/** @param {number} ticketId */
export function newThread(ticketId) {
  return {
    ticketId,
    ticket: null,
    /** null until the server has told it. */
    status: null,
    /** Stored messages, one for each id, by seq. */
    messages: [],
    /** All of 1…lastSeq are here; the next catch-up asks for what comes after it. */
    lastSeq: 0,
    /** A message above lastSeq is here, or the ticket says that there is one: something is missing. */
    gap: false,
    /** Own messages that the server has not confirmed: {client_id, content, created_at, state}. */
    pending: [],
    /** The other side is writing at this moment. */
    typing: false,
    /** History has arrived at least once. */
    loaded: false,
    /** 403 or 404 when the server no longer lets us see the ticket. */
    denied: 0,
  };
}

export function reduceThread(thread, action) {
  switch (action.type) {
    case 'history':
      return withTicket(withMessages({ ...thread, loaded: true, denied: 0 }, action.messages), action.ticket);
    case 'message':
      return withMessages({ ...thread, typing: action.own ? thread.typing : false }, [action.message]);
    case 'outbox':
      return { ...thread, pending: action.items.filter((item) => !isStored(thread, item.client_id)) };
    case 'typing':
      return { ...thread, typing: action.on && thread.status !== CLOSED };
    case 'ticket':
      return withTicket(thread, action.ticket);
    case 'denied':
      return { ...thread, denied: action.status, typing: false };
    default:
      return thread;
  }
}

/** Stored messages and then the pending ones: what a person sees. */
export function visibleMessages(thread) {
  return [...thread.messages, ...thread.pending];
}

/** Messages of `senderType` after `readSeq`. */
export function countUnread(thread, senderType, readSeq) {
  return thread.messages.filter((message) => message.seq > readSeq && message.sender_type === senderType).length;
}

/** The highest seq that is here, gaps or not. */
export function newestSeq(thread) {
  return thread.messages.at(-1)?.seq ?? 0;
}

function withMessages(thread, arrived) {
  const known = new Set(thread.messages.map((message) => message.id));
  const fresh = arrived.filter((message) => !known.has(message.id) && known.add(message.id));
  if (!fresh.length) return withoutConfirmed(thread, arrived);
  const messages = [...thread.messages, ...fresh].sort((a, b) => a.seq - b.seq);
  return withoutConfirmed(withSequence({ ...thread, messages }), fresh);
}

function withoutConfirmed(thread, arrived) {
  const confirmed = new Set(arrived.map((message) => message.client_id));
  if (!thread.pending.some((item) => confirmed.has(item.client_id))) return thread;
  return { ...thread, pending: thread.pending.filter((item) => !confirmed.has(item.client_id)) };
}

function withSequence(thread) {
  let lastSeq = thread.lastSeq;
  for (const { seq } of thread.messages) {
    if (seq === lastSeq + 1) lastSeq = seq;
  }
  return { ...thread, lastSeq, gap: lastSeq < Math.max(newestSeq(thread), thread.ticket?.last_seq ?? 0) };
}

/** `ticket` may be a whole ticket or the few fields of an event. A closed ticket never opens again. */
function withTicket(thread, ticket) {
  if (!ticket) return thread;
  const closed = thread.status === CLOSED && ticket.status !== CLOSED;
  const merged = { ...thread.ticket, ...ticket, ...(closed && { status: CLOSED }) };
  // An answer may be older than an event.
  for (const name of GROWING) if (name in merged) merged[name] = Math.max(thread.ticket?.[name] ?? 0, ticket[name] ?? 0);
  const status = merged.status ?? thread.status;
  return withSequence({ ...thread, ticket: merged, status, typing: thread.typing && status !== CLOSED });
}

function isStored(thread, clientId) {
  return thread.messages.some((message) => message.client_id === clientId);
}
