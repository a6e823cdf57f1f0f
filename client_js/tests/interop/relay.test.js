/** The client against the real relay. Skipped where there is no Python for it. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { joined, once, Relay, skip } from '../helpers/relay.js';

const relay = new Relay();

before(() => !skip && relay.start());
after(() => relay.stop());

test('two clients meet in a presence channel and talk by client events', { skip, timeout: 20_000 }, async () => {
  const [ann, bob] = [relay.open('ann'), relay.open('bob')];
  const annRoom = ann.subscribe('presence-room');
  assert.equal((await once(annRoom, 'pushler:subscription_succeeded')).me.info.name, 'ann');
  const added = once(annRoom, 'pushler:member_added');
  const bobRoom = bob.subscribe('presence-room');
  assert.equal((await once(bobRoom, 'pushler:subscription_succeeded')).count, 2);
  assert.equal((await added).id, 'bob');
  const wave = once(annRoom, 'client-wave');
  bobRoom.trigger('client-wave', { hand: 'left' });
  assert.deepEqual(await wave, { hand: 'left' });
  const removed = once(annRoom, 'pushler:member_removed');
  bob.disconnect();
  assert.equal((await removed).id, 'bob');
  assert.equal(annRoom.members.count, 1);
});

test('a wrong key ends it for good', { skip, timeout: 20_000 }, async () => {
  const down = await once(relay.open('x', { appKey: 'unknown' }), 'disconnected');
  assert.deepEqual([down.code, down.reconnecting], [4001, false]);
});

test('after a kill of the relay the client is back by itself and hears each event once', { skip, timeout: 40_000 }, async () => {
  const client = relay.open('eve');
  const other = relay.open('dan');
  const heard = [];
  client.on('connected', () => client.subscribe('private-x').on('client-e', (data) => heard.push(data)));
  const sender = other.subscribe('private-x');
  await Promise.all([once(sender, 'pushler:subscription_succeeded'), once(client, 'connected')]);
  await joined(client, 'private-x');
  relay.kill('SIGKILL');
  await once(client, 'disconnected');
  await relay.start();
  await Promise.all([joined(client, 'private-x'), joined(other, 'private-x')]);
  sender.trigger('client-e', 'once');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(heard, ['once']);
});
