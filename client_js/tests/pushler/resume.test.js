/** What a client hears of channels with a history when its connection is lost: each event once, in order, or of a gap. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { PushlerClient } from '../../pushler/index.js';
import { fakeSockets, json, reconnect, settle } from '../helpers/fakes.js';

const EPOCH = 'e1e1e1e1';
const id = (seq, epoch = EPOCH) => `${epoch}.1732510000000-${seq}`;

let Socket;
let client;
let heard;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
  Socket = fakeSockets();
  heard = [];
});
afterEach(async () => {
  client.disconnect();
  await settle();
  mock.timers.reset();
});

/** Connected and joined to `name`, which stands at `position`; without one it has no history. */
async function joined(position, { name = 'a', ...options } = {}) {
  const fetch = async () => json({ auth: 'key:x', channel_data: '{"user_id":"5"}' });
  client = new PushlerClient({ appKey: 'key', wsHost: 'relay', WebSocket: Socket, fetch, random: () => 0.5, ...options });
  await settle();
  Socket.last.greet();
  const channel = client.subscribe(name).on('e', (data) => heard.push(data)).on('pushler:gap', (gap) => heard.push(gap));
  await settle();
  if (position === undefined) Socket.last.confirm(name);
  else Socket.last.confirmAt(name, position, true);
  return channel;
}

const back = (socketId) => reconnect(Socket, mock.timers, socketId);
const asked = (name = 'a') => Socket.last.sentEvents('pusher:subscribe').filter(({ data }) => data.channel === name).map(({ data }) => data.since);

function send(...seqs) {
  for (const seq of seqs) Socket.last.say('e', JSON.stringify(seq), { channel: 'a', id: id(seq) });
}

test('what was missed over a reconnect is heard in order and once, with what comes twice left out', async () => {
  await joined(id(0));
  assert.deepEqual(asked(), ['']);
  send(1, 2);
  await back();
  assert.deepEqual(asked(), [id(2)]);
  Socket.last.confirmAt('a', id(5), true);
  send(2, 3, 4, 5, 5, 6);
  assert.deepEqual(heard, [1, 2, 3, 4, 5, 6]);
});

test('a connection that is lost while the missed events come goes on from the last of them', async () => {
  await joined(id(0));
  await back('2.2');
  Socket.last.confirmAt('a', id(4), true);
  send(1, 2);
  await back('3.3');
  assert.deepEqual(asked(), [id(2)]);
  Socket.last.confirmAt('a', id(4), true);
  send(3, 4);
  assert.deepEqual(heard, [1, 2, 3, 4]);
});

test('a connection that is lost before the confirmation asks for the same again', async () => {
  await joined(id(0));
  send(1);
  await back('2.2');
  await back('3.3');
  assert.deepEqual(asked(), [id(1)]);
});

test('a channel where nothing had happened yet goes on from there', async () => {
  await joined(`${EPOCH}.0-0`);
  await back();
  assert.deepEqual(asked(), [`${EPOCH}.0-0`]);
  Socket.last.confirmAt('a', id(2), true);
  send(1, 2);
  assert.deepEqual(heard, [1, 2]);
});

test('more than the relay remembers is a gap, told after the confirmation, and live events follow', async () => {
  const channel = await joined(id(0));
  channel.on('pushler:subscription_succeeded', () => heard.push('confirmed'));
  send(1);
  await back();
  Socket.last.confirmAt('a', id(300), false);
  send(300, 301);
  assert.deepEqual(heard, [1, 'confirmed', { channel: 'a', since: id(1) }, 301]);
  await back('3.3');
  assert.deepEqual(asked(), [id(301)]);
});

test('a relay that was started anew leaves a gap, and its smaller ids are heard', async () => {
  await joined(id(90));
  await back();
  Socket.last.confirmAt('a', id(0, 'f2f2f2f2'), false);
  Socket.last.say('e', '"new"', { channel: 'a', id: id(1, 'f2f2f2f2') });
  assert.deepEqual(heard, [{ channel: 'a', since: id(90) }, 'new']);
});

test('a new epoch on the same connection leaves a gap too', async () => {
  await joined(id(90));
  for (const seq of [1, 2]) Socket.last.say('e', JSON.stringify(seq), { channel: 'a', id: id(seq, 'f2f2f2f2') });
  assert.deepEqual(heard, [{ channel: 'a', since: id(90) }, 1, 2]);
});

test('a relay that has stopped to keep the history leaves a gap', async () => {
  await joined(id(1));
  await back();
  Socket.last.confirm('a');
  assert.deepEqual(heard, [{ channel: 'a', since: id(1) }]);
});

test('without a history all is as it was: each event is heard, nothing is told of gaps', async () => {
  await joined();
  for (let i = 0; i < 2; i += 1) Socket.last.say('e', '"same"', { channel: 'a' });
  await back();
  assert.deepEqual(asked(), ['']);
  Socket.last.confirm('a');
  assert.deepEqual(heard, ['same', 'same']);
});

test('events without an id pass between those with one, client events for example', async () => {
  await joined(id(0));
  send(1);
  Socket.last.say('e', '"typing"', { channel: 'a' });
  send(2);
  assert.deepEqual(heard, [1, 'typing', 2]);
});

test('a double is no "message" of the client either', async () => {
  await joined(id(0));
  const ids = [];
  client.on('message', (message) => ids.push(message.id));
  send(1, 1, 2);
  assert.deepEqual(ids, [id(1), id(2)]);
});

test('each channel has a position of its own', async () => {
  await joined(id(5));
  client.subscribe('b').on('e', () => heard.push('b'));
  await settle();
  Socket.last.confirmAt('b', id(1), true);
  Socket.last.say('e', '{}', { channel: 'b', id: id(2) });
  await back();
  assert.deepEqual([asked('a'), asked('b')], [[id(5)], [id(2)]]);
  assert.deepEqual(heard, ['b']);
});

test('a channel that was left and subscribed to again begins anew', async () => {
  await joined(id(5));
  client.unsubscribe('a');
  client.subscribe('a');
  await settle();
  assert.deepEqual(asked(), ['', '']);
});

test('a channel that the application took and gave back goes on where it was', async () => {
  await joined(id(5));
  Socket.last.say('pusher_internal:unsubscribed', '{}', { channel: 'a' });
  client.subscribe('a');
  await settle();
  assert.deepEqual(asked(), ['', id(5)]);
});

test('a presence channel has its position beside its members', async () => {
  const channel = await joined(undefined, { name: 'presence-a' });
  await back();
  Socket.last.confirm('presence-a', JSON.stringify({ presence: { hash: { 5: {}, 6: {} } }, position: id(3), recovered: true }));
  assert.equal(channel.members.count, 2);
  await back('3.3');
  assert.deepEqual(asked('presence-a'), [id(3)]);
});

test('a page that leaves the channel on its confirmation is not told of a gap there', async () => {
  const channel = await joined(id(1));
  channel.on('pushler:subscription_succeeded', () => channel.unsubscribe());
  await back();
  Socket.last.confirmAt('a', id(9), false);
  assert.deepEqual(heard, []);
});

test('resume: false asks for nothing, leaves nothing out and tells of no gap', async () => {
  await joined(id(0), { resume: false });
  send(1, 1);
  await back();
  assert.deepEqual(asked(), [undefined]);
  Socket.last.confirmAt('a', id(9), false);
  Socket.last.say('e', '"new"', { channel: 'a', id: id(1, 'f2f2f2f2') });
  assert.deepEqual(heard, [1, 1, 'new']);
});
