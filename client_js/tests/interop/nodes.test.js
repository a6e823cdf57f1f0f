/** What a client hears whose next connection is to another node. Skipped where there is no Python or no redis-server. */

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { freePort, joined, once, range, Relay, skip as noRelay } from '../helpers/relay.js';

const noRedis = spawnSync('redis-server', ['--version']).status === 0 ? false : 'redis-server is not here';
if (noRedis && process.env.CI) throw new Error(noRedis);
const skip = noRelay || noRedis;

const CONFIG = `
[[apps]]
id = "1"
key = "app-key"
secret = "app-secret"

[[apps.history]]
prefix = "private-"
size = 100
ttl = 60
`;

let folder;
let redis;
let redisPort;
let nodes = [];
/** The node that a client's next connection leads to, as a balancer decides it. */
let target;

class Balanced extends WebSocket {
  constructor(url) {
    super(url.replace(/:\d+\//, `:${target.port}/`));
  }
}

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'pushler-'));
  await writeFile(join(folder, 'relay.toml'), CONFIG);
  redisPort = await freePort();
  redis = spawn('redis-server', ['--port', String(redisPort), '--save', '', '--dir', folder], { stdio: 'ignore' });
  await until(() => command('PING'));
  nodes = [1, 2].map(() => new Relay(join(folder, 'relay.toml'), { RELAY_REDIS_URL: `redis://127.0.0.1:${redisPort}` }));
  await Promise.all(nodes.map((node) => node.start()));
  target = nodes[0];
});
after(async () => {
  for (const node of nodes) node.stop();
  redis?.kill();
  if (folder) await rm(folder, { recursive: true });
});

/** Resolves when `succeeds()`, which may be a promise, does no longer reject. */
async function until(succeeds) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await succeeds();
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Have Redis do something. */
function command(text) {
  return new Promise((resolve, reject) => {
    const socket = connect(redisPort, '127.0.0.1', () => socket.write(`${text}\r\n`));
    socket.on('error', reject).on('data', (answer) => resolve(socket.end() && String(answer)));
  });
}

/** A client on the node `target`, joined to `name`, and what it hears there. */
async function listener(name) {
  const client = target.open('ann', { WebSocket: Balanced, random: () => 0.05 });
  const heard = [];
  const channel = client.subscribe(name).on('e', (data) => heard.push(data)).on('pushler:gap', (gap) => heard.push(gap));
  await joined(client, name);
  return { client, channel, heard };
}

const hears = (channel, data) =>
  new Promise((resolve) => {
    channel.on('e', (heard) => heard === data && resolve());
  });

test('what was missed is heard from another node, once and in order, whichever node took it', { skip, timeout: 30_000 }, async () => {
  target = nodes[0];
  const { client, channel, heard } = await listener('private-a');
  const first = hears(channel, 2);
  for (const number of [1, 2]) await nodes[number - 1].publish('private-a', 'e', number);
  await first;
  client.disconnect();
  for (const number of range(3, 52)) await nodes[number % 2].publish('private-a', 'e', number);
  target = nodes[1];
  const last = hears(channel, 53);
  client.connect();
  await joined(client, 'private-a');
  await nodes[0].publish('private-a', 'e', 53);
  await last;
  assert.deepEqual(heard, range(1, 53));
});

test('a node that is killed while events come costs its clients none and doubles none', { skip, timeout: 60_000 }, async () => {
  target = nodes[0];
  const { client, channel, heard } = await listener('private-b');
  const last = hears(channel, 60);
  for (const number of range(1, 20)) await nodes[1].publish('private-b', 'e', number);
  const isDown = once(client, 'disconnected');
  target = nodes[1];
  nodes[0].kill('SIGKILL');
  for (const number of range(21, 60)) await nodes[1].publish('private-b', 'e', number);
  await isDown;
  await last;
  assert.deepEqual(heard, range(1, 60));
  await nodes[0].start();
});

test('a Redis that has lost everything leaves a gap where something was missed', { skip, timeout: 60_000 }, async () => {
  target = nodes[1];
  const { client, channel, heard } = await listener('private-c');
  const first = hears(channel, 'before');
  await nodes[0].publish('private-c', 'e', 'before');
  await first;
  client.disconnect();
  await nodes[0].publish('private-c', 'e', 'lost');
  await command('FLUSHALL');
  const gap = once(channel, 'pushler:gap');
  client.connect();
  await gap;
  const last = hears(channel, 'after');
  await until(() => nodes[0].publish('private-c', 'e', 'after'));
  await last;
  assert.deepEqual([heard[0], heard[1].channel, heard.at(-1)], ['before', 'private-c', 'after']);
});
