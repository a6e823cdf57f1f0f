import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Reach, SLOW_MS } from '../../operator/reach.js';
import { HttpError } from '../../kit/http.js';
import { deferred, settle } from '../helpers/fakes.js';

let told;
let reach;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  told = [];
  reach = new Reach((isThere) => told.push(isThere));
});
afterEach(() => mock.timers.reset());

test('an unanswered call and one that only a proxy answered say that the desk is away, any answer that it is there', async () => {
  for (const status of [0, 502, 503, 504, 500, 403, 429]) await reach.watch(Promise.reject(new HttpError(status))).catch(() => {});
  assert.equal(await reach.watch(Promise.resolve('answer')), 'answer');
  await settle();
  assert.deepEqual(told, [false, false, false, false, true, true, true, true]);
});

test('a call that waits says so within three seconds of its start, long before it fails', async () => {
  const call = deferred();
  reach.watch(call);
  mock.timers.tick(2999);
  assert.deepEqual(told, [false]);
  call.resolve();
  await settle();
  assert.deepEqual(told, [false, true]);
});

test('one slow call beside others that are answered says nothing', async () => {
  reach.watch(deferred());
  for (let answers = 1; answers <= 3; answers++) {
    reach.watch(Promise.resolve());
    await settle();
    mock.timers.tick(SLOW_MS - 1);
  }
  assert.deepEqual(told, [true, true, true]);
});

test('a desk that stops answering after it answered others is noticed soon after its last answer', async () => {
  reach.watch(deferred());
  mock.timers.tick(SLOW_MS - 1);
  reach.watch(Promise.resolve());
  await settle();
  mock.timers.tick(1);
  assert.deepEqual(told, [true]);
  mock.timers.tick(SLOW_MS);
  assert.deepEqual(told, [true, false]);
});
