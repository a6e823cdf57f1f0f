import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newThread, reduceThread } from '../../conversation/thread.js';
import { initialState, logItems, reduce, speakers, unread } from '../../widget/state.js';
import { message } from '../helpers/fakes.js';

const thread = (status, seqs, extra = {}) =>
  reduceThread(newThread(7), {
    type: 'history',
    messages: seqs.map((seq) => message(seq)),
    ticket: { ticket_id: 7, status, operator_name: status === 'waiting' ? null : 'Olga', last_seq: seqs.length, ...extra },
  });
const play = (...actions) => actions.reduce(reduce, initialState);
const shown = (value, visible = true) => ({ type: 'thread', thread: value, visible });

test('at first there is a start form, closed', () => {
  assert.deepEqual([initialState.screen, initialState.open, unread(initialState)], ['start', false, 0]);
});

test('a failed start comes back to the form with its reason', () => {
  const state = play({ type: 'open' }, { type: 'starting' }, { type: 'start-failed', error: 'unreachable' });
  assert.deepEqual([state.screen, state.error, state.open], ['start', 'unreachable', true]);
  assert.equal(reduce(state, { type: 'starting' }).error, null);
});

test('history brings the chat to the screen', () => {
  assert.equal(play({ type: 'resuming', readSeq: 0 }, shown(newThread(7))).screen, 'resuming');
  assert.equal(play({ type: 'resuming', readSeq: 0 }, shown(thread('active', [1]))).screen, 'chat');
});

test('unread counts while the window is closed or the page hidden, and ends on opening', () => {
  const closed = play({ type: 'resuming', readSeq: 1 }, shown(thread('active', [1, 2, 3])));
  assert.equal(unread(closed), 2);
  const open = reduce(closed, { type: 'open' });
  assert.deepEqual([unread(open), open.readSeq], [0, 3]);
  const hidden = reduce(open, shown(thread('active', [1, 2, 3, 4]), false));
  assert.equal(unread(hidden), 1);
  assert.equal(unread(reduce(hidden, { type: 'seen' })), 0);
  assert.equal(unread(reduce(closed, { type: 'seen' })), 2);
});

test('the line about the operator stands where he joined', () => {
  const waiting = play(shown(thread('waiting', [1])));
  assert.deepEqual(logItems(waiting).map((item) => item.line ?? item.seq), [1, 'waiting']);
  const joined = reduce(waiting, shown(thread('active', [1])));
  assert.deepEqual(logItems(joined).map((item) => item.line ?? item.seq), [1, 'joined']);
  const later = reduce(joined, shown(thread('active', [1, 2])));
  assert.deepEqual(logItems(later).map((item) => item.line ?? item.seq), [1, 'joined', 2]);
});

test('the line about the operator keeps the name of the one who joined', () => {
  const joined = play(shown(thread('waiting', [1])), shown(thread('active', [1])));
  const named = shown(thread('active', [1]));
  named.thread.ticket = { ...named.thread.ticket, operator_name: 'Boris' };
  const name = logItems(joined).at(-1).name;
  assert.equal(logItems(reduce(joined, named)).at(-1).name, name);
  assert.notEqual(name, 'Boris');
});

test('who takes over a chat that was given back has the system\'s line alone, whichever comes first', () => {
  const returned = message(2, { sender_type: 'system', code: 'returned', params: {} });
  const taken = message(3, { sender_type: 'system', code: 'transferred', params: { operator_name: 'Olga' } });
  const at = (status, ...messages) => ({ ...thread(status, [1]), messages: [message(1), ...messages] });
  const lines = (...threads) => logItems(play(...threads.map((one) => shown(one)))).map((item) => item.line ?? item.seq);
  assert.deepEqual(lines(at('waiting', returned), at('active', returned), at('active', returned, taken)), [1, 2, 3]);
  assert.deepEqual(lines(at('waiting', returned), at('waiting', returned, taken), at('active', returned, taken)), [1, 2, 3]);
  const toAnother = { ...taken, params: { operator_name: 'Boris' } };
  assert.deepEqual(lines(at('waiting', returned, toAnother), at('active', returned, toAnother)), [1, 2, 3, 'joined']);
});

test('a chat that was given back waits by the system\'s line alone, unless nobody is there', () => {
  const returned = message(2, { sender_type: 'system', code: 'returned', params: {} });
  const state = play(shown({ ...thread('waiting', [1]), messages: [message(1), returned] }));
  const lines = (one) => logItems(one).map((item) => item.line ?? item.seq);
  assert.deepEqual(lines(state), [1, 2]);
  assert.deepEqual(lines(reduce(state, { type: 'desk', online: false })), [1, 2, 'away']);
});

test('a resumed chat has no line about joining', () => {
  assert.deepEqual(logItems(play(shown(thread('active', [1])))).map((item) => item.line ?? item.seq), [1]);
});

test('a closed chat ends with thanks and takes the question away', () => {
  const state = play(shown(thread('active', [1])), { type: 'confirm', on: true }, shown(thread('closed', [1])));
  assert.equal(state.confirming, false);
  assert.equal(logItems(state).at(-1).line, 'thanks');
});

test('forgetting a chat keeps the window open and tells why', () => {
  const state = play({ type: 'open' }, shown(thread('closed', [1])), { type: 'forget', error: 'gone' });
  assert.deepEqual([state.open, state.screen, state.thread, state.error], [true, 'start', null, 'gone']);
});

test('closing the window takes the question away', () => {
  assert.equal(play({ type: 'open' }, { type: 'confirm', on: true }, { type: 'close' }).confirming, false);
  assert.deepEqual(logItems(initialState), []);
  assert.equal(reduce(initialState, { type: 'nonsense' }), initialState);
});

test('the operator\'s name stands above his message when another one spoke before him', () => {
  const said = (...names) => names.map((name, index) => message(index + 1, name ? { sender_name: name } : { sender_type: 'visitor', sender_name: 'Ann' }));
  const shownNames = (...names) => [...speakers(said(...names))].map(([seq, name]) => `${seq} ${name}`);
  assert.deepEqual(shownNames(null, 'Olga', 'Olga', null, 'Olga', 'Boris', 'Olga'), ['2 Olga', '6 Boris', '7 Olga']);
});
