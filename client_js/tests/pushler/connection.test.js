import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Connection } from '../../pushler/connection.js';
import { fakeSockets } from '../helpers/fakes.js';

let Socket;
let seen;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  Socket = fakeSockets();
  seen = [];
});
afterEach(() => mock.timers.reset());

function open(options = {}) {
  const connection = new Connection(
    { WebSocket: Socket, key: 'k', host: 'h', port: 1, tls: false, activityTimeout: 120_000, pongTimeout: 30_000, random: () => 0.5, ...options },
    {
      onState: (state, info) => seen.push([state, info]),
      onDown: (info) => seen.push(['down', info]),
      onMessage: (message) => seen.push(['message', message.event]),
      onError: (error) => seen.push(['error', error]),
    },
  );
  connection.open();
  return connection;
}

const names = () => seen.map(([name]) => name);
const waits = () => seen.filter(([name]) => name === 'reconnecting').map(([, info]) => info.delay);

test('a refusal by code 40xx ends it for good', () => {
  for (const code of [4000, 4001, 4009]) {
    seen = [];
    Socket.all = [];
    open();
    Socket.last.drop(code, 'no');
    mock.timers.tick(600_000);
    assert.equal(Socket.all.length, 1);
    assert.deepEqual(names(), ['connecting', 'disconnected', 'down']);
    assert.equal(seen.at(-1)[1].reconnecting, false);
  }
});

test('after a permanent close open() tries again', () => {
  const connection = open();
  Socket.last.drop(4001);
  connection.open();
  assert.equal(Socket.all.length, 2);
});

test('a lost connection comes back after the back-off, longer each time', () => {
  open();
  for (let i = 0; i < 4; i += 1) {
    Socket.last.drop(1006);
    mock.timers.tick(waits().at(-1));
  }
  assert.deepEqual(waits(), [500, 1000, 2000, 4000]);
  assert.equal(Socket.all.length, 5);
});

test('codes 41xx wait a second more, 42xx come back nearly at once', () => {
  open();
  Socket.last.drop(4100);
  assert.deepEqual(waits(), [1500]);
  mock.timers.tick(1500);
  Socket.last.drop(4200);
  assert.equal(waits().at(-1), 250);
});

test('a connection that lived a while resets the back-off, a short one does not', () => {
  open();
  Socket.last.drop();
  mock.timers.tick(500);
  Socket.last.greet();
  Socket.last.drop();
  assert.deepEqual(waits(), [500, 1000]);
  mock.timers.tick(1000);
  Socket.last.greet();
  mock.timers.tick(5000);
  Socket.last.drop();
  assert.deepEqual(waits(), [500, 1000, 500]);
});

test('an established connection that is lost says so once, then reconnects', () => {
  open();
  Socket.last.greet();
  Socket.last.drop(1006, 'gone');
  assert.deepEqual(names(), ['connecting', 'connected', 'down', 'reconnecting']);
  assert.deepEqual(seen[2][1], { code: 1006, reason: 'gone', reconnecting: true });
});

test('silence leads to a ping, and a missing pong to a new connection', () => {
  open();
  Socket.last.greet('1.1', 30);
  mock.timers.tick(29_999);
  assert.equal(Socket.last.sent.length, 0);
  mock.timers.tick(1);
  assert.deepEqual(Socket.last.sent, [{ event: 'pusher:ping', data: {} }]);
  mock.timers.tick(30_000);
  assert.equal(Socket.all[0].closed, true);
  assert.equal(names().at(-1), 'reconnecting');
  assert.equal(waits().at(-1), 250);
});

test('any message counts as a sign of life', () => {
  open();
  Socket.last.greet('1.1', 30);
  mock.timers.tick(29_000);
  Socket.last.say('e', '1', { channel: 'a' });
  mock.timers.tick(29_000);
  assert.equal(Socket.last.sent.length, 0);
  mock.timers.tick(1000);
  Socket.last.say('pusher:pong', {});
  mock.timers.tick(29_000);
  assert.equal(Socket.all[0].closed, undefined);
});

test('a greeting without an activity timeout takes our own', () => {
  open({ activityTimeout: 60_000 });
  Socket.last.readyState = 1;
  Socket.last.say('pusher:connection_established', '{"socket_id":"1.1"}');
  mock.timers.tick(60_000);
  assert.equal(Socket.last.sent.length, 1);
});

test('a ping of the relay is answered', () => {
  open();
  Socket.last.greet();
  Socket.last.say('pusher:ping', {});
  assert.deepEqual(Socket.last.sent, [{ event: 'pusher:pong', data: {} }]);
});

test('a relay that does not greet is left', () => {
  open();
  mock.timers.tick(10_000);
  assert.equal(Socket.all[0].closed, true);
  assert.equal(names().at(-1), 'reconnecting');
});

test('an error instead of the greeting is treated like its code, even without a close', () => {
  open();
  Socket.last.say('pusher:error', { code: 4001, message: 'unknown key' });
  assert.deepEqual(names(), ['connecting', 'error', 'disconnected', 'down']);
  assert.equal(seen.at(-1)[1].code, 4001);
});

test('an error on a standing connection is only told', () => {
  open();
  Socket.last.greet();
  Socket.last.say('pusher:error', { code: 4301, message: 'slow' }, { channel: 'a' });
  assert.deepEqual(seen.at(-1), ['error', { code: 4301, message: 'slow', channel: 'a' }]);
  assert.equal(Socket.last.closed, undefined);
});

test('an old socket that speaks or closes late is not heard', () => {
  open();
  const old = Socket.last;
  const { onmessage, onclose } = old;
  old.drop();
  mock.timers.tick(500);
  Socket.last.greet('2.2');
  seen = [];
  onmessage({ data: '{"event":"e"}' });
  onclose({ code: 4001 });
  assert.deepEqual(seen, []);
});

test('unreadable frames are told and do no harm', () => {
  open();
  Socket.last.greet();
  Socket.last.onmessage({ data: 'nonsense' });
  assert.equal(names().at(-1), 'error');
  Socket.last.say('e', 1);
  assert.equal(names().at(-1), 'message');
});

test('an address that the browser refuses counts as a failed attempt', () => {
  let tries = 0;
  open({ WebSocket: class { constructor() { tries += 1; throw new Error('blocked'); } } });
  assert.deepEqual(names(), ['connecting', 'error', 'reconnecting']);
  mock.timers.tick(500);
  assert.equal(tries, 2);
});

test('when the network returns, a waiting client tries at once and a connected one asks for a sign of life', (t) => {
  const events = new EventTarget();
  globalThis.addEventListener = events.addEventListener.bind(events);
  globalThis.removeEventListener = events.removeEventListener.bind(events);
  t.after(() => {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  });
  const connection = open();
  Socket.last.drop();
  events.dispatchEvent(new Event('online'));
  assert.equal(Socket.all.length, 2);
  Socket.last.greet('2.2');
  events.dispatchEvent(new Event('online'));
  assert.equal(Socket.last.sentEvents('pusher:ping').length, 1);
  mock.timers.tick(4000);
  assert.equal(connection.state, 'reconnecting');
  connection.close();
  events.dispatchEvent(new Event('online'));
  assert.equal(Socket.all.length, 2);
});

test('a handler that closes the connection during the loss stops the return', () => {
  const sink = { onState: () => {}, onMessage: () => {}, onError: () => {}, onDown: () => connection.close() };
  const connection = new Connection({ WebSocket: Socket, key: 'k', activityTimeout: 1, pongTimeout: 1, random: () => 0 }, sink);
  connection.open();
  Socket.last.greet();
  Socket.last.drop();
  mock.timers.tick(60_000);
  assert.equal(Socket.all.length, 1);
  assert.equal(connection.state, 'disconnected');
});
