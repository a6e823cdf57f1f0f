import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, PAUSE_MS } from '../../operator/groups.js';

const START = new Date(2026, 4, 1, 12).getTime();
let nextId = 1;
const said = (sender_type, after, more = {}) => ({
  id: (nextId += 1), sender_type, sender_id: sender_type, created_at: new Date(START + after).toISOString(), ...more,
});
const marks = (messages) => grouped(messages, '1').map(({ day, first, last }) => (day ? 'day' : `${first ? 'first' : ''}${last ? 'last' : ''}`));

test('what one person says at a stretch is one group', () => {
  assert.deepEqual(marks([said('visitor', 0), said('visitor', 1000), said('visitor', 2000), said('operator', 3000)]), ['day', 'first', '', 'last', 'firstlast']);
});

test('what is on its way stands with what I said before', () => {
  const pending = { client_id: 'c', created_at: new Date(START + 1).toISOString() };
  assert.deepEqual(marks([said('operator', 0, { sender_id: '1' }), pending]), ['day', 'first', 'last']);
  assert.deepEqual(marks([said('operator', 0, { sender_id: '2' }), pending]), ['day', 'firstlast', 'firstlast']);
});

test('a pause begins a new group', () => {
  assert.deepEqual(marks([said('visitor', 0), said('visitor', PAUSE_MS)]), ['day', 'firstlast', 'firstlast']);
});

test('two operators are two groups, and each line of the system is one', () => {
  assert.deepEqual(marks([said('operator', 0), said('operator', 1, { sender_id: 'other' })]), ['day', 'firstlast', 'firstlast']);
  assert.deepEqual(marks([said('system', 0), said('system', 1)]), ['day', 'firstlast', 'firstlast']);
});

test('each day has a line, and no group goes over midnight', () => {
  const midnight = 12 * 3_600_000;
  assert.deepEqual(marks([said('visitor', midnight - 1000), said('visitor', midnight + 1000)]), ['day', 'firstlast', 'day', 'firstlast']);
});

test('a line stands before the first new message, and not before the very first', () => {
  const messages = [said('visitor', 0, { seq: 1 }), said('visitor', 1, { seq: 2 }), said('visitor', 2, { seq: 3 })];
  const kinds = (newFrom) => grouped(messages, '1', newFrom).map(({ day, fresh, message }) => (day ? 'day' : fresh ? 'new' : message.seq));
  assert.deepEqual(kinds(2), ['day', 1, 'new', 2, 3]);
  assert.deepEqual([kinds(1), kinds(null)], [['day', 1, 2, 3], ['day', 1, 2, 3]]);
  assert.deepEqual(grouped(messages, '1', 2).filter(({ message }) => message).map(({ first, last }) => [first, last]), [[true, true], [true, false], [false, true]]);
});

test('nothing said is nothing shown', () => {
  assert.deepEqual(grouped([], '1'), []);
});
