import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { HttpError, isTemporary, request } from '../../kit/http.js';
import { newId } from '../../kit/ids.js';
import { openStorage } from '../../kit/storage.js';
import { backoff, throttle } from '../../kit/timing.js';
import { json } from '../helpers/fakes.js';

test('ids are long and new each time, with and without randomUUID', (t) => {
  assert.notEqual(newId(), newId());
  assert.ok(newId().length <= 64);
  t.mock.method(crypto, 'randomUUID', undefined);
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true });
  t.after(() => delete crypto.randomUUID);
  assert.match(newId(), /^[0-9a-f]{32}$/);
});

test('storage keeps values apart by prefix and removes with null', (t) => {
  const values = new Map();
  globalThis.localStorage = { getItem: (k) => values.get(k) ?? null, setItem: (k, v) => void values.set(k, v), removeItem: (k) => void values.delete(k) };
  t.after(() => delete globalThis.localStorage);
  const [one, two] = [openStorage('a:'), openStorage('b:')];
  one.set('x', { n: 1 });
  two.slot('x').set([2]);
  assert.deepEqual([one.get('x'), two.slot('x').get()], [{ n: 1 }, [2]]);
  one.set('x', null);
  assert.equal(one.get('x'), null);
  values.set('a:bad', '{');
  assert.equal(one.get('bad'), null);
});

test('without storage, memory stands in', (t) => {
  Object.defineProperty(globalThis, 'localStorage', { configurable: true, get() { throw new Error('denied'); } });
  t.after(() => delete globalThis.localStorage);
  const storage = openStorage('a:');
  storage.set('x', 1);
  assert.equal(storage.get('x'), 1);
  storage.set('x', null);
  assert.equal(storage.get('x'), null);
});

test('a full storage falls back to memory for that value', (t) => {
  globalThis.localStorage = { getItem: () => null, setItem() { throw new Error('quota'); }, removeItem() {} };
  t.after(() => delete globalThis.localStorage);
  const storage = openStorage('a:');
  storage.set('x', 1);
  assert.equal(storage.get('x'), 1);
});

test('the back-off doubles, keeps half for certain and has a bound', () => {
  assert.deepEqual([0, 1, 2, 9].map((n) => backoff(n, () => 0)), [500, 1000, 2000, 15_000]);
  assert.equal(backoff(9, () => 1), 30_000);
});

test('a throttled act happens at once and then once in its time', () => {
  mock.timers.enable({ apis: ['Date'], now: 5 });
  const act = mock.fn();
  const often = throttle(2000, act);
  often();
  often();
  mock.timers.tick(1999);
  often();
  assert.equal(act.mock.callCount(), 1);
  mock.timers.tick(1);
  often();
  assert.equal(act.mock.callCount(), 2);
  mock.timers.reset();
});

test('a throttle\'s pause can be shortened once', () => {
  mock.timers.enable({ apis: ['Date'], now: 5 });
  const act = mock.fn();
  const often = throttle(2000, act);
  often();
  mock.timers.tick(1000);
  often.shorten(1000);
  often();
  mock.timers.tick(1999);
  often();
  assert.equal(act.mock.callCount(), 2);
  mock.timers.reset();
});

test('a request with a body is a JSON post', async (t) => {
  const fetch = t.mock.method(globalThis, 'fetch', async () => json({ ok: 1 }));
  assert.deepEqual(await request('/x', { body: { a: 1 }, headers: { Authorization: 'Bearer t' } }), { ok: 1 });
  const [url, init] = fetch.mock.calls[0].arguments;
  assert.deepEqual([url, init.method, init.body, init.credentials], ['/x', 'POST', '{"a":1}', 'same-origin']);
  assert.deepEqual(init.headers, { 'Content-Type': 'application/json', Authorization: 'Bearer t' });
});

test('an error answer carries status, code, field and the wait', async (t) => {
  t.mock.method(globalThis, 'fetch', async () => json({ error: { code: 'slow', message: 'm', field: 'f' } }, 429, { 'Retry-After': '3' }));
  await assert.rejects(request('/x'), { status: 429, code: 'slow', field: 'f', retryAfterMs: 3000, message: 'm' });
});

test('an error page that is not JSON is still an error with its status', async (t) => {
  t.mock.method(globalThis, 'fetch', async () => new Response('<html>', { status: 502 }));
  await assert.rejects(request('/x'), { name: 'HttpError', status: 502 });
});

test('no answer, or a success that is not JSON, has status 0', async (t) => {
  t.mock.method(globalThis, 'fetch', async () => { throw new TypeError('network'); });
  await assert.rejects(request('/x'), { status: 0 });
  t.mock.method(globalThis, 'fetch', async () => new Response('<html>', { status: 200 }));
  await assert.rejects(request('/x'), { status: 0 });
});

test('what may succeed later is told from what will not', () => {
  for (const status of [0, 408, 429, 500, 503]) assert.equal(isTemporary(new HttpError(status)), true, String(status));
  for (const status of [400, 401, 403, 404, 409, 422]) assert.equal(isTemporary(new HttpError(status)), false, String(status));
});
