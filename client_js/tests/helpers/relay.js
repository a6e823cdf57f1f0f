/** The real relay as a process of its own on a free port, and what an application's server does beside it. */

import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import WebSocket from 'ws';
import { PushlerClient } from '../../pushler/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const python = [process.env.PYTHON, `${root}.venv/bin/python`].find((path) => path && existsSync(path));

/** Why tests of it are left out, or false. */
export const skip = python && existsSync(`${root}relay/__main__.py`) ? false : 'the relay or its Python is not here';
if (skip && process.env.CI) throw new Error(skip);

/** The development application, whose secret only a relay on loopback takes. */
const [APP, KEY, SECRET] = ['1', 'app-key', 'app-secret'];
const sign = (text) => createHmac('sha256', SECRET).update(text).digest('hex');

export class Relay {
  /** `config`: path of a TOML file; without one there is the development application. `more`: of the environment. */
  constructor(config, more = {}) {
    this._env = { ...(config && { RELAY_CONFIG: config }), ...more };
    this._clients = [];
  }

  async start() {
    this.port ??= await freePort();
    const env = { ...process.env, RELAY_HOST: '127.0.0.1', RELAY_PORT: String(this.port), ...this._env };
    this._process = spawn(python, ['-m', 'relay', 'serve'], { cwd: root, env, stdio: 'ignore' });
    for (let tries = 0; tries < 100; tries += 1) {
      const answer = await fetch(`http://127.0.0.1:${this.port}/up`).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error('the relay did not start');
  }

  kill(signal) {
    this._process?.kill(signal);
  }

  /** The end of a test file: the clients go too. */
  stop() {
    for (const client of this._clients) client.disconnect();
    this.kill();
  }

  /** A client of this relay, `user` by the word of the application's server. */
  open(user, options = {}) {
    const client = new PushlerClient({ appKey: KEY, wsHost: '127.0.0.1', wsPort: this.port, WebSocket, fetch: authorize(user), ...options });
    this._clients.push(client);
    return client;
  }

  /** Publish an event as the application's server; resolves when the relay has taken it. */
  async publish(channel, name, data, more = {}) {
    const body = JSON.stringify({ channel, name, data: JSON.stringify(data), ...more });
    const path = `/apps/${APP}/events`;
    const digest = createHash('md5').update(body).digest('hex');
    const query = `auth_key=${KEY}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0&body_md5=${digest}`;
    const signature = sign(`POST\n${path}\n${query}`);
    const answer = await fetch(`http://127.0.0.1:${this.port}${path}?${query}&auth_signature=${signature}`, { method: 'POST', body });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  }
}

export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** What the application's endpoint for authorisations answers. */
function authorize(user) {
  return async (_url, { body }) => {
    const fields = new URLSearchParams(body);
    const data = fields.get('channel_name').startsWith('presence-') ? JSON.stringify({ user_id: user, user_info: { name: user } }) : undefined;
    const text = [fields.get('socket_id'), fields.get('channel_name'), data].filter(Boolean).join(':');
    return new Response(JSON.stringify({ auth: `${KEY}:${sign(text)}`, channel_data: data }));
  };
}

/** Numbers from `first` to `last`. */
export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

export const once = (emitter, event) => new Promise((resolve) => emitter.on(event, resolve));

export async function joined(client, name) {
  while (!client.channel(name)?.subscribed) await new Promise((resolve) => setTimeout(resolve, 20));
}
