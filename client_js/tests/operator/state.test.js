import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newThread, reduceThread } from '../../conversation/thread.js';
import {
  countWaiting, initialState, lastText, longestWaiting, myTickets, queueTickets, reduce, unreadElsewhere, unreadOf, unreadTotal, waitsSince,
} from '../../operator/state.js';
import { message } from '../helpers/fakes.js';

const me = { operator_id: 1, name: 'Olga', max_tickets: 5 };
const working = reduce(initialState, { type: 'enter', me, status: 'online', read: {} });
const play = (...actions) => actions.reduce(reduce, working);
const mine = (id, extra) => ({ type: 'ticket', ticket: { ticket_id: id, visitor_name: `V${id}`, message: 'first', ...extra } });
const thread = (id, count, status = 'active') =>
  reduceThread(newThread(id), {
    type: 'history',
    messages: Array.from({ length: count }, (_, i) => message(i + 1, { id: id * 100 + i, sender_type: 'visitor' })),
    ticket: { ticket_id: id, status, last_seq: count },
  });
const talk = (id, count, { visible = true, status } = {}) => ({ type: 'thread', thread: thread(id, count, status), visible });

test('an assigned ticket is listed once, however often it is told', () => {
  const state = play(mine(2), mine(1), mine(2, { visitor_email: 'a@b' }));
  assert.deepEqual(myTickets(state).map((ticket) => ticket.ticket_id), [1, 2]);
  assert.equal(state.tickets[2].visitor_email, 'a@b');
  assert.equal(state.tickets[2].status, 'active');
});

test('closed chats stand last', () => {
  const state = play(mine(1), mine(2), talk(1, 1, { status: 'closed' }));
  assert.deepEqual(myTickets(state).map((ticket) => ticket.ticket_id), [2, 1]);
});

test('a late answer about one chat never shows in another, nor brings a removed one back', () => {
  const state = play(mine(1), mine(2), { type: 'select', ticketId: 2 }, talk(1, 3), talk(2, 1));
  assert.deepEqual([state.threads[1].messages.length, state.threads[2].messages.length], [3, 1]);
  const removed = reduce(state, { type: 'remove', ticketId: 1 });
  assert.equal(reduce(removed, talk(1, 4)).threads[1], undefined);
});

test('unread is counted by chat and in total, and ends where the operator looks', () => {
  let state = play(mine(1), mine(2), talk(1, 2), talk(2, 1));
  assert.deepEqual([unreadOf(state, 1), unreadOf(state, 2), unreadTotal(state)], [2, 1, 3]);
  state = reduce(state, { type: 'select', ticketId: 1 });
  assert.deepEqual([unreadOf(state, 1), unreadTotal(state)], [0, 1]);
  state = reduce(state, talk(1, 3, { visible: false }));
  assert.equal(unreadOf(state, 1), 1);
  assert.equal(unreadOf(reduce(state, { type: 'seen' }), 1), 0);
  assert.equal(unreadOf(reduce(state, talk(1, 4)), 1), 0);
});

test('the queue holds waiting tickets only, the longest waiting first', () => {
  const waiting = (id) => ({ type: 'queue-ticket', ticket: { ticket_id: id, status: 'waiting', visitor_name: 'V' } });
  let state = play({ type: 'queue', tickets: [{ ticket_id: 5, status: 'waiting' }] }, waiting(4), waiting(4));
  assert.deepEqual(queueTickets(state).map((ticket) => ticket.ticket_id), [4, 5]);
  state = reduce(state, { type: 'queue-ticket', ticket: { ticket_id: 4, status: 'active', operator_id: 2 } });
  assert.deepEqual(queueTickets(state).map((ticket) => ticket.ticket_id), [5]);
  state = reduce(state, mine(5));
  assert.deepEqual(queueTickets(state), []);
  assert.deepEqual(queueTickets(reduce(state, waiting(5))), [], 'a late event about my own ticket');
});

test('a removed chat leaves nothing behind', () => {
  const state = play(mine(1), talk(1, 1), { type: 'select', ticketId: 1 }, { type: 'closing', ticketId: 1, on: true }, { type: 'remove', ticketId: 1 });
  assert.deepEqual([state.tickets, state.threads, state.read, state.current, state.closing], [{}, {}, {}, null, []]);
});

test('a chat that is being closed is in no list, and is not open, until that is taken back', () => {
  const state = play(mine(1), mine(2), { type: 'select', ticketId: 1 }, { type: 'closing', ticketId: 1, on: true });
  assert.deepEqual([myTickets(state).map((ticket) => ticket.ticket_id), state.current, longestWaiting(state)], [[2], null, 2]);
  const back = reduce(state, { type: 'closing', ticketId: 1, on: false });
  assert.deepEqual(myTickets(back).map((ticket) => ticket.ticket_id), [1, 2]);
  assert.deepEqual(reduce(state, { type: 'gone', ticketId: 1 }).closing, [], 'it went to somebody else meanwhile');
});

test('the list shows the last text, a pending one too', () => {
  const state = play(mine(1));
  assert.equal(lastText(state, state.tickets[1]), 'first');
  const known = reduce(state, talk(1, 2));
  assert.equal(lastText(known, known.tickets[1]), 'text 2');
  const pending = reduceThread(thread(1, 1), { type: 'outbox', items: [{ client_id: 'c', content: 'mine' }] });
  assert.equal(lastText(reduce(state, { type: 'thread', thread: pending }), state.tickets[1]), 'mine');
});

test('losing the session leaves no chats on the screen', () => {
  const state = play(mine(1), talk(1, 1), { type: 'status', status: 'away' }, { type: 'login', error: 'expired' });
  assert.deepEqual([state.screen, state.error, state.tickets, state.status], ['login', 'expired', {}, 'away']);
});

test('an unanswered heartbeat is shown until the next is answered', () => {
  const state = play({ type: 'unheard' });
  assert.equal(state.unheard, true);
  const heard = reduce(state, { type: 'heard', maxTickets: 3 });
  assert.deepEqual([heard.unheard, heard.maxTickets], [false, 3]);
});

test('what waits in other chats is counted without the open one', () => {
  const thread = (id, ...seqs) => ({ messages: seqs.map((seq) => message(seq, { ticket_id: id, sender_type: 'visitor' })) });
  const state = { ...initialState, tickets: { 1: { ticket_id: 1 }, 2: { ticket_id: 2 } }, threads: { 1: thread(1, 1, 2), 2: thread(2, 1, 2, 3) }, read: { 2: 1 }, current: 1 };
  assert.equal(unreadElsewhere(state), 2);
});

test('a chat that comes while others are open is new until it is opened', () => {
  const state = play({ ...mine(1), isNew: true }, mine(1), mine(2));
  assert.deepEqual([state.tickets[1].fresh, state.tickets[2].fresh], [true, false]);
  assert.equal(reduce(state, { type: 'select', ticketId: 1 }).tickets[1].fresh, false);
});

test('only what is listed can be opened, and a waiting chat is closed when it waits no more', () => {
  const looked = play({ type: 'queue', tickets: [{ ticket_id: 5, status: 'waiting' }] }, { type: 'select', ticketId: 5 });
  assert.equal(looked.current, 5);
  assert.equal(reduce(looked, { type: 'queue', tickets: [] }).current, null);
  assert.equal(reduce(looked, mine(5)).current, 5, 'it has become mine');
  assert.equal(reduce(looked, { type: 'select', ticketId: 6 }).current, null);
});

test('a chat that has gone stands with the ended ones, and takes the dialog about it away', () => {
  const state = play(mine(1), mine(2), { type: 'select', ticketId: 1 }, { type: 'transfer', ticketId: 1 }, { type: 'gone', ticketId: 1 });
  assert.deepEqual([myTickets(state).map((ticket) => ticket.ticket_id), state.transfer, state.current], [[2, 1], null, 1]);
  assert.equal(reduce(state, mine(1)).tickets[1].access, 'mine', 'until it comes back');
});

test('there is one notice per chat, a few in all, and none about a chat that is mine again', () => {
  const notice = (ticketId, key = 'goneAway') => ({ type: 'notice', notice: { ticketId, key, values: {} } });
  const state = play(notice(1), notice(2), notice(1, 'goneTo'), notice(3), notice(4));
  assert.deepEqual(state.notices.map(({ ticketId, key }) => `${ticketId} ${key}`), ['1 goneTo', '3 goneAway', '4 goneAway']);
  assert.deepEqual(reduce(state, mine(3)).notices.map(({ ticketId }) => ticketId), [1, 4]);
});

test('what is said in the list is what a person said', () => {
  const state = play(mine(1), talk(1, 2));
  const told = reduceThread(state.threads[1], { type: 'message', message: message(3, { sender_type: 'system', code: 'returned' }) });
  assert.equal(lastText(reduce(state, { type: 'thread', thread: told }), state.tickets[1]), 'text 2');
});

const MINUTE = 60_000;
const at = (minutes) => new Date(1_700_000_000_000 + minutes * MINUTE).toISOString();
const spoken = (id, ...who) =>
  reduceThread(newThread(id), {
    type: 'history',
    messages: who.map(([sender_type, minutes], index) => message(index + 1, { id: id * 100 + index, sender_type, created_at: at(minutes) })),
    ticket: { ticket_id: id, status: 'active', last_seq: who.length },
  });
const conversed = (id, ...who) => [mine(id, { created_at: at(0) }), { type: 'thread', thread: spoken(id, ...who), visible: false }];
const ids = (list) => list.map((ticket) => ticket.ticket_id);

test('whoever waits longest for my answer stands first, then the answered ones, the newest first', () => {
  const state = play(
    ...conversed(1, ['visitor', 1], ['operator', 2]),
    ...conversed(2, ['visitor', 3], ['visitor', 9]),
    ...conversed(3, ['visitor', 1], ['operator', 2], ['visitor', 5]),
    ...conversed(4, ['visitor', 1], ['operator', 7], ['system', 8]),
  );
  assert.deepEqual(ids(myTickets(state)), [2, 3, 4, 1]);
  assert.equal(longestWaiting(state), 2);
  assert.equal(longestWaiting(state, 2), 3, 'other than the open one');
});

test('a chat waits from its first unanswered question on, and no more once an answer is on its way', () => {
  const state = play(...conversed(1, ['visitor', 1], ['operator', 2], ['visitor', 3], ['visitor', 4]));
  assert.equal(waitsSince(state, state.tickets[1]), Date.parse(at(3)));
  const sending = reduceThread(state.threads[1], { type: 'outbox', items: [{ client_id: 'c', content: 'x', created_at: at(5) }] });
  const answered = reduce(state, { type: 'thread', thread: sending });
  assert.equal(waitsSince(answered, answered.tickets[1]), null);
  assert.equal(longestWaiting(answered), null);
});

test('a chat whose history has not come yet waits since it began', () => {
  const state = play(mine(1, { created_at: at(4) }));
  assert.equal(waitsSince(state, state.tickets[1]), Date.parse(at(4)));
});

test('what waits are unread messages and those in the queue', () => {
  const state = play(...conversed(1, ['visitor', 1], ['visitor', 2]), ...conversed(2, ['visitor', 1], ['operator', 2]), { type: 'queue', tickets: [{ ticket_id: 5 }, { ticket_id: 6 }] });
  assert.equal(countWaiting(state), 4);
});

test('what was answered elsewhere is not unread here', () => {
  const state = play(...conversed(1, ['visitor', 1], ['operator', 2], ['visitor', 3]));
  assert.equal(unreadOf(state, 1), 1);
});

test('where the new began when a chat was opened is known until another one is', () => {
  let state = play(...conversed(1, ['visitor', 1], ['operator', 2], ['visitor', 3], ['visitor', 4]), mine(2), { type: 'select', ticketId: 1 });
  assert.deepEqual([state.newFrom, unreadOf(state, 1)], [3, 0]);
  state = reduce(state, { type: 'select', ticketId: 1 });
  assert.equal(state.newFrom, 3);
  assert.equal(reduce(state, { type: 'select', ticketId: 2 }).newFrom, null);
});

test('what comes while the end is out of view is unread until it is in view again', () => {
  let state = play(mine(1), talk(1, 1), { type: 'select', ticketId: 1 }, { type: 'scrolled', on: true, visible: true });
  state = reduce(state, talk(1, 3));
  assert.equal(unreadOf(state, 1), 2);
  assert.equal(unreadOf(reduce(state, { type: 'scrolled', on: false, visible: false }), 1), 2, 'the page is hidden');
  assert.equal(unreadOf(reduce(state, { type: 'scrolled', on: false, visible: true }), 1), 0);
  assert.equal(reduce(state, { type: 'select', ticketId: 1 }).scrolled, false, 'a chat opens at its end');
});

test('a chat that was asked for before it is listed is opened when it comes', () => {
  const state = play({ type: 'select', ticketId: 7 });
  assert.deepEqual([state.current, state.wanted], [null, 7]);
  const came = reduce(state, mine(7));
  assert.deepEqual([came.current, came.wanted], [7, null]);
  assert.equal(reduce(state, { type: 'queue', tickets: [{ ticket_id: 7 }] }).current, 7);
  assert.equal(reduce(reduce(state, { type: 'select', ticketId: null }), mine(7)).current, null, 'it is not wanted any more');
});
