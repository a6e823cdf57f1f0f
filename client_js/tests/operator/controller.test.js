import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Controller } from '../../operator/controller.js';
import { myTickets, queueTickets, unreadOf } from '../../operator/state.js';
import { PushlerClient } from '../../pushler/index.js';
import { HttpError } from '../../shared/http.js';
import { fakeSockets, json, memoryStorage, message, settle } from '../helpers/fakes.js';

let Socket;
let server;
let notes;
let tick;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  Socket = fakeSockets();
  notes = [];
  server = {
    mine: [],
    waiting: [],
    beats: [],
    rows: {},
    authEndpoint: '/auth',
    config: async () => ({ app_key: 'k', ws_host: 'h', ws_port: 1, force_tls: false }),
    me: async () => ({ operator_id: 1, name: 'Olga', max_tickets: 5 }),
    login: async () => ({}),
    logout: async () => ({}),
    heartbeat: async (status, limit) => {
      server.beats.push([status, limit]);
      return { max_tickets: limit ?? 5 };
    },
    tickets: async () => ({ tickets: server.mine }),
    queue: async () => ({ tickets: server.waiting }),
    history: mock.fn(async (id, after) => ({ messages: (server.rows[id] ?? []).filter(({ seq }) => seq > after), ticket: { ticket_id: id, status: 'active' } })),
    close: async () => ({}),
    colleagues: async () => ({ operators: [] }),
    transfers: [],
    transfer: async (...args) => void server.transfers.push(args),
    take: async (id) => ({ ticket: { ticket_id: id, status: 'active', operator_id: 1 } }),
    typing: async () => {},
    send: async (id, { client_id, content }) => ({ message: message(9, { id: 900, ticket_id: id, sender_type: 'operator', client_id, content }) }),
  };
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

class Client extends PushlerClient {
  constructor(options) {
    super({ ...options, WebSocket: Socket, fetch: async () => json({ auth: 'a' }), random: () => 0 });
  }
}

function panel(storage = memoryStorage()) {
  return new Controller({
    api: server,
    storage,
    Client,
    ticker: (onTick) => {
      tick = onTick;
      return () => {
        tick = null;
      };
    },
    render: () => {},
    notify: (kind, ticket, watched) => notes.push(`${kind} ${ticket.ticket_id}${watched ? ' watched' : ''}`),
    isVisible: () => true,
  });
}

async function working(storage) {
  const controller = panel(storage);
  await controller.load();
  await settle();
  Socket.last.greet();
  await settle();
  for (const name of ['private-operator-1', 'private-support-queue']) Socket.last.confirm(name);
  await settle();
  return controller;
}

const tell = async (channel, event, data) => {
  Socket.last.say(event, JSON.stringify(data), { channel });
  await settle();
};
const assign = (id) => tell('private-operator-1', 'ticket:assigned', { ticket_id: id, visitor_name: 'V', message: 'hi' });
const ids = (list) => list.map((ticket) => ticket.ticket_id);

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

test('a chat that was handed over leaves the list, and a notice says where it went', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const controller = await working();
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, status: 'active', operator_id: 2, operator_name: 'Boris' });
  assert.deepEqual(myTickets(controller.state), []);
  assert.deepEqual(controller.state.notices, [{ ticketId: 3, key: 'goneTo', values: { visitor: 'Ivan', name: 'Boris' } }]);
  controller.readNotice(3);
  assert.deepEqual(controller.state.notices, []);
});

test('a message that was refused because the chat has changed hands stays as its text, the half-written one after it', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const controller = await working();
  server.send = server.history = () => Promise.reject(new HttpError(403, { code: 'not_yours' }));
  controller.chats.drafts.slot(3).set('and more');
  controller.send(3, 'too late');
  await settle(60);
  assert.deepEqual([controller.chats.drafts.slot(3).get(), controller.state.tickets[3].access], ['too late\nand more', 'gone']);
  assert.deepEqual([controller.state.threads[3].pending, controller.state.notices[0].key], [[], 'goneAway']);
  assert.equal(controller.storage.get('outbox:1:3'), null);
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  assert.deepEqual(controller.state.notices[0].values, { visitor: 'Ivan', name: 'Boris' }, 'who, once it is known');
  controller.dismiss(3);
  assert.deepEqual([ids(myTickets(controller.state)), controller.chats.drafts.slot(3).get()], [[], null]);
});

test('a message on its way while the chat changes hands is text again only if it was not taken', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  const answers = [];
  server.send = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  controller.send(3, 'in that second');
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  assert.equal(controller.state.tickets[3].access, 'gone');
  answers[0].resolve({ message: message(9, { ticket_id: 3, content: 'in that second' }) });
  await settle(40);
  assert.deepEqual([ids(myTickets(controller.state)), controller.chats.drafts.slot(3).get()], [[], null]);
});

test('a chat that comes back is mine again, with the text that was kept', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  controller.chats.drafts.slot(3).set('kept');
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  await settle(40);
  await assign(3);
  assert.deepEqual([controller.state.tickets[3].access, controller.state.notices, notes], ['mine', [], ['assigned 3']]);
  assert.equal(controller.chats.drafts.slot(3).get(), 'kept');
});

test('colleagues who could begin at once stand first, and a full one is asked about', async () => {
  const colleague = (operator_id, is_online, active_tickets) => ({ operator_id, name: `N${operator_id}`, is_online, active_tickets, max_tickets: 5 });
  server.colleagues = async () => ({ operators: [colleague(4, false, 0), colleague(3, true, 5), colleague(2, true, 4)] });
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await controller.handOver.open(3);
  const { colleagues } = controller.state.transfer;
  assert.deepEqual(colleagues.map(({ operator_id }) => operator_id), [2, 3, 4]);
  controller.handOver.choose(colleagues[1]);
  assert.deepEqual([controller.state.transfer.asking, server.transfers], [colleagues[1], []]);
  controller.handOver.answer(false);
  assert.equal(controller.state.transfer.asking, null);
  controller.handOver.choose(colleagues[1]);
  server.mine = [];
  controller.handOver.answer(true);
  await settle(40);
  assert.deepEqual([server.transfers, controller.state.transfer, ids(myTickets(controller.state))], [[[3, 3, true]], null, []]);
});

test('a colleague who became full meanwhile is asked about; any other refusal is told in the dialog', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await controller.handOver.open(3);
  const boris = { operator_id: 2, name: 'Boris', is_online: true, active_tickets: 4, max_tickets: 5 };
  server.transfer = () => Promise.reject(new HttpError(409, { code: 'operator_full' }));
  controller.handOver.choose(boris);
  await settle();
  assert.deepEqual([controller.state.transfer.asking, controller.state.transfer.busy], [boris, false]);
  server.transfer = () => Promise.reject(new HttpError(0));
  controller.handOver.answer(true);
  await settle();
  assert.deepEqual([controller.state.transfer.error, controller.state.transfer.busy, ids(myTickets(controller.state))], ['transferFailed', false, [3]]);
});

test('a waiting chat is looked at, taken with one call and open then', async () => {
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan' }];
  const controller = await working();
  controller.select(8);
  assert.equal(controller.state.current, 8);
  await controller.handOver.take(8);
  await settle();
  const { state } = controller;
  assert.deepEqual([ids(myTickets(state)), ids(queueTickets(state)), state.current, state.taking], [[8], [], 8, null]);
  assert.ok(Socket.last.subscribed.includes('private-ticket-8'));
  assert.deepEqual(notes, []);
});

test('a waiting chat that somebody else was quicker to take is told and not looked at any more', async () => {
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan' }];
  const controller = await working();
  controller.select(8);
  server.waiting = [];
  server.take = () => Promise.reject(new HttpError(409, { code: 'ticket_taken' }));
  await controller.handOver.take(8);
  await settle();
  assert.deepEqual([controller.state.notices[0].key, controller.state.current, controller.state.taking], ['takenAway', null, null]);
});

test('a chat that comes back to the queue is read with all that the list shows, and called', async () => {
  const controller = await working();
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan', message: 'Hello', created_at: '2026-01-01T10:00:00Z' }];
  await tell('private-support-queue', 'ticket:updated', { ticket_id: 8, status: 'waiting', operator_id: null });
  assert.deepEqual([queueTickets(controller.state), notes], [server.waiting, ['queued 8']]);
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
