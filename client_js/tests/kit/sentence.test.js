import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fill } from '../../kit/sentence.js';

test('a name that is written the other way does not turn the sentence around it', () => {
  assert.equal(fill('{name} is typing…', { name: 'עמית (2)' }), '\u2068עמית (2)\u2069 is typing…');
});

test('a number stands as it is', () => {
  assert.equal(fill('unread: {n}', { n: 3 }), 'unread: 3');
});

test('a value is not searched for places, nor for the patterns of replace', () => {
  assert.equal(fill('{name}: {n}', { name: '{n} $&', n: 1 }), '\u2068{n} $&\u2069: 1');
});
