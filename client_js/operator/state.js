/**
 * What the operator's panel shows, as a value: who works, which chats, the queue, what is unread.
 *
 * Pure: actions in, a new state out. Tickets, threads and the queue are keyed by integer id.
 * Knows no page, network or storage.
 */

import { ACTIVE, CLOSED, countUnread, newestSeq, WAITING } from '../conversation/thread.js';

/** Screens. */
export const LOADING = 'loading';
export const LOGIN = 'login';
export const WORK = 'work';

/** What a chat in the list is to its operator. */
export const MINE = 'mine';
/** It went to somebody else, and there is text of ours that was not sent. */
export const GONE = 'gone';

/** Notices on the screen at most; the oldest go. */
export const MAX_NOTICES = 3;

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
  /** The server does not answer: it may count us as gone. */
  unheard: false,
  tickets: {},
  threads: {},
  /** By ticket: messages up to here were on the screen. */
  read: {},
  /** By ticket: how often its draft was changed by something else than its field. */
  drafts: {},
  /** By ticket: what operators noted about it, oldest first. */
  notes: {},
  /** By ticket: what is written about it now is a note; {error}: key of a text or null. */
  noting: {},
  queue: {},
  /** Which lists have arrived at least once. */
  listed: { mine: false, queue: false },
  /** The chat that is open: one of mine, or one that waits. */
  current: null,
  /** The chat that was asked for, by its address for example, and is not in any list; null: none. */
  wanted: null,
  /** The first message of the open chat, by seq, that was unread when it was opened; null: there was none. */
  newFrom: null,
  /** The end of the open chat is out of view: what comes now is not read yet. */
  scrolled: false,
  /** The hand-over that is being chosen, see `newTransfer`, or null. */
  transfer: null,
  /** Chats of mine that are about to be closed, see closing.js; they are in no list. */
  closing: [],
  /** The waiting ticket that is being taken, or null. */
  taking: null,
  /** What happened to chats without the operator's doing: {ticketId, key, values}, one per ticket. */
  notices: [],
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
    default:
      return reduceChats(state, action);
  }
}

function reduceChats(state, action) {
  switch (action.type) {
    case 'ticket':
      return found(withTicket(state, action.ticket, action.isNew));
    case 'listed':
      return { ...state, listed: { ...state.listed, [action.list]: true } };
    case 'thread':
      return withThread(state, action.thread, action.visible);
    case 'closing':
      return action.on ? withClosing(state, action.ticketId) : withoutClosing(state, action.ticketId);
    case 'gone':
      return withGone(state, action.ticketId);
    case 'remove':
      return withoutTicket(state, action.ticketId);
    case 'queue':
      return found(leftQueue({ ...state, queue: byId(action.tickets) }));
    case 'queue-ticket':
      return found(leftQueue(withQueueTicket(state, action.ticket)));
    case 'select':
      return seen({ ...opened(state, action.ticketId), transfer: null });
    case 'scrolled':
      return action.visible && !action.on ? seen({ ...state, scrolled: false }) : { ...state, scrolled: action.on };
    case 'seen':
      return seen(state);
    case 'read':
      return withRead(state, action.read);
    case 'draft':
      return { ...state, drafts: { ...state.drafts, [action.ticketId]: (state.drafts[action.ticketId] ?? 0) + 1 } };
    case 'notes':
      return withNotes(state, action.ticketId, action.notes);
    case 'noting':
      return { ...state, noting: { ...state.noting, [action.ticketId]: action.noting } };
    default:
      return reduceHandOver(state, action);
  }
}

function reduceHandOver(state, action) {
  switch (action.type) {
    case 'transfer':
      return { ...state, transfer: action.ticketId && newTransfer(action.ticketId) };
    case 'transfer-changed':
      return state.transfer?.ticketId === action.ticketId ? { ...state, transfer: { ...state.transfer, ...action.change } } : state;
    case 'taking':
      return { ...state, taking: action.ticketId };
    case 'notice':
      return { ...state, notices: [...otherNotices(state, action.notice.ticketId), action.notice].slice(-MAX_NOTICES) };
    case 'notice-read':
      return { ...state, notices: otherNotices(state, action.ticketId) };
    default:
      return state;
  }
}

/** My chats: whoever waits longest for my answer first, then the answered ones, the newest first; ended ones last. */
export function myTickets(state) {
  const open = Object.values(state.tickets).filter((ticket) => !state.closing.includes(ticket.ticket_id));
  const keys = new Map(open.map((ticket) => [ticket, orderOf(state, ticket)]));
  return [...keys.keys()].sort((a, b) => byKeys(keys.get(a), keys.get(b)));
}

/** [place, time, id]; smaller ones stand first. */
function orderOf(state, ticket) {
  const id = ticket.ticket_id;
  if (isEnded(state, ticket)) return [2, 0, id];
  const since = waitsSince(state, ticket);
  return since === null ? [1, -timeOf(lastSpoken(state.threads[id])), id] : [0, since, id];
}

function byKeys(a, b) {
  const place = a.findIndex((part, index) => part !== b[index]);
  return place < 0 ? 0 : a[place] - b[place];
}

/** Has it ended for me: closed, or somebody else's by now? */
export function isEnded(state, ticket) {
  return ticket.access === GONE || statusOf(state, ticket.ticket_id) === CLOSED;
}

/** Since when the visitor of an open chat of mine waits for an answer, milliseconds of the epoch; null: they do not. */
export function waitsSince(state, ticket) {
  const thread = state.threads[ticket.ticket_id];
  if (!thread?.messages.length) return timeOf(ticket);
  const answer = thread.messages.findLastIndex(({ sender_type }) => sender_type === 'operator');
  const question = thread.messages.slice(answer + 1).find(({ sender_type }) => sender_type === 'visitor');
  return question && !thread.pending.length ? timeOf(question) : null;
}

/** What a person said last in a chat, sent or not; undefined where nobody did. */
export function lastSpoken(thread) {
  return thread?.pending.at(-1) ?? thread?.messages.findLast((message) => message.sender_type !== 'system');
}

function timeOf(row) {
  return Date.parse(row?.created_at) || 0;
}

/** The chat of mine whose visitor waits longest, or null. @param {number|null} [except] a chat that is not meant */
export function longestWaiting(state, except = null) {
  const first = myTickets(state).find((ticket) => ticket.ticket_id !== except);
  return first && orderOf(state, first)[0] === 0 ? first.ticket_id : null;
}

/** What waits for this operator: unread messages, and whoever is in the queue. */
export function countWaiting(state) {
  return unreadTotal(state) + Object.keys(state.queue).length;
}

/** Waiting tickets, the longest waiting first. */
export function queueTickets(state) {
  return Object.values(state.queue).sort((a, b) => a.ticket_id - b.ticket_id);
}

/** What the visitor wrote and was neither on the screen nor answered, here or elsewhere. */
export function unreadOf(state, ticketId) {
  const thread = state.threads[ticketId];
  return thread ? countUnread(thread, 'visitor', readUpTo(state, ticketId)) : 0;
}

/** Up to this seq a chat is known to be read: it was on the screen, here or where the desk knows of, or answered. */
function readUpTo(state, ticketId) {
  const { messages, ticket } = state.threads[ticketId];
  const answered = messages.findLast(({ sender_type }) => sender_type === 'operator')?.seq ?? 0;
  return Math.max(answered, state.read[ticketId] ?? 0, ticket?.operator_read_seq ?? 0);
}

function firstUnread(state, ticketId) {
  if (!unreadOf(state, ticketId)) return null;
  const read = readUpTo(state, ticketId);
  return state.threads[ticketId].messages.find(({ seq, sender_type }) => seq > read && sender_type === 'visitor').seq;
}

export function unreadTotal(state) {
  return Object.values(state.tickets).reduce((sum, ticket) => sum + unreadOf(state, ticket.ticket_id), 0);
}

/** What waits in the chats that are not open. */
export function unreadElsewhere(state) {
  return unreadTotal(state) - unreadOf(state, state.current);
}

export function statusOf(state, ticketId) {
  return state.threads[ticketId]?.status ?? state.tickets[ticketId]?.status;
}

/** The text shown under a name in the list: what a person wrote last. */
export function lastText(state, ticket) {
  return lastSpoken(state.threads[ticket.ticket_id])?.content ?? ticket.message ?? '';
}

/** Would a further chat be more than this colleague wants at once? */
export function isFull(colleague) {
  return colleague.active_tickets >= colleague.max_tickets;
}

function newTransfer(ticketId) {
  return {
    ticketId,
    /** Null while they are loaded. */
    colleagues: null,
    groups: null,
    /** What the next one shall read. */
    note: '',
    /** The colleague over whose limit the chat would be, until the operator has answered. */
    asking: null,
    busy: false,
    /** Key of a text, or null. */
    error: null,
  };
}

function withTicket(state, ticket, isNew) {
  const id = ticket.ticket_id;
  const { [id]: waited, ...queue } = state.queue;
  const fresh = isNew ? state.current !== id : Boolean(state.tickets[id]?.fresh);
  const merged = { status: ACTIVE, ...waited, ...state.tickets[id], ...ticket, access: MINE, fresh };
  if (waited) merged.status = ticket.status ?? ACTIVE;
  const next = { ...state, queue, tickets: { ...state.tickets, [id]: merged }, notices: otherNotices(state, id) };
  return state.taking === id ? { ...next, taking: null } : next;
}

function withThread(state, thread, visible) {
  const id = thread.ticketId;
  // A late answer about a chat that was taken off the list changes nothing.
  if (!state.tickets[id]) return state;
  const next = { ...state, threads: { ...state.threads, [id]: thread } };
  if (thread.status === CLOSED && state.current === id) next.transfer = null;
  return visible && state.current === id ? seen(next) : next;
}

function withGone(state, id) {
  const ticket = state.tickets[id];
  if (!ticket) return state;
  const next = { ...withoutClosing(state, id), tickets: { ...state.tickets, [id]: { ...ticket, access: GONE, fresh: false } } };
  return state.current === id ? { ...next, transfer: null } : next;
}

function withClosing(state, id) {
  const next = { ...state, closing: [...state.closing, id] };
  return state.current === id ? { ...next, current: null, transfer: null } : next;
}

function withoutClosing(state, id) {
  return { ...state, closing: state.closing.filter((each) => each !== id) };
}

function withoutTicket(state, id) {
  const { [id]: _ticket, ...tickets } = state.tickets;
  const { [id]: _read, ...read } = state.read;
  const { [id]: _draft, ...drafts } = state.drafts;
  const { [id]: _thread, ...threads } = state.threads;
  const next = { ...withoutClosing(state, id), threads, tickets, read, drafts };
  return state.current === id ? { ...next, current: null, transfer: null } : next;
}

function withQueueTicket(state, ticket) {
  const id = ticket.ticket_id;
  const { [id]: known, ...queue } = state.queue;
  if (ticket.status !== WAITING || state.tickets[id]?.access === MINE) return { ...state, queue };
  return { ...state, queue: { ...queue, [id]: { ...known, ...ticket } } };
}

function withNotes(state, id, arrived) {
  const all = new Map([...(state.notes[id] ?? []), ...arrived].map((note) => [note.id, note]));
  return { ...state, notes: { ...state.notes, [id]: [...all.values()].sort((a, b) => a.id - b.id) } };
}

/** The chat that was asked for has come. */
function found(state) {
  return state.wanted !== null && isListed(state, state.wanted) ? seen(opened(state, state.wanted)) : state;
}

/** The open chat waits no more and is not mine: there is nothing left to look at. */
function leftQueue(state) {
  const { current } = state;
  return current === null || isListed(state, current) ? state : { ...state, current: null };
}

function opened(state, id) {
  if (!isListed(state, id)) return { ...state, current: null, wanted: id };
  const ticket = state.tickets[id];
  const tickets = ticket?.fresh ? { ...state.tickets, [id]: { ...ticket, fresh: false } } : state.tickets;
  const newFrom = state.current === id ? state.newFrom : firstUnread(state, id);
  return { ...state, tickets, current: id, wanted: null, scrolled: false, newFrom };
}

function isListed(state, id) {
  return Boolean(state.tickets[id] ?? state.queue[id]);
}

function seen(state) {
  const thread = state.threads[state.current];
  if (!thread || state.scrolled) return state;
  const seq = Math.max(state.read[state.current] ?? 0, newestSeq(thread));
  if (seq === state.read[state.current]) return state;
  return { ...state, read: { ...state.read, [state.current]: seq } };
}

/** What was read in another tab is read. */
function withRead(state, other) {
  const further = Object.entries(other).filter(([id, seq]) => state.tickets[id] && seq > (state.read[id] ?? 0));
  return further.length ? { ...state, read: { ...state.read, ...Object.fromEntries(further) } } : state;
}

function otherNotices(state, ticketId) {
  return state.notices.filter((notice) => notice.ticketId !== ticketId);
}

function byId(tickets) {
  return Object.fromEntries(tickets.map((ticket) => [ticket.ticket_id, ticket]));
}
