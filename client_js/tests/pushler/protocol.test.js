import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKOFF_MAX_MS, channelKind, closeAction, decode, encode, publicName, reconnectDelay, repeatsRefusal, SOON_ATTEMPTS, SOON_JITTER_MS, socketUrl } from '../../pushler/protocol.js';

test('the address names key, protocol 7 and the client', () => {
  const url = socketUrl({ tls: false, host: 'h', port: 6001, key: 'key_ключ/1' });
  assert.match(url, /^ws:\/\/h:6001\/app\/key_%D0%BA%D0%BB%D1%8E%D1%87%2F1\?protocol=7&client=pushler-js&version=\d+\.\d+\.\d+$/);
  assert.match(socketUrl({ tls: true, host: 'h', port: 443, path: '/ws', key: 'k' }), /^wss:\/\/h:443\/ws\/app\/k\?/);
});

test('data inside a string is decoded, other text stays text', () => {
  assert.deepEqual(decode('{"event":"a","data":"{\\"x\\":1}"}').data, { x: 1 });
  assert.equal(decode('{"event":"a","data":"plain"}').data, 'plain');
  assert.deepEqual(decode('{"event":"a","data":{"x":1}}').data, { x: 1 });
  assert.equal(decode('{"event":"a","data":"null"}').data, null);
});

test('what is not a message decodes to null', () => {
  for (const text of ['', 'x', 'null', '[]', '1', '{}', '{"event":5}']) assert.equal(decode(text), null, text);
});

test('an encoded message has a channel only when one is given', () => {
  assert.equal(encode('pusher:ping'), '{"event":"pusher:ping","data":{}}');
  assert.deepEqual(JSON.parse(encode('client-x', 'text', 'private-a')), { event: 'client-x', channel: 'private-a', data: 'text' });
});

test('system events get the pushler: prefix, others keep their names', () => {
  assert.equal(publicName('pusher_internal:subscription_succeeded'), 'pushler:subscription_succeeded');
  assert.equal(publicName('pusher:subscription_error'), 'pushler:subscription_error');
  assert.equal(publicName('message:new'), 'message:new');
  assert.equal(publicName('my-pusher:x'), 'my-pusher:x');
});

test('an error repeats a refusal when it says so of the same channel and belongs to none', () => {
  const error = { code: null, message: 'Subscription to channel a refused: no' };
  assert.equal(repeatsRefusal(error, 'a'), true);
  for (const [other, channel] of [[error, 'b'], [error, null], [{ ...error, code: 4009 }, 'a'], [{ ...error, channel: 'a' }, 'a'], [{ ...error, message: {} }, 'a']]) {
    assert.equal(repeatsRefusal(other, channel), false);
  }
});

test('the kind of a channel is its prefix', () => {
  assert.equal(channelKind('private-a'), 'private');
  assert.equal(channelKind('presence-a'), 'presence');
  assert.equal(channelKind('a-private-b'), 'public');
  assert.equal(channelKind('privateer'), 'public');
});

test('close codes fall into never, soon and back-off', () => {
  for (const code of [4000, 4001, 4009, 4099]) assert.equal(closeAction(code), 'never', String(code));
  for (const code of [4200, 4201, 4299]) assert.equal(closeAction(code), 'soon', String(code));
  for (const code of [1000, 1001, 1005, 1006, 1011, 3999, 4100, 4199, 4300, 4999]) assert.equal(closeAction(code), 'backoff', String(code));
});

test('the back-off doubles up to its bound, with full jitter', () => {
  const most = () => 1;
  assert.deepEqual([0, 1, 2, 3, 4, 5, 50].map((attempt) => reconnectDelay(1006, attempt, most)), [1000, 2000, 4000, 8000, 16000, BACKOFF_MAX_MS, BACKOFF_MAX_MS]);
  assert.equal(reconnectDelay(1006, 9, () => 0), 0);
});

test('an overloaded relay gets at least a second of peace', () => {
  assert.equal(reconnectDelay(4100, 0, () => 0), 1000);
});

test('"at once" has a small jitter, and is not believed for ever', () => {
  assert.equal(reconnectDelay(4200, 0, () => 0.5), SOON_JITTER_MS / 2);
  assert.ok(reconnectDelay(4200, SOON_ATTEMPTS, () => 1) > SOON_JITTER_MS);
});
