/** The panel's controller before a desk and a relay that exist only in a test. */

import { afterEach, beforeEach, mock } from 'node:test';
import { Controller } from '../../operator/controller.js';
import { PushlerClient } from '../../pushler/index.js';
import { fakeSockets, json, memoryStorage, message, settle } from './fakes.js';

export let Socket;
export let server;
export let notes;
export let tick;

/** Each test of the file begins with a desk of its own; `server` is its answers, to be replaced. */
export function useFakeDesk() {
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
      colleagues: async () => ({ operators: [] }),
      groups: async () => ({ groups: [] }),
      notes: async () => ({ notes: [] }),
      transfers: [],
      transfer: async (...args) => {
        server.transfers.push(args);
        return { ticket: { ticket_id: args[0], operator_name: args[1] ? `N${args[1]}` : null } };
      },
      take: async (id) => ({ ticket: { ticket_id: id, status: 'active', operator_id: 1 } }),
      typing: async () => {},
      send: async (id, { client_id, content }) => ({ message: message(9, { id: 900, ticket_id: id, sender_type: 'operator', client_id, content }) }),
    };
  });
  afterEach(async () => {
    await settle();
    mock.timers.reset();
  });
}

class Client extends PushlerClient {
  constructor(options) {
    super({ ...options, WebSocket: Socket, fetch: async () => json({ auth: 'a' }), random: () => 0 });
  }
}

export function panel(storage = memoryStorage()) {
  return new Controller({
    api: server,
    storage,
    Client,
    ticker: (onTick) => {
      tick = onTick;
      return () => {
        tick = null;
      };
    },
    render: () => {},
    notify: (kind, ticket, watched) => notes.push(`${kind} ${ticket.ticket_id}${watched ? ' watched' : ''}`),
    isVisible: () => true,
  });
}

export async function working(storage) {
  const controller = panel(storage);
  await controller.load();
  await settle();
  Socket.last.greet();
  await settle();
  for (const name of ['private-operator-1', 'private-support-queue']) Socket.last.confirm(name);
  await settle();
  return controller;
}

export const tell = async (channel, event, data) => {
  Socket.last.say(event, JSON.stringify(data), { channel });
  await settle();
};
export const assign = (id) => tell('private-operator-1', 'ticket:assigned', { ticket_id: id, visitor_name: 'V', message: 'hi' });
export const ids = (list) => list.map((ticket) => ticket.ticket_id);
