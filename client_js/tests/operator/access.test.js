/** The relay takes a channel from the panel, or closes its connection: what is left of the session, the server knows. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Controller } from '../../operator/controller.js';
import { myTickets } from '../../operator/state.js';
import { PushlerClient } from '../../pushler/index.js';
import { HttpError } from '../../kit/http.js';
import { fakeSockets, json, memoryStorage, settle } from '../helpers/fakes.js';

let Socket;
let server;
/** What the server signs: a status for each channel, 200 where there is none. */
let statuses;
let asked;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  Socket = fakeSockets();
  statuses = {};
  asked = [];
  server = {
    authEndpoint: '/auth',
    userAuthEndpoint: '/user_auth',
    config: async () => ({ app_key: 'k', ws_host: 'h', ws_port: 1, force_tls: false }),
    me: async () => ({ operator_id: 1, name: 'Olga', max_tickets: 5 }),
    heartbeat: async () => ({ max_tickets: 5 }),
    tickets: async () => ({ tickets: [{ ticket_id: 3, visitor_name: 'Anna' }] }),
    queue: async () => ({ tickets: [] }),
    history: async (id) => ({ messages: [], ticket: { ticket_id: id, status: 'active' } }),
  };
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

async function answer(url, { body }) {
  const name = new URLSearchParams(body).get('channel_name') ?? url;
  asked.push(name);
  return json({ auth: 'a', user_data: '{"id":"operator-1"}' }, statuses[name] ?? 200);
}

class Client extends PushlerClient {
  constructor(options) {
    super({ ...options, WebSocket: Socket, fetch: answer, random: () => 0 });
  }
}

const CHANNELS = ['private-operator-1', 'private-support-queue', 'private-ticket-3'];

async function working() {
  const controller = new Controller({
    api: server,
    storage: memoryStorage(),
    Client,
    ticker: () => () => {},
    render: () => {},
    notify: () => {},
    isVisible: () => true,
  });
  await controller.load();
  await settle();
  await welcome();
  return controller;
}

async function welcome(socketId = '1.1') {
  Socket.last.greet(socketId);
  await settle();
  for (const name of CHANNELS) Socket.last.confirm(name);
  await settle();
  asked = [];
}

const say = async (channel, event, data = {}) => {
  Socket.last.say(event, data, { channel });
  await settle();
};
const take = (channel) => say(channel, 'pusher_internal:unsubscribed');

test('the panel signs in to the relay', async () => {
  await working();
  assert.equal(Socket.last.sentEvents('pusher:signin').length, 1);
});

test('a chat whose channel was taken leaves the list when the server agrees', async () => {
  const controller = await working();
  statuses['private-ticket-3'] = 403;
  server.history = () => Promise.reject(new HttpError(403, { code: 'not_yours' }));
  await take('private-ticket-3');
  assert.deepEqual([asked, myTickets(controller.state)], [['private-ticket-3'], []]);
});

test('a chat that is mine all the same is listened to again, on a new connection', async () => {
  const controller = await working();
  await take('private-ticket-3');
  await say('private-ticket-3', 'pusher:subscription_error', { type: 'Revoked', error: '', status: 401 });
  mock.timers.tick(500);
  await welcome('2.2');
  assert.deepEqual(Socket.last.subscribed.sort(), CHANNELS);
  assert.deepEqual([controller.state.screen, myTickets(controller.state).length], ['work', 1]);
});

for (const name of CHANNELS.slice(0, 2)) {
  test(`without a session any more, ${name} taken leads to the log-in`, async () => {
    const controller = await working();
    statuses[name] = 403;
    server.tickets = () => Promise.reject(new HttpError(401));
    await take(name);
    assert.deepEqual([controller.state.screen, controller.state.error], ['login', 'expired']);
  });
}

test('a connection that the relay closes for good is asked about at once', async () => {
  const controller = await working();
  server.tickets = () => Promise.reject(new HttpError(401));
  Socket.last.drop(4009, 'the application ended this user\'s connections');
  await settle();
  assert.deepEqual([controller.state.screen, controller.state.error], ['login', 'expired']);
});
