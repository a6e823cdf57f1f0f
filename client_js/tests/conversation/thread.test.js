import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countUnread, newestSeq, newThread, reduceThread, visibleMessages } from '../../conversation/thread.js';
import { message } from '../helpers/fakes.js';

const ticket = (extra) => ({ ticket_id: 7, status: 'active', operator_name: 'Olga', last_seq: 0, ...extra });
const play = (...actions) => actions.reduce(reduceThread, newThread(7));
const live = (seq, extra) => ({ type: 'message', message: message(seq, extra) });
const history = (seqs, extra) => ({ type: 'history', messages: seqs.map((seq) => message(seq)), ticket: ticket(extra) });
const seqs = (thread) => thread.messages.map(({ seq }) => seq);

test('a new thread knows nothing and has nothing', () => {
  const thread = newThread(7);
  assert.deepEqual([thread.status, thread.lastSeq, thread.gap, thread.loaded], [null, 0, false, false]);
});

test('a message that comes live and again by history is there once', () => {
  const thread = play(live(1), history([1, 2]), live(2), live(2));
  assert.deepEqual(seqs(thread), [1, 2]);
  assert.equal(thread.lastSeq, 2);
});

test('messages stand in the order of seq, whatever the order of arrival', () => {
  assert.deepEqual(seqs(play(live(3), live(1), live(2))), [1, 2, 3]);
});

test('a hole in the numbering is a gap, and lastSeq stays before it', () => {
  const thread = play(live(1), live(3));
  assert.deepEqual([thread.lastSeq, thread.gap], [1, true]);
  const filled = reduceThread(thread, live(2));
  assert.deepEqual([filled.lastSeq, filled.gap], [3, false]);
});

test('history that does not begin at 1 is a gap', () => {
  assert.equal(play(live(5)).gap, true);
});

test('a ticket that counts more messages than we have is a gap', () => {
  const thread = play(history([1, 2], { last_seq: 4 }));
  assert.equal(thread.gap, true);
  assert.equal(reduceThread(reduceThread(thread, live(3)), live(4)).gap, false);
});

test('an older count of the ticket does not overrule a newer one', () => {
  const thread = play(history([1], { last_seq: 3 }), { type: 'ticket', ticket: ticket({ last_seq: 1 }) });
  assert.equal(thread.gap, true);
});

test('the same action twice changes nothing the second time', () => {
  const once = play(history([1, 2]), live(3));
  assert.deepEqual(reduceThread(once, live(3)), { ...once });
  assert.deepEqual(reduceThread(once, history([1, 2, 3])).messages, once.messages);
});

test('an own message is pending until the stored one with its client id arrives', () => {
  const item = { client_id: 'c1', content: 'mine', created_at: 'now', state: 'sending' };
  const pending = play(history([1]), { type: 'outbox', items: [item] });
  assert.deepEqual(visibleMessages(pending).map(({ content }) => content), ['text 1', 'mine']);
  for (const action of [live(2, { client_id: 'c1' }), { type: 'history', messages: [message(2, { client_id: 'c1' })], ticket: ticket() }]) {
    const done = reduceThread(pending, action);
    assert.deepEqual([done.pending.length, visibleMessages(done).length], [0, 2]);
  }
});

test('a pending message that history already holds does not come back with the queue', () => {
  const thread = play(live(1, { client_id: 'c1' }), { type: 'outbox', items: [{ client_id: 'c1', state: 'retrying' }] });
  assert.equal(thread.pending.length, 0);
});

test('the stored row of a known message still takes its pending one away', () => {
  const thread = { ...play(live(1, { client_id: 'c1' })), pending: [{ client_id: 'c1' }] };
  assert.equal(reduceThread(thread, live(1, { client_id: 'c1' })).pending.length, 0);
});

test('a message of the other tab of the same person is simply shown', () => {
  const thread = play(history([1]), live(2, { sender_type: 'visitor', client_id: 'other-tab' }));
  assert.equal(visibleMessages(thread).length, 2);
});

test('typing shows, and goes with a message of the other side but not with an own one', () => {
  const typing = play({ type: 'typing', on: true });
  assert.equal(typing.typing, true);
  assert.equal(reduceThread(typing, live(1)).typing, false);
  assert.equal(reduceThread(typing, { ...live(1), own: true }).typing, true);
  assert.equal(reduceThread(typing, { type: 'typing', on: false }).typing, false);
});

test('closing ends typing, and a late "is typing" does not bring it back', () => {
  const closed = play({ type: 'typing', on: true }, { type: 'ticket', ticket: { status: 'closed', closed_by: 'operator' } });
  assert.deepEqual([closed.status, closed.typing, closed.ticket.closed_by], ['closed', false, 'operator']);
  assert.equal(reduceThread(closed, { type: 'typing', on: true }).typing, false);
});

test('a closed ticket stays closed when an older answer arrives', () => {
  const thread = play({ type: 'ticket', ticket: ticket({ status: 'closed' }) }, history([1], { status: 'active' }));
  assert.deepEqual([thread.status, thread.ticket.status], ['closed', 'closed']);
  assert.deepEqual(seqs(thread), [1]);
});

test('an event with few fields keeps the others of the ticket', () => {
  const thread = play(history([1]), { type: 'ticket', ticket: { ticket_id: 7, status: 'active', operator_name: 'Ivan' } });
  assert.equal(thread.ticket.operator_name, 'Ivan');
  assert.equal(thread.ticket.ticket_id, 7);
});

test('a refusal is kept until history comes again', () => {
  const denied = play({ type: 'denied', status: 403 });
  assert.equal(denied.denied, 403);
  assert.equal(reduceThread(denied, history([1])).denied, 0);
});

test('unread counts one side after a seq', () => {
  const thread = play(live(1), live(2, { sender_type: 'visitor' }), live(3));
  assert.equal(countUnread(thread, 'operator', 0), 2);
  assert.equal(countUnread(thread, 'operator', 1), 1);
  assert.equal(countUnread(thread, 'visitor', 2), 0);
  assert.equal(newestSeq(thread), 3);
  assert.equal(newestSeq(newThread(1)), 0);
});

test('an unknown action changes nothing', () => {
  const thread = newThread(7);
  assert.equal(reduceThread(thread, { type: 'nonsense' }), thread);
});
