import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { myTickets, queueTickets, unreadOf } from '../../operator/state.js';
import { SEEN_AFTER_MS } from '../../conversation/conversation.js';
import { HttpError } from '../../kit/http.js';
import { memoryStorage, message, settle } from '../helpers/fakes.js';
import { Socket, assign, ids, notes, panel, server, tell, tick, useFakeDesk, working } from '../helpers/panel.js';

useFakeDesk();

test('without a session the log-in form is shown, a wrong password is told', async () => {
  server.me = () => Promise.reject(new HttpError(401));
  const controller = panel();
  await controller.load();
  assert.equal(controller.state.screen, 'login');
  server.login = () => Promise.reject(new HttpError(401));
  await controller.login('a', 'b');
  assert.deepEqual([controller.state.error, controller.state.busy], ['wrongLogin', false]);
  server.login = () => Promise.reject(new HttpError(429));
  await controller.login('a', 'b');
  assert.equal(controller.state.error, 'tooManyTries');
});

test('after F5 my chats and the queue are back, and each chat\'s channel is joined', async () => {
  server.mine = [{ ticket_id: 3 }, { ticket_id: 4 }];
  server.waiting = [{ ticket_id: 5, status: 'waiting' }];
  const { state } = await working();
  assert.deepEqual([ids(myTickets(state)), ids(queueTickets(state))], [[3, 4], [5]]);
  assert.deepEqual(Socket.last.subscribed, ['private-operator-1', 'private-support-queue', 'private-ticket-3', 'private-ticket-4']);
  assert.deepEqual(server.beats[0], ['online', undefined]);
});

test('a ticket\'s channel is joined at its assignment, and its messages count as unread', async () => {
  const controller = await working();
  await assign(7);
  assert.ok(Socket.last.subscribed.includes('private-ticket-7'));
  await tell('private-ticket-7', 'message:new', { message: message(1, { sender_type: 'visitor' }) });
  assert.equal(unreadOf(controller.state, 7), 1);
  assert.deepEqual(notes, ['assigned 7', 'message 7']);
});

test('the same assignment told twice, by two channels and with a text id, is one chat and one sound', async () => {
  const controller = await working();
  await assign(7);
  await assign('7');
  await tell('private-support-queue', 'ticket:new', { ticket_id: 7, status: 'active', operator_id: 1 });
  assert.deepEqual([ids(myTickets(controller.state)), notes], [[7], ['assigned 7']]);
});

test('the queue follows its events, and only new ones make a sound', async () => {
  const controller = await working();
  await tell('private-support-queue', 'ticket:new', { ticket_id: 8, status: 'waiting', operator_id: null });
  await tell('private-support-queue', 'ticket:new', { ticket_id: 9, status: 'active', operator_id: 2 });
  assert.deepEqual([ids(queueTickets(controller.state)), notes], [[8], ['queued 8']]);
  await tell('private-support-queue', 'ticket:updated', { ticket_id: 8, status: 'active', operator_id: 2 });
  assert.deepEqual(queueTickets(controller.state), []);
});

test('after a reconnect the lists are read again and what was missed appears', async () => {
  const controller = await working();
  Socket.last.drop();
  server.mine = [{ ticket_id: 7 }];
  mock.timers.tick(1000);
  Socket.last.greet('2.2');
  await settle();
  Socket.last.confirm('private-operator-1');
  await settle();
  assert.deepEqual(ids(myTickets(controller.state)), [7]);
});

test('an own message goes to the chat it was written in, whatever is open when the answer comes', async () => {
  server.mine = [{ ticket_id: 3 }, { ticket_id: 4 }];
  const controller = await working();
  controller.select(3);
  controller.send(3, ' hello ');
  controller.select(4);
  await settle();
  const { threads } = controller.state;
  assert.deepEqual([threads[3].messages.map(({ content }) => content), threads[4].messages], [['hello'], []]);
});

test('closing takes the chat off the list and leaves its channel; a failure keeps it', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  server.close = () => Promise.reject(new HttpError(0));
  await controller.closeTicket(3);
  assert.deepEqual(ids(myTickets(controller.state)), [3]);
  server.close = async () => ({});
  await controller.closeTicket(3);
  assert.deepEqual(myTickets(controller.state), []);
  assert.deepEqual(Socket.last.sentEvents('pusher:unsubscribe').map((sent) => sent.data.channel), ['private-ticket-3']);
});

test('a chat closed elsewhere is shown until it is taken off the list', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await tell('private-ticket-3', 'ticket:closed', { ticket_id: 3, closed_by: 'visitor' });
  assert.equal(controller.state.threads[3].status, 'closed');
  controller.dismiss(3);
  assert.deepEqual(myTickets(controller.state), []);
});

test('a chat that is no longer mine to see disappears', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  server.mine = [];
  server.history = () => Promise.reject(new HttpError(403));
  controller.wake();
  await settle();
  assert.deepEqual(myTickets(controller.state), []);
});

test('status and limit go out with the heartbeat at once and with each tick', async () => {
  const controller = await working();
  controller.setStatus('away');
  controller.setLimit(2);
  await settle();
  tick();
  await settle();
  assert.deepEqual(server.beats.slice(-3), [['away', undefined], ['away', 2], ['away', undefined]]);
});

test('an unanswered heartbeat is shown; an ended session leads to the log-in', async () => {
  const controller = await working();
  server.heartbeat = () => Promise.reject(new HttpError(0));
  tick();
  await settle();
  assert.equal(controller.state.unheard, true);
  server.heartbeat = () => Promise.reject(new HttpError(401));
  tick();
  await settle();
  assert.deepEqual([controller.state.screen, controller.state.error, tick], ['login', 'expired', null]);
  assert.equal(Socket.last.closed, true);
});

test('an older list that arrives late does not overrule the newer one', async () => {
  const controller = await working();
  const answers = [];
  server.queue = () => new Promise((resolve) => answers.push(resolve));
  controller.wake();
  controller.wake();
  answers[1]({ tickets: [] });
  await settle();
  answers[0]({ tickets: [{ ticket_id: 8, status: 'waiting' }] });
  await settle();
  assert.deepEqual(queueTickets(controller.state), []);
});

test('a closed chat that is taken off the list leaves no unsent text behind', async () => {
  server.mine = [{ ticket_id: 3, status: 'active' }];
  const controller = await working();
  server.send = () => Promise.reject(new HttpError(409, { code: 'ticket_closed' }));
  controller.send(3, 'late');
  await settle();
  assert.equal(controller.storage.get('outbox:1:3').length, 1);
  controller.dismiss(3);
  await settle();
  assert.equal(controller.storage.get('outbox:1:3'), null);
});

test('a log-in that worked while the next call knows nobody is told as missing cookies', async () => {
  server.me = () => Promise.reject(new HttpError(401));
  const controller = panel();
  await controller.login('a', 'right');
  assert.deepEqual([controller.state.screen, controller.state.error, controller.state.busy], ['login', 'needCookies', false]);
});

test('a desk that does not answer any call is shown at once and asked again until it answers', async () => {
  const controller = await working();
  server.heartbeat = mock.fn(() => Promise.reject(new HttpError(0)));
  controller.reached(false);
  assert.equal(controller.state.unheard, true);
  for (let i = 0; i < 5; i += 1) {
    mock.timers.tick(4000);
    await settle();
  }
  assert.ok(server.heartbeat.mock.callCount() >= 5);
  server.heartbeat = async () => ({ max_tickets: 5 });
  controller.reached(true);
  await settle();
  assert.equal(controller.state.unheard, false);
});

test('what is watched in this tab is told as such, so that no other tab calls', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  controller.select(3);
  await tell('private-ticket-3', 'message:new', { message: message(1, { ticket_id: 3, sender_type: 'visitor' }) });
  assert.deepEqual(notes, ['message 3 watched']);
});

test('what was read in another tab is read here', async () => {
  server.mine = [{ ticket_id: 7 }];
  server.rows[7] = [message(1, { sender_type: 'visitor' })];
  const storage = memoryStorage();
  const here = await working(storage);
  assert.equal(unreadOf(here.state, 7), 1);
  const there = await working(memoryStorage(storage));
  there.select(7);
  assert.equal(unreadOf(here.state, 7), 0);
});

test('who logs out in one tab is logged out in all; who logs in instead works in all', async () => {
  server.mine = [{ ticket_id: 3 }];
  const storage = memoryStorage();
  const here = await working(storage);
  const there = await working(memoryStorage(storage));
  await there.logout();
  assert.deepEqual([here.state.screen, here.state.error, here.state.tickets], ['login', null, {}]);
  server.me = async () => ({ operator_id: 2, name: 'Boris', max_tickets: 5 });
  await there.login('b', 'b');
  await settle();
  assert.deepEqual([here.state.screen, here.state.me.name], ['work', 'Boris']);
});

test('after a chat is closed, the one that waits longest is open', async () => {
  server.mine = [{ ticket_id: 3 }, { ticket_id: 4 }, { ticket_id: 5 }];
  for (const id of [3, 4, 5]) server.rows[id] = [message(1, { id, ticket_id: id, sender_type: 'visitor', created_at: new Date(1000 * id).toISOString() })];
  const controller = await working();
  controller.select(3);
  await controller.closeTicket(3);
  assert.equal(controller.state.current, 4);
  await controller.closeTicket(5);
  assert.equal(controller.state.current, 4, 'whoever closes another chat stays');
});

test('what was on the screen is told to the desk, what another browser has read is read here', async () => {
  server.mine = [{ ticket_id: 3 }, { ticket_id: 4 }];
  for (const id of [3, 4]) server.rows[id] = [message(1, { id, ticket_id: id, sender_type: 'visitor' })];
  const { history } = server;
  server.history = async (id, after) => {
    const page = await history(id, after);
    return { ...page, ticket: { ...page.ticket, operator_read_seq: 0, visitor_read_seq: 0 } };
  };
  server.read = mock.fn(async (_, seq) => ({ ticket: { operator_read_seq: seq } }));
  const controller = await working();
  for (const id of [3, 4]) Socket.last.confirm(`private-ticket-${id}`);
  await settle();
  assert.deepEqual([3, 4].map((id) => unreadOf(controller.state, id)), [1, 1]);
  await tell('private-ticket-4', 'message:read', { ticket_id: 4, reader: 'operator', seq: 1 });
  assert.deepEqual([3, 4].map((id) => unreadOf(controller.state, id)), [1, 0]);
  controller.select(3);
  mock.timers.tick(SEEN_AFTER_MS);
  await settle();
  assert.deepEqual([unreadOf(controller.state, 3), server.read.mock.calls.map((call) => call.arguments)], [0, [[3, 1]]]);
});
