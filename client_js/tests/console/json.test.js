import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compact, isJson, pretty } from '../../console/json.js';

test('JSON is laid out as everybody lays it out', () => {
  const value = { a: [1, 2.5e-7, { b: null }], c: {}, d: [], e: 'x, y: {z} "q" \\', f: [[], [[true]]] };
  assert.equal(pretty(JSON.stringify(value)), JSON.stringify(value, null, 2));
  assert.equal(pretty(JSON.stringify(value, null, 7)), JSON.stringify(value, null, 2));
});

test('numbers stay as they were sent', () => {
  assert.equal(pretty('{"id":12345678901234567890,"x":1.0}'), '{\n  "id": 12345678901234567890,\n  "x": 1.0\n}');
  assert.equal(pretty('12345678901234567890'), '12345678901234567890');
});

test('escapes are taken out of texts', () => {
  assert.equal(compact('{"a":"\\u041f\\u0440\\u0438"}'), '{"a": "При"}');
});

test('what a JSON string holds is shown', () => {
  assert.equal(pretty('"{\\"a\\":1}"'), '{\n  "a": 1\n}');
  assert.equal(pretty('"hello"'), 'hello');
});

test('what is no JSON stays as it is', () => {
  for (const text of ['', 'hello', '{', '<img src=x onerror="alert(1)">', "{'a': 1}", '{"a":1}x']) {
    assert.equal(isJson(text), false);
    assert.deepEqual([pretty(text), compact(text)], [text, text]);
  }
});

test('a thousand brackets are laid out in no time and space', () => {
  const deep = '['.repeat(3000) + ']'.repeat(3000);
  assert.ok(pretty(deep).length < 600_000);
});
