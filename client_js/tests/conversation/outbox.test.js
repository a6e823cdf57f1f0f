import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Outbox } from '../../conversation/outbox.js';
import { HttpError } from '../../kit/http.js';
import { deferred, memoryStorage, settle } from '../helpers/fakes.js';

let storage;
let calls;
let sent;
let seen;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  storage = memoryStorage();
  calls = [];
  sent = [];
  seen = [];
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

/** An outbox whose requests wait to be answered by the test: calls[n].resolve(message). */
function open() {
  return new Outbox({
    store: storage.slot('outbox'),
    send: (item) => {
      const call = Object.assign(deferred(), { item });
      calls.push(call);
      return call;
    },
    onChange: (items) => seen.push(items.map(({ client_id: id, state }) => `${id} ${state}`)),
    onSent: (message) => sent.push(message),
  });
}

const item = (id) => ({ client_id: id, content: id });
const waitLong = async () => {
  mock.timers.tick(60_000);
  await settle();
};

test('messages go out one at a time, in order', async () => {
  const outbox = open();
  outbox.add(item('a'));
  outbox.add(item('b'));
  await settle();
  assert.deepEqual(calls.map((call) => call.item.client_id), ['a']);
  calls[0].resolve('stored a');
  await settle();
  assert.deepEqual(calls.map((call) => call.item.client_id), ['a', 'b']);
  calls[1].resolve('stored b');
  await settle();
  assert.deepEqual(sent, ['stored a', 'stored b']);
  assert.equal(storage.get('outbox'), null);
});

test('a message that is added right after a look at an empty queue goes out', async () => {
  const outbox = open();
  outbox.flush();
  outbox.add(item('a'));
  await settle();
  assert.equal(calls.length, 1);
});

test('a message is stored before it is sent, and survives a reload', async () => {
  open().add(item('a'));
  assert.equal(storage.get('outbox')[0].client_id, 'a');
  const next = open();
  assert.deepEqual(next.items.map(({ client_id: id, state }) => [id, state]), [['a', 'sending']]);
  next.flush();
  await settle();
  assert.equal(calls.length, 2);
  assert.equal(calls[1].item.client_id, 'a');
});

test('a temporary failure is tried again by itself with the same id, and the order stays', async () => {
  const outbox = open();
  outbox.add(item('a'));
  outbox.add(item('b'));
  calls[0].reject(new HttpError(0));
  await settle();
  assert.deepEqual(seen.at(-1), ['a retrying', 'b sending']);
  assert.equal(calls.length, 1);
  await waitLong();
  assert.deepEqual(calls.map((call) => call.item.client_id), ['a', 'a']);
  calls[1].resolve('stored a');
  await settle();
  assert.equal(calls[2].item.client_id, 'b');
});

test('the server may say how long to wait', async () => {
  const outbox = open();
  outbox.add(item('a'));
  calls[0].reject(new HttpError(429, { retryAfterMs: 40_000 }));
  await settle();
  mock.timers.tick(39_999);
  await settle();
  assert.equal(calls.length, 1);
  mock.timers.tick(1);
  await settle();
  assert.equal(calls.length, 2);
});

test('a refused message is marked failed and does not hold up the next', async () => {
  const outbox = open();
  outbox.add(item('a'));
  outbox.add(item('b'));
  calls[0].reject(new HttpError(422, { code: 'too_long' }));
  await settle();
  assert.deepEqual(seen.at(-1), ['a failed', 'b sending']);
  calls[1].resolve('stored b');
  await settle();
  await waitLong();
  assert.equal(calls.length, 2);
  outbox.retry('a');
  await settle();
  assert.equal(calls[2].item.client_id, 'a');
});

test('retry does not wait for the timer, and does not send twice', async () => {
  const outbox = open();
  outbox.add(item('a'));
  calls[0].reject(new HttpError(503));
  await settle();
  outbox.retry();
  outbox.retry('a');
  await settle();
  assert.equal(calls.length, 2);
  await waitLong();
  assert.equal(calls.length, 2);
});

test('a message that was seen in the history meanwhile is not sent again', async () => {
  const outbox = open();
  outbox.add(item('a'));
  calls[0].reject(new HttpError(0));
  await settle();
  outbox.remove('a');
  await waitLong();
  assert.equal(calls.length, 1);
  assert.equal(storage.get('outbox'), null);
});

test('two tabs share the storage without dropping each other\'s messages', () => {
  const [one, two] = [open(), open()];
  one.add(item('a'));
  two.add(item('b'));
  assert.deepEqual(storage.get('outbox').map(({ client_id: id }) => id), ['a', 'b']);
  one.remove('a');
  assert.deepEqual(storage.get('outbox').map(({ client_id: id }) => id), ['b']);
});

test('a stopped outbox sends nothing more', async () => {
  const outbox = open();
  outbox.add(item('a'));
  calls[0].reject(new HttpError(0));
  await settle();
  outbox.stop();
  await waitLong();
  assert.equal(calls.length, 1);
});

test('a message that was not taken tells why', async () => {
  const outbox = open();
  outbox.add(item('a'));
  calls[0].reject(new HttpError(429, { message: 'slow' }));
  await settle();
  assert.deepEqual([outbox.items[0].state, outbox.items[0].refusal, outbox.items[0].reason], ['retrying', 'tooMany', 'slow']);
});

test('a cleared outbox hands out what was not stored, and an answer that comes later puts nothing back', async () => {
  const outbox = open();
  outbox.add(item('a'));
  outbox.add(item('b'));
  outbox.stop();
  assert.deepEqual(outbox.clear().map(({ content }) => content), ['a', 'b']);
  calls[0].reject(new HttpError(0));
  await settle();
  assert.equal(storage.get('outbox'), null);
});

test('who leaves waits for the answer that is on its way, and gets back what was not taken', async () => {
  const outbox = open();
  for (const id of ['a', 'b']) outbox.add(item(id));
  const left = outbox.leave();
  calls[0].resolve('stored a');
  assert.deepEqual((await left).map(({ client_id }) => client_id), ['b']);
  assert.equal(storage.get('outbox'), null);
});

test('who leaves gets back a refused message, and leaves what another tab has put there', async () => {
  const outbox = open();
  outbox.add(item('a'));
  open().add(item('theirs'));
  const left = outbox.leave();
  calls[0].reject(new HttpError(403));
  assert.deepEqual((await left).map(({ client_id }) => client_id), ['a']);
  assert.deepEqual(storage.get('outbox').map(({ client_id }) => client_id), ['theirs']);
});
