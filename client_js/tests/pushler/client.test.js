import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { PushlerClient } from '../../pushler/index.js';
import { deferred, fakeSockets, json, reconnect as comeBack, settle } from '../helpers/fakes.js';

let Socket;
let asked;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  Socket = fakeSockets();
  asked = [];
});
afterEach(async () => {
  // What a test left under way must not clear timers of the next one.
  await settle();
  mock.timers.reset();
});

function connect(options = {}) {
  const fetch = async (url, init) => {
    const fields = Object.fromEntries(new URLSearchParams(init.body));
    asked.push({ url, init, ...fields });
    const presence = fields.channel_name.startsWith('presence-') && { channel_data: '{"user_id":5,"user_info":{"name":"Me"}}' };
    return json({ auth: `key:${fields.socket_id}`, ...presence });
  };
  return new PushlerClient({ appKey: 'key', wsHost: 'relay', WebSocket: Socket, fetch, random: () => 0.5, ...options });
}

async function connected(options) {
  const client = connect(options);
  await settle();
  Socket.last.greet();
  await settle();
  return client;
}

const reconnect = (socketId, code) => comeBack(Socket, mock.timers, socketId, code);

function record(client) {
  const states = [];
  for (const name of ['connecting', 'connected', 'reconnecting', 'disconnected', 'error']) client.on(name, () => states.push(name));
  return states;
}

test('a client connects by itself and says what it does', async () => {
  const client = connect();
  const states = record(client);
  assert.equal(client.state, 'initialized');
  await settle();
  assert.match(Socket.last.url, /^ws:\/\/relay:6001\/app\/key\?protocol=7/);
  assert.equal(client.socketId, null);
  Socket.last.greet('12.34');
  assert.equal(client.socketId, '12.34');
  assert.equal(client.state, 'connected');
  assert.deepEqual(states, ['connecting', 'connected']);
});

test('a client without a key or without any WebSocket says so', () => {
  assert.throws(() => new PushlerClient({}), /appKey/);
  if (!globalThis.WebSocket) assert.throws(() => new PushlerClient({ appKey: 'k' }), /WebSocket/);
});

test('disconnect before the first attempt means no attempt', async () => {
  const client = connect();
  client.disconnect();
  await settle();
  assert.equal(Socket.all.length, 0);
  client.connect();
  assert.equal(Socket.all.length, 1);
});

test('subscriptions made before the connection are sent once it is there', async () => {
  const client = connect();
  client.subscribe('news');
  await settle();
  Socket.last.greet();
  await settle();
  assert.deepEqual(Socket.last.subscribed, ['news']);
  assert.equal(asked.length, 0);
});

test('a private channel is authorised by a form post with the socket id', async () => {
  const client = await connected({ authEndpoint: '/auth.php', auth: { headers: { 'X-A': '1' }, params: { site: 's' } }, headersProvider: () => ({ 'X-B': '2' }) });
  client.subscribe('private-a');
  await settle();
  const [{ url, init, channel_name: channelName, socket_id: socketId, site }] = asked;
  assert.deepEqual([url, channelName, socketId, site], ['/auth.php', 'private-a', '1.1', 's']);
  assert.deepEqual([init.method, init.credentials], ['POST', 'same-origin']);
  assert.deepEqual(init.headers, { 'Content-Type': 'application/x-www-form-urlencoded', 'X-A': '1', 'X-B': '2' });
  assert.deepEqual(Socket.last.sentEvents('pusher:subscribe')[0].data, { channel: 'private-a', auth: 'key:1.1', since: '' });
});

test('a name means one channel, however often it is subscribed', async () => {
  const client = await connected();
  const channel = client.subscribe('a');
  assert.equal(client.subscribe('a'), channel);
  Socket.last.confirm('a');
  assert.equal(client.subscribe('a'), channel);
  assert.equal(client.channel('a'), channel);
  assert.deepEqual(Socket.last.subscribed, ['a']);
});

test('events reach the handlers of their channel, with data decoded', async () => {
  const client = await connected();
  const heard = [];
  client.subscribe('a').on('message:new', (data) => heard.push(data));
  client.subscribe('b').on('message:new', () => heard.push('wrong channel'));
  Socket.last.say('message:new', '{"x":1}', { channel: 'a' });
  assert.deepEqual(heard, [{ x: 1 }]);
});

test('every message also comes as "message" on the client', async () => {
  const client = await connected();
  const heard = [];
  client.on('message', ({ event, channel, data }) => heard.push([event, channel, data]));
  Socket.last.say('e', '"d"', { channel: 'unknown' });
  assert.deepEqual(heard, [['e', 'unknown', 'd']]);
});

test('the confirmation arrives as pushler:subscription_succeeded and is counted once', async () => {
  const client = await connected();
  const channel = client.subscribe('a');
  const succeeded = mock.fn();
  channel.on('pushler:subscription_succeeded', succeeded);
  assert.equal(channel.subscribed, false);
  Socket.last.confirm('a');
  Socket.last.confirm('a');
  assert.equal(channel.subscribed, true);
  assert.equal(succeeded.mock.callCount(), 1);
});

test('unsubscribe leaves the channel; a new subscribe starts with fresh handlers', async () => {
  const client = await connected();
  const channel = client.subscribe('a');
  const old = mock.fn();
  channel.on('e', old);
  Socket.last.confirm('a');
  channel.unsubscribe();
  assert.equal(Socket.last.sentEvents('pusher:unsubscribe').length, 1);
  assert.equal(client.channel('a'), null);
  const next = client.subscribe('a');
  assert.notEqual(next, channel);
  Socket.last.say('e', '1', { channel: 'a' });
  assert.equal(old.mock.callCount(), 0);
  channel.unsubscribe();
  assert.equal(client.channel('a'), next, 'the old object does not unsubscribe the new one');
});

test('unsubscribe while the authorisation is under way sends nothing at all', async () => {
  const answer = deferred();
  const client = await connected({ fetch: () => answer });
  client.subscribe('private-a');
  client.unsubscribe('private-a');
  answer.resolve(json({ auth: 'key:x' }));
  await settle();
  assert.deepEqual(Socket.last.sent, []);
});

test('a late authorisation of an unsubscribed channel does not join its successor twice', async () => {
  const answers = [deferred(), deferred()];
  let calls = 0;
  const client = await connected({ fetch: () => answers[calls++] });
  client.subscribe('private-a');
  client.unsubscribe('private-a');
  client.subscribe('private-a');
  answers[0].resolve(json({ auth: 'key:old' }));
  await settle();
  assert.deepEqual(Socket.last.subscribed, []);
  answers[1].resolve(json({ auth: 'key:new' }));
  await settle();
  assert.deepEqual(Socket.last.sentEvents('pusher:subscribe').map((sent) => sent.data.auth), ['key:new']);
});

test('after a reconnect everything is joined again, authorised for the new socket', async () => {
  const client = await connected();
  client.subscribe('a');
  client.subscribe('private-a');
  await settle();
  await reconnect('2.2');
  assert.deepEqual(Socket.last.subscribed.sort(), ['a', 'private-a']);
  assert.deepEqual(asked.map((request) => request.socket_id), ['1.1', '2.2']);
});

test('an authorisation for the old socket that comes late is ignored', async () => {
  const answers = [deferred(), deferred()];
  let calls = 0;
  const client = await connected({ fetch: () => answers[calls++] });
  client.subscribe('private-a');
  await settle();
  await reconnect('2.2');
  answers[0].resolve(json({ auth: 'key:1.1' }));
  await settle();
  assert.deepEqual(Socket.last.subscribed, []);
  answers[1].resolve(json({ auth: 'key:2.2' }));
  await settle();
  assert.deepEqual(Socket.last.sentEvents('pusher:subscribe').map((sent) => sent.data.auth), ['key:2.2']);
});

test('a late refusal for the old socket does not refuse the channel', async () => {
  const answers = [deferred(), deferred()];
  let calls = 0;
  const client = await connected({ fetch: () => answers[calls++] });
  const refused = mock.fn();
  client.subscribe('private-a').on('pushler:subscription_error', refused);
  await settle();
  await reconnect();
  answers[0].resolve(json({}, 403));
  answers[1].resolve(json({ auth: 'key:2.2' }));
  await settle();
  assert.equal(refused.mock.callCount(), 0);
  assert.deepEqual(Socket.last.subscribed, ['private-a']);
});

test('a refusal is told on the channel and not repeated until somebody asks again', async () => {
  let status = 403;
  let calls = 0;
  const client = await connected({ fetch: async () => { calls += 1; return json({ auth: 'key:x' }, status); } });
  const errors = [];
  client.subscribe('private-a').on('pushler:subscription_error', (error) => errors.push(error));
  await settle();
  mock.timers.tick(600_000);
  assert.equal(calls, 1);
  assert.deepEqual(errors.map(({ type, status: code, retryIn }) => [type, code, retryIn]), [['AuthError', 403, null]]);
  status = 200;
  client.subscribe('private-a');
  await settle();
  assert.deepEqual(Socket.last.subscribed, ['private-a']);
});

test('an auth server that is down is asked again after a while', async () => {
  const outcomes = [() => Promise.reject(new TypeError('network')), async () => json({}, 503), async () => json({ auth: 'key:ok' })];
  const client = await connected({ fetch: () => outcomes.shift()() });
  const errors = [];
  client.subscribe('private-a').on('pushler:subscription_error', (error) => errors.push(error.status));
  await settle();
  for (let i = 0; i < 3; i += 1) {
    mock.timers.tick(5000);
    await settle();
  }
  assert.deepEqual(errors, [0, 503]);
  assert.deepEqual(Socket.last.subscribed, ['private-a']);
});

test('an answer of 200 without a signature is a refusal', async () => {
  const client = await connected({ fetch: async () => new Response('', { status: 200 }) });
  const errors = [];
  client.subscribe('private-a').on('pushler:subscription_error', (error) => errors.push(error.status));
  await settle();
  assert.deepEqual(errors, [200]);
});

test('an unanswered authorisation is given up after its time', async () => {
  const client = await connected({ fetch: (_, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))) });
  const errors = [];
  client.subscribe('private-a').on('pushler:subscription_error', (error) => errors.push(error.status));
  await settle();
  mock.timers.tick(15_000);
  await settle();
  assert.deepEqual(errors, [0]);
});

test('the relay\'s own refusal reaches the channel, and its repetition for other clients reaches nobody', async () => {
  const client = await connected();
  const errors = [];
  client.on('error', ({ message }) => errors.push(message));
  client.subscribe('a').on('pushler:subscription_error', (error) => errors.push(error.status)).on('pushler:error', () => errors.push('twice'));
  Socket.last.say('pusher:subscription_error', { type: 'AuthError', error: 'no', status: 401 }, { channel: 'a' });
  for (let i = 0; i < 2; i += 1) Socket.last.say('pusher:error', { message: 'Subscription to channel a refused: no', code: null });
  assert.deepEqual(errors, [401, 'Subscription to channel a refused: no']);
});

test('presence: members come with the confirmation and follow joins and leaves', async () => {
  const client = await connected();
  const channel = client.subscribe('presence-a');
  await settle();
  const seen = [];
  channel.on('pushler:subscription_succeeded', (members) => seen.push(['here', members.count, members.me.info.name]));
  channel.on('pushler:member_added', (member) => seen.push(['added', member.id, member.info.name]));
  channel.on('pushler:member_removed', (member) => seen.push(['removed', member.id]));
  assert.equal(Socket.last.sentEvents('pusher:subscribe')[0].data.channel_data, '{"user_id":5,"user_info":{"name":"Me"}}');
  Socket.last.confirm('presence-a', JSON.stringify({ presence: { count: 2, ids: ['5', '6'], hash: { 5: { name: 'Me' }, 6: null } } }));
  Socket.last.say('pusher_internal:member_added', '{"user_id":"7","user_info":{"name":"New"}}', { channel: 'presence-a' });
  Socket.last.say('pusher_internal:member_added', '{"user_id":"7","user_info":{"name":"New"}}', { channel: 'presence-a' });
  assert.equal(channel.members.count, 3);
  assert.equal(channel.members.get(7).info.name, 'New');
  const ids = [];
  channel.members.each((member) => ids.push(member.id));
  assert.deepEqual(ids, ['5', '6', '7']);
  Socket.last.say('pusher_internal:member_removed', '{"user_id":"6"}', { channel: 'presence-a' });
  assert.deepEqual([...channel.members.map.keys()], ['5', '7']);
  assert.deepEqual(seen, [['here', 2, 'Me'], ['added', '7', 'New'], ['added', '7', 'New'], ['removed', '6']]);
});

test('presence: after a reconnect the members are those of the new confirmation', async () => {
  const client = await connected();
  const channel = client.subscribe('presence-a');
  await settle();
  Socket.last.confirm('presence-a', JSON.stringify({ presence: { hash: { 5: {}, 6: {} } } }));
  await reconnect();
  Socket.last.confirm('presence-a', JSON.stringify({ presence: { hash: { 5: {} } } }));
  assert.equal(channel.members.count, 1);
});

test('client events go out on joined private channels only', async () => {
  const client = await connected();
  const channel = client.subscribe('private-a');
  assert.equal(channel.trigger('client-x', {}), false);
  await settle();
  Socket.last.confirm('private-a');
  assert.equal(channel.trigger('client-x', { n: 1 }), true);
  assert.deepEqual(Socket.last.sent.at(-1), { event: 'client-x', channel: 'private-a', data: { n: 1 } });
  assert.throws(() => channel.trigger('x', {}), /client-/);
  assert.throws(() => client.subscribe('public').trigger('client-x', {}), /private/);
});

test('a client event of a presence channel says who sent it', async () => {
  const client = await connected();
  const metas = [];
  client.subscribe('presence-a').on('client-x', (_data, meta) => metas.push(meta));
  Socket.last.say('client-x', {}, { channel: 'presence-a', user_id: '6' });
  assert.deepEqual(metas, [{ userId: '6' }]);
});

test('the usual code with handlers bound in "connected" hears each event once', async () => {
  const client = connect();
  const heard = [];
  let channel;
  client.on('connected', () => {
    channel = client.subscribe('private-ticket-1');
    channel.on('message:new', (data) => heard.push(data));
  });
  await settle();
  Socket.last.greet();
  await settle();
  for (let i = 0; i < 3; i += 1) await reconnect(`${i}.2`);
  Socket.last.confirm('private-ticket-1');
  Socket.last.say('message:new', '1', { channel: 'private-ticket-1' });
  assert.deepEqual(heard, [1]);
  assert.deepEqual(Socket.last.subscribed, ['private-ticket-1']);
});

test('handlers bound by a helper called in "connected" are replaced too, those bound elsewhere stay', async () => {
  const client = connect();
  const heard = [];
  const helper = (name) => client.subscribe(name).on('e', () => heard.push('helper'));
  client.on('connected', () => helper('a'));
  await settle();
  Socket.last.greet();
  client.channel('a').on('e', () => heard.push('elsewhere'));
  await reconnect();
  await reconnect();
  Socket.last.say('e', '1', { channel: 'a' });
  assert.deepEqual(heard.sort(), ['elsewhere', 'helper']);
});

test('client handlers bound in "connected" are replaced too', async () => {
  const client = connect();
  const errors = mock.fn();
  client.on('connected', () => client.on('error', () => errors()));
  await settle();
  Socket.last.greet();
  await reconnect();
  Socket.last.say('pusher:error', { code: 4301, message: 'slow down' });
  assert.equal(errors.mock.callCount(), 1);
});

test('handlers bound in subscription_succeeded are not doubled by a reconnect', async () => {
  const client = await connected();
  const heard = mock.fn();
  const channel = client.subscribe('a');
  channel.on('pushler:subscription_succeeded', () => channel.on('e', () => heard()));
  Socket.last.confirm('a');
  await reconnect();
  Socket.last.confirm('a');
  Socket.last.say('e', '1', { channel: 'a' });
  assert.equal(heard.mock.callCount(), 1);
});

test('unsubscribe and subscribe again inside "connected" hears each event once', async () => {
  const client = connect();
  const heard = mock.fn();
  client.on('connected', () => {
    client.unsubscribe('a');
    client.subscribe('a').on('e', () => heard());
  });
  await settle();
  Socket.last.greet();
  await reconnect();
  Socket.last.say('e', '1', { channel: 'a' });
  assert.equal(heard.mock.callCount(), 1);
  assert.deepEqual(Socket.last.subscribed, ['a']);
});

test('disconnect is final until connect', async () => {
  const client = await connected();
  const states = record(client);
  client.subscribe('a');
  client.disconnect();
  client.disconnect();
  mock.timers.tick(600_000);
  assert.equal(Socket.all.length, 1);
  assert.deepEqual(states, ['disconnected']);
  assert.equal(client.socketId, null);
  client.connect();
  Socket.last.greet('3.3');
  await settle();
  assert.deepEqual(Socket.last.subscribed, ['a']);
});
