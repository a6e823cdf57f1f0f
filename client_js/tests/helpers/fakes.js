/** A relay and a page that exist only in a test: sockets under the test's control, answers on demand. */

/** Stands in for WebSocket. Each instance is kept in `FakeSocket.all`, with what was sent. */
export function fakeSockets() {
  class FakeSocket {
    static all = [];
    readyState = 0;
    sent = [];

    constructor(url) {
      this.url = url;
      FakeSocket.all.push(this);
    }

    static get last() {
      return FakeSocket.all.at(-1);
    }

    send(text) {
      this.sent.push(JSON.parse(text));
    }

    close() {
      this.readyState = 3;
      this.closed = true;
    }

    // What the relay does:

    greet(socketId = '1.1', activityTimeout = 120) {
      this.readyState = 1;
      this.say('pusher:connection_established', JSON.stringify({ socket_id: socketId, activity_timeout: activityTimeout }));
    }

    say(event, data, extra = {}) {
      this.onmessage?.({ data: JSON.stringify({ event, data, ...extra }) });
    }

    confirm(channel, data = '{}') {
      this.say('pusher_internal:subscription_succeeded', data, { channel });
    }

    /** As a relay that keeps the history of `channel`. */
    confirmAt(channel, position, recovered) {
      this.confirm(channel, JSON.stringify({ position, recovered }));
    }

    drop(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }

    sentEvents(event) {
      return this.sent.filter((message) => message.event === event);
    }

    get subscribed() {
      return this.sentEvents('pusher:subscribe').map((message) => message.data.channel);
    }
  }
  return FakeSocket;
}

/** Let all promises that are already settled run their course (fake timers do not touch this). */
export async function settle(rounds = 20) {
  for (let i = 0; i < rounds; i += 1) await Promise.resolve();
}

/** Wait, in mocked time, for the socket after the first `count` ones; it is greeted as `socketId`. */
export async function nextSocket(Socket, timers, socketId, count) {
  for (let i = 0; i < 2000 && Socket.all.length === count; i += 1) timers.tick(50);
  Socket.last.greet(socketId);
  await settle();
}

/** Lose the connection and come back as `socketId`, in mocked time. */
export function reconnect(Socket, timers, socketId = '2.2', code = 1006) {
  const count = Socket.all.length;
  Socket.last.drop(code);
  return nextSocket(Socket, timers, socketId, count);
}

/** A promise with its handles. */
export function deferred() {
  const handles = {};
  const promise = new Promise((resolve, reject) => Object.assign(handles, { resolve, reject }));
  return Object.assign(promise, handles);
}

/** An HTTP answer. */
export function json(body, status = 200, headers = {}) {
  return new Response(JSON.stringify(body), { status, headers });
}

/** A stored message of ticket 7. */
export function message(seq, extra = {}) {
  return {
    id: 100 + seq,
    ticket_id: 7,
    seq,
    sender_type: 'operator',
    sender_id: '1',
    sender_name: 'Olga',
    content: `text ${seq}`,
    created_at: '2026-01-01T10:00:00.000Z',
    client_id: null,
    ...extra,
  };
}

/** Storage in memory with the shape of kit/storage.js. `memoryStorage(other)` is another tab's view of the same one. */
export function memoryStorage({ values, tabs } = { values: new Map(), tabs: [] }) {
  const watches = new Set();
  tabs.push(watches);
  const tell = (name) => {
    const others = tabs.filter((tab) => tab !== watches).flatMap((tab) => [...tab]);
    for (const [watched, changed] of others) if (watched === name) changed();
  };
  const storage = {
    values,
    tabs,
    prefix: 'test:',
    get: (name) => (values.has(name) ? JSON.parse(values.get(name)) : null),
    set(name, value) {
      if (value === null) values.delete(name);
      else values.set(name, JSON.stringify(value));
      tell(name);
    },
    slot: (name) => ({ get: () => storage.get(name), set: (value) => storage.set(name, value) }),
    watch(name, changed) {
      const entry = [name, changed];
      watches.add(entry);
      return () => watches.delete(entry);
    },
  };
  return storage;
}
