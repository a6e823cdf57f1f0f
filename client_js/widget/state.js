/**
 * What the visitor's widget shows, as a value: which screen, which conversation, what is unread.
 *
 * Pure: actions in, a new state out. Knows no page, network or storage.
 */

import { ACTIVE, CLOSED, countUnread, newestSeq, WAITING } from '../conversation/thread.js';

/** Screens. */
export const START = 'start';
export const STARTING = 'starting';
export const RESUMING = 'resuming';
export const CHAT = 'chat';

export const initialState = {
  open: false,
  screen: START,
  /** Key of a text under the start form, or null. */
  error: null,
  /** Keys of texts by field of the start form: what is wrong there. */
  wrong: {},
  /** The visitor is asked whether to end the chat. */
  confirming: false,
  thread: null,
  /** Is an operator there? null until the desk has said it. */
  online: null,
  /** State of the realtime connection; null when none is wanted. */
  connection: null,
  /** Messages up to here were on the visitor's screen. */
  readSeq: 0,
  /** The line "… has joined": {after: seq, name}; null when we did not see it happen. */
  joined: null,
};

export function reduce(state, action) {
  switch (action.type) {
    case 'open':
      return { ...state, open: true, readSeq: readNow(state.thread, state.readSeq) };
    case 'close':
      return { ...state, open: false, confirming: false };
    case 'starting':
      return { ...state, screen: STARTING, error: null, wrong: {} };
    case 'start-failed':
      return { ...state, screen: START, error: action.error ?? null, wrong: action.wrong ?? {} };
    case 'resuming':
      return { ...state, screen: RESUMING, readSeq: action.readSeq };
    case 'thread':
      return withThread(state, action.thread, action.visible);
    case 'seen':
      return state.open ? { ...state, readSeq: readNow(state.thread, state.readSeq) } : state;
    case 'connection':
      return { ...state, connection: action.state };
    case 'desk':
      return { ...state, online: action.online };
    case 'confirm':
      return { ...state, confirming: action.on };
    case 'forget':
      return { ...initialState, open: state.open, online: state.online, error: action.error ?? null };
    default:
      return state;
  }
}

/** Does the visitor wait for somebody, or is about to? */
export function awaits({ screen, thread }) {
  return screen === CHAT ? thread.status === WAITING : screen !== RESUMING;
}

/** Messages of the other side that the visitor has not seen. */
export function unread(state) {
  return state.thread ? countUnread(state.thread, 'operator', state.readSeq) : 0;
}

/** The log from top to bottom: messages, and our own lines as {line, …}. */
export function logItems({ thread, joined, online }) {
  if (!thread) return [];
  const items = [...thread.messages, ...thread.pending];
  if (joined) {
    const place = thread.messages.filter((message) => message.seq <= joined.after).length;
    items.splice(place, 0, { line: 'joined', name: joined.name });
  }
  if (thread.status === WAITING && online === false) items.push({ line: 'away' });
  // Of a chat that was given back the system says so itself.
  else if (thread.status === WAITING && lastNotice(thread)?.code !== 'returned') items.push({ line: 'waiting' });
  if (thread.status === CLOSED) items.push({ line: 'thanks' });
  return items;
}

/** By seq: the operator's name, at their first message and wherever another one has spoken before them. */
export function speakers(messages) {
  const found = new Map();
  let last = null;
  for (const { seq, sender_type: type, sender_name: name } of messages) {
    if (type !== 'operator' || name === last) continue;
    found.set(seq, name);
    last = name;
  }
  return found;
}

function withThread(state, thread, visible) {
  const name = thread.ticket?.operator_name;
  const joins = name && thread.status === ACTIVE && state.thread?.status === WAITING && !isNoticed(thread, name);
  const next = { ...state, thread, joined: joins ? { after: newestSeq(thread), name } : state.joined };
  // Shown as soon as there is anything to show: history, or what waits to be sent.
  if (thread.loaded || thread.messages.length) next.screen = CHAT;
  if (thread.status === CLOSED) next.confirming = false;
  if (state.open && visible) next.readSeq = readNow(thread, state.readSeq);
  return next;
}

/** Does the system say itself that this operator takes over? It does so after a chat was given back, sooner or later than the state. */
function isNoticed(thread, name) {
  const last = lastNotice(thread);
  return last?.code === 'returned' || (last?.code === 'transferred' && last.params.operator_name === name);
}

function lastNotice({ messages }) {
  return messages.findLast((message) => message.sender_type === 'system');
}

function readNow(thread, readSeq) {
  return Math.max(readSeq, thread ? newestSeq(thread) : 0);
}
