import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTooLong } from '../../conversation/limits.js';

test('a message has 4,000 characters at most, as people count them', () => {
  assert.deepEqual([isTooLong('x'.repeat(4000)), isTooLong('x'.repeat(4001))], [false, true]);
  assert.equal(isTooLong('😀'.repeat(2001)), false);
  assert.equal(isTooLong(` ${'x'.repeat(4000)}\n`), false);
});

test('a message has 9,000 bytes as JSON at most, quotes and escapes included', () => {
  assert.deepEqual([isTooLong('€'.repeat(2999)), isTooLong(`${'€'.repeat(2999)}x`), isTooLong(`${'€'.repeat(2999)}xx`)], [false, false, true]);
  assert.deepEqual([isTooLong('\u0001'.repeat(1499)), isTooLong('\u0001'.repeat(1500))], [false, true]);
  assert.equal(isTooLong('ж'.repeat(4000)), false);
});
