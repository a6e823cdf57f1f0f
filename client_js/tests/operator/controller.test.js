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

function panel() {
  return new Controller({
    api: server,
    storage: memoryStorage(),
    Client,
    ticker: (onTick) => {
      tick = onTick;
      return () => {
        tick = null;
      };
    },
    render: () => {},
    notify: (kind, ticket) => notes.push(`${kind} ${ticket.ticket_id}`),
    isVisible: () => true,
  });
}

async function working() {
  const controller = panel();
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
