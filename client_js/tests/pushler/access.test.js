/** Signing in, and channels that the application takes away. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { PushlerClient } from '../../pushler/index.js';
import { deferred, fakeSockets, json, nextSocket, settle } from '../helpers/fakes.js';

let Socket;
/** The channels that the server was asked about. */
let asked;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  Socket = fakeSockets();
  asked = [];
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

async function connected(options) {
  const fetch = async (url, { body }) => {
    asked.push(new URLSearchParams(body).get('channel_name'));
    return json({ auth: 'key:x' });
  };
  const client = new PushlerClient({ appKey: 'key', wsHost: 'relay', WebSocket: Socket, fetch, random: () => 0.5, ...options });
  await settle();
  Socket.last.greet();
  await settle();
  return client;
}

const comeBack = (socketId, before) => nextSocket(Socket, mock.timers, socketId, before);

/** The application ends the subscription, and the relay takes no old signature on this connection. */
async function lose(channel) {
  Socket.last.say('pusher_internal:unsubscribed', '{}', { channel });
  await settle();
}

test('a channel that the application ends says so, keeps its handlers and stays silent', async () => {
  const client = await connected();
  const channel = client.subscribe('private-a');
  await settle();
  const told = [];
  for (const event of ['pushler:unsubscribed', 'x']) channel.on(event, () => told.push(event));
  Socket.last.confirm('private-a');
  await lose('private-a');
  assert.deepEqual([told, channel.subscribed, channel.trigger('client-x', {})], [['pushler:unsubscribed'], false, false]);
  assert.equal(client.channel('private-a'), channel);
  // Said again, or of a channel that was left meanwhile, it means nothing.
  await lose('private-a');
  await lose('private-other');
  assert.deepEqual(told, ['pushler:unsubscribed']);
  channel.unsubscribe();
  assert.deepEqual(Socket.last.sentEvents('pusher:unsubscribe'), []);
  assert.equal(client.channel('private-a'), null);
});

test('who subscribes again after the end asks the server, and comes back on a new connection', async () => {
  const client = await connected();
  const channel = client.subscribe('private-a');
  client.subscribe('private-b');
  await settle();
  for (const name of ['private-a', 'private-b']) Socket.last.confirm(name);
  await lose('private-a');
  const errors = [];
  channel.on('pushler:subscription_error', (error) => errors.push(error));
  client.subscribe('private-a');
  await settle();
  assert.equal(asked.at(-1), 'private-a');
  const old = Socket.last;
  old.say('pusher:subscription_error', { type: 'Revoked', error: 'connect anew', status: 401 }, { channel: 'private-a' });
  // The relay repeats it for other libraries; the socket is not ours any more then.
  old.say('pusher:error', { code: null, message: 'Subscription to channel private-a refused: connect anew' });
  assert.deepEqual([client.state, old.closed, errors.length, errors[0].type], ['reconnecting', true, 1, 'Revoked']);
  mock.timers.tick(500);
  assert.notEqual(Socket.last, old);
  Socket.last.greet('2.2');
  await settle();
  assert.deepEqual(Socket.last.subscribed.sort(), ['private-a', 'private-b']);
  for (const name of ['private-a', 'private-b']) Socket.last.confirm(name);
  assert.equal(channel.subscribed, true);
});

test('a relay that goes on to ask for new connections is not stormed', async () => {
  const client = await connected();
  client.subscribe('private-a');
  await settle();
  const delays = [];
  client.on('reconnecting', ({ delay }) => delays.push(delay));
  for (let round = 0; round < 6; round += 1) {
    const before = Socket.all.length;
    Socket.last.say('pusher:subscription_error', { type: 'Revoked', error: '', status: 401 }, { channel: 'private-a' });
    await comeBack(`${round}.9`, before);
  }
  assert.deepEqual(delays, [250, 250, 250, 4000, 8000, 15_000]);
});

test('who signs in does so on each connection, by the word of the server', async () => {
  const answers = { '/user_auth': { auth: 'key:x', user_data: '{"id":"operator-5"}' } };
  const calls = [];
  const client = await connected({ fetch: async (url, init) => {
    calls.push([url, init.body]);
    return json(answers[url]);
  } });
  const signedIn = [];
  client.on('signed_in', (user) => signedIn.push(user.id));
  client.signin();
  client.signin();
  await settle();
  assert.deepEqual(calls, [['/user_auth', 'socket_id=1.1']]);
  assert.deepEqual(Socket.last.sentEvents('pusher:signin')[0].data, { auth: 'key:x', user_data: '{"id":"operator-5"}' });
  Socket.last.say('pusher:signin_success', { user_data: '{"id":"operator-5"}' });
  assert.deepEqual(signedIn, ['operator-5']);
  Socket.last.drop();
  await comeBack('2.2', 1);
  assert.deepEqual(calls.at(-1), ['/user_auth', 'socket_id=2.2']);
  assert.equal(Socket.last.sentEvents('pusher:signin').length, 1);
});

test('who does not sign in asks for nothing of the kind', async () => {
  await connected();
  assert.deepEqual([asked, Socket.last.sent], [[], []]);
});

test('a server that cannot say who we are is asked again, one that refuses is not', async () => {
  let status = 503;
  let calls = 0;
  const client = await connected({ userAuthEndpoint: '/who', fetch: async (url) => {
    assert.equal(url, '/who');
    calls += 1;
    return json({}, status);
  } });
  const errors = [];
  client.on('error', ({ code }) => errors.push(code));
  client.signin();
  await settle();
  status = 401;
  mock.timers.tick(1000);
  await settle();
  mock.timers.tick(60_000);
  await settle();
  assert.deepEqual([errors, calls], [[503, 401], 2]);
  assert.deepEqual(Socket.last.sentEvents('pusher:signin'), []);
});

test('an answer about an earlier connection signs nobody in', async () => {
  const answer = deferred();
  const client = await connected({ fetch: () => answer });
  client.signin();
  Socket.last.drop();
  answer.resolve(json({ auth: 'key:x', user_data: '{}' }));
  await settle();
  assert.deepEqual(Socket.all.flatMap((socket) => socket.sentEvents('pusher:signin')), []);
});

test('whoever asks again while the next try is set makes no second one', async () => {
  let calls = 0;
  const client = await connected({ fetch: async () => json({ auth: 'key:x' }, calls++ ? 200 : 503) });
  client.subscribe('private-a').on('pushler:subscription_error', () => client.subscribe('private-a'));
  await settle();
  for (let i = 0; i < 6; i += 1) {
    mock.timers.tick(5000);
    await settle();
  }
  assert.equal(calls, 2);
  assert.deepEqual(Socket.last.subscribed, ['private-a']);
});
