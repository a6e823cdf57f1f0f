import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readMark } from '../../conversation/reading.js';
import { newThread, reduceThread } from '../../conversation/thread.js';

const after = (...tickets) => tickets.reduce((thread, ticket) => reduceThread(thread, { type: 'ticket', ticket }), newThread(7)).ticket;

test('who has read further stays there, whatever comes later', () => {
  assert.equal(after({ visitor_read_seq: 4 }, { visitor_read_seq: 2 }).visitor_read_seq, 4);
  assert.equal(after({ visitor_read_seq: 4 }, { status: 'active' }, { operator_read_seq: 1 }).visitor_read_seq, 4);
  assert.equal(after({ visitor_read_seq: 0 }, { visitor_read_seq: 6 }).visitor_read_seq, 6);
});

test('a desk that keeps no pointers has none', () => {
  assert.deepEqual(after({ status: 'active', last_seq: 3 }), { status: 'active', last_seq: 3 });
});

test('one mark for what the desk has, two for what was read, none where that is not known', () => {
  assert.deepEqual([readMark(3, 2), readMark(3, 3), readMark(3, 0), readMark(3, undefined)], [' ✓', ' ✓✓', ' ✓', '']);
});
