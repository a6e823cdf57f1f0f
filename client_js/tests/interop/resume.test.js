/** What a client hears of a real relay with histories when its connection is lost. Skipped where there is no Python for it. */

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { joined, once, range, Relay, skip } from '../helpers/relay.js';

/** Events that the relay remembers of a channel here. */
const SIZE = 60;
const CONFIG = `
[[apps]]
id = "1"
key = "app-key"
secret = "app-secret"

[[apps.history]]
prefix = "private-"
size = ${SIZE}
ttl = 60

[[apps.history]]
prefix = "private-big-"
size = 400
ttl = 60

[[apps.history]]
prefix = "presence-"
size = ${SIZE}
ttl = 60
`;

let folder;
let relay;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'pushler-'));
  await writeFile(join(folder, 'relay.toml'), CONFIG);
  relay = new Relay(join(folder, 'relay.toml'));
  await relay.start();
});
after(async () => {
  relay?.stop();
  if (folder) await rm(folder, { recursive: true });
});

/** Publish the numbers as events "e" of a channel, one after the other. */
async function publish(channel, numbers) {
  for (const number of numbers) await relay.publish(channel, 'e', number);
}

/** A client that is joined to `name`, and what it hears there. */
async function listener(name, options) {
  const client = relay.open('ann', options);
  const heard = [];
  const channel = client.subscribe(name).on('e', (data) => heard.push(data)).on('pushler:gap', (gap) => heard.push(gap));
  await joined(client, name);
  return { client, channel, heard, name };
}

/** Resolves when the client has heard `data`; until then what comes may be anything. */
const hears = (channel, data) =>
  new Promise((resolve) => {
    channel.on('e', (heard) => heard === data && resolve());
  });

async function comeBack({ client, name }) {
  client.connect();
  await joined(client, name);
}

/** A WebSocket that can be cut like a cable; while it is cut, none can be made. */
function cable() {
  let isCut = false;
  const sockets = [];
  class Cable extends WebSocket {
    constructor(url) {
      if (isCut) throw new Error('no network');
      super(url);
      sockets.push(this);
    }
  }
  const cut = () => {
    isCut = true;
    sockets.at(-1).terminate();
  };
  return { Cable, cut, mend: () => (isCut = false) };
}

for (const name of ['private-a', 'presence-a']) {
  test(`${name}: 50 events that were missed are heard in order and once, then live ones`, { skip, timeout: 20_000 }, async () => {
    const listening = await listener(name);
    const { client, channel, heard } = listening;
    const first = hears(channel, 2);
    await publish(name, [1, 2]);
    await first;
    client.disconnect();
    await publish(name, range(3, 52));
    const last = hears(channel, 53);
    await comeBack(listening);
    await publish(name, [53]);
    await last;
    assert.deepEqual(heard, range(1, 53));
  });
}

test('a client that is cut off while events come hears each once, however often it happens', { skip, timeout: 40_000 }, async () => {
  const { Cable, cut, mend } = cable();
  const { client, channel, heard, name } = await listener('private-cut', { WebSocket: Cable, random: () => 0.01 });
  const last = hears(channel, 100);
  for (let first = 1; first <= 100; first += 20) {
    await publish(name, range(first, first + 4));
    const isBack = once(client, 'connected');
    cut();
    await publish(name, range(first + 5, first + 14));
    mend();
    await publish(name, range(first + 15, first + 19));
    await isBack;
    await joined(client, name);
    client.off('connected');
  }
  await last;
  assert.deepEqual(heard, range(1, 100));
});

test('a client that had heard nothing yet hears what came while it was away', { skip, timeout: 20_000 }, async () => {
  const listening = await listener('private-quiet');
  listening.client.disconnect();
  await publish(listening.name, range(1, 5));
  const last = hears(listening.channel, 5);
  await comeBack(listening);
  await last;
  assert.deepEqual(listening.heard, range(1, 5));
});

test('whoever comes for the first time hears nothing of before', { skip, timeout: 20_000 }, async () => {
  await publish('private-old', range(1, 5));
  const { channel, heard } = await listener('private-old');
  const last = hears(channel, 6);
  await publish('private-old', [6]);
  await last;
  assert.deepEqual(heard, [6]);
});

test('more than the relay remembers is a gap, and nothing of it is heard in part', { skip, timeout: 20_000 }, async () => {
  const listening = await listener('private-many');
  const { client, channel, heard, name } = listening;
  const first = hears(channel, 1);
  await publish(name, [1]);
  await first;
  client.disconnect();
  await publish(name, range(2, SIZE + 2));
  await comeBack(listening);
  const last = hears(channel, 'live');
  await publish(name, ['live']);
  await last;
  assert.deepEqual([heard.length, heard[0], heard[1].channel, heard[2]], [3, 1, name, 'live']);
  assert.match(heard[1].since, /^[0-9a-z]{8}\.\d+-\d+$/);
});

test('what was missed comes whole also when it is more than may wait for a client', { skip, timeout: 40_000 }, async () => {
  const name = 'private-big-a';
  const client = relay.open('ann', { random: () => 0.01 });
  const numbers = [];
  const channel = client.subscribe(name).on('e', ([number]) => numbers.push(number)).on('pushler:gap', (gap) => numbers.push(gap));
  await joined(client, name);
  client.disconnect();
  // 2.6 MB; a relay lets 1 MiB wait.
  for (const number of range(1, 300)) await relay.publish(name, 'e', [number, 'x'.repeat(9000)]);
  const last = new Promise((resolve) => {
    channel.on('e', ([number]) => number === 300 && resolve());
  });
  client.connect();
  await last;
  assert.deepEqual(numbers, range(1, 300));
});

test('nothing missed is no gap', { skip, timeout: 20_000 }, async () => {
  const listening = await listener('private-idle');
  const { client, channel, heard, name } = listening;
  const first = hears(channel, 1);
  await publish(name, [1]);
  await first;
  client.disconnect();
  const last = hears(channel, 2);
  await comeBack(listening);
  await publish(name, [2]);
  await last;
  assert.deepEqual(heard, [1, 2]);
});

test('a channel without a history is as it was', { skip, timeout: 20_000 }, async () => {
  const listening = await listener('public');
  const { client, channel, heard, name } = listening;
  client.disconnect();
  await publish(name, [1]);
  await comeBack(listening);
  const last = hears(channel, 2);
  await publish(name, [2]);
  await last;
  assert.deepEqual(heard, [2]);
});

test('an author hears what they published themselves only when it was missed', { skip, timeout: 20_000 }, async () => {
  const listening = await listener('private-own');
  const { client, channel, heard, name } = listening;
  await relay.publish(name, 'e', 'mine', { socket_id: client.socketId });
  const first = hears(channel, 1);
  await publish(name, [1]);
  await first;
  await relay.publish(name, 'e', 'my last', { socket_id: client.socketId });
  client.disconnect();
  const last = hears(channel, 'my last');
  await comeBack(listening);
  await last;
  assert.deepEqual(heard, [1, 'my last']);
});

test('a relay that was started anew leaves a gap in each channel', { skip, timeout: 40_000 }, async () => {
  const { client, channel, heard, name } = await listener('private-a1', { random: () => 0.05 });
  const first = hears(channel, 1);
  await publish(name, [1]);
  await first;
  const isDown = once(client, 'disconnected');
  relay.kill('SIGKILL');
  await isDown;
  const gap = once(channel, 'pushler:gap');
  await relay.start();
  await gap;
  const last = hears(channel, 2);
  await publish(name, [2]);
  await last;
  assert.deepEqual([heard.length, heard[0], heard[1].channel, heard[2]], [3, 1, name, 2]);
});
