/** The client against the real relay, as a process of its own on a free port. Skipped where there is no Python for it. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { PushlerClient } from '../../pushler/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const python = [process.env.PYTHON, `${root}.venv/bin/python`].find((path) => path && existsSync(path));
const skip = python && existsSync(`${root}relay/__main__.py`) ? false : 'the relay or its Python is not here';
if (skip && process.env.CI) throw new Error(skip);

const clients = [];
let port;
let relay;

before(async () => {
  if (skip) return;
  port = await freePort();
  await startRelay();
});
after(() => {
  clients.forEach((client) => client.disconnect());
  relay?.kill();
});

async function startRelay() {
  relay = spawn(python, ['-m', 'relay', 'serve'], { cwd: root, env: { ...process.env, RELAY_HOST: '127.0.0.1', RELAY_PORT: String(port) }, stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`http://127.0.0.1:${port}/up`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the relay did not start');
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = server.address();
      server.close(() => resolve(free));
    });
  });
}

/** What an application's auth endpoint answers for the development application. */
function authorize(user) {
  return async (_url, { body }) => {
    const fields = new URLSearchParams(body);
    const data = fields.get('channel_name').startsWith('presence-') ? JSON.stringify({ user_id: user, user_info: { name: user } }) : undefined;
    const text = [fields.get('socket_id'), fields.get('channel_name'), data].filter(Boolean).join(':');
    const signature = createHmac('sha256', 'app-secret').update(text).digest('hex');
    return new Response(JSON.stringify({ auth: `app-key:${signature}`, channel_data: data }));
  };
}

function open(user, options = {}) {
  const client = new PushlerClient({ appKey: 'app-key', wsHost: '127.0.0.1', wsPort: port, WebSocket, fetch: authorize(user), ...options });
  clients.push(client);
  return client;
}

const once = (emitter, event) => new Promise((resolve) => emitter.on(event, resolve));

test('two clients meet in a presence channel and talk by client events', { skip, timeout: 20_000 }, async () => {
  const [ann, bob] = [open('ann'), open('bob')];
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
  const down = await once(open('x', { appKey: 'unknown' }), 'disconnected');
  assert.deepEqual([down.code, down.reconnecting], [4001, false]);
});

test('after a kill of the relay the client is back by itself and hears each event once', { skip, timeout: 40_000 }, async () => {
  const client = open('eve');
  const other = open('dan');
  const heard = [];
  client.on('connected', () => client.subscribe('private-x').on('client-e', (data) => heard.push(data)));
  const sender = other.subscribe('private-x');
  await Promise.all([once(sender, 'pushler:subscription_succeeded'), once(client, 'connected')]);
  await joined(client, 'private-x');
  relay.kill('SIGKILL');
  await once(client, 'disconnected');
  await startRelay();
  await Promise.all([joined(client, 'private-x'), joined(other, 'private-x')]);
  sender.trigger('client-e', 'once');
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(heard, ['once']);
});

async function joined(client, name) {
  while (!client.channel(name)?.subscribed) await new Promise((resolve) => setTimeout(resolve, 20));
}
