import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockText, dayText, wholeText } from '../../operator/times.js';

const t = (key) => `<${key}>`;
const now = new Date(2026, 2, 1, 0, 30).getTime();

test('days are told as people say them, over months, summer time and years', () => {
  assert.equal(dayText(new Date(2026, 2, 1, 0, 1), now, 'en-GB', t), '<today>');
  assert.equal(dayText(new Date(2026, 1, 28, 23, 59), now, 'en-GB', t), '<yesterday>');
  assert.equal(dayText(new Date(2026, 1, 27, 12), now, 'en-GB', t), 'Friday 27 February');
  assert.equal(dayText(new Date(2025, 11, 31, 12), now, 'ru', t), 'среда, 31 декабря 2025 г.');
});

test('times are written in the way of the place', () => {
  const time = new Date(2026, 2, 1, 14, 5);
  assert.equal(clockText(time, 'en-GB'), '14:05');
  assert.match(clockText(time, 'en-US'), /^02:05\sPM$/);
  assert.equal(wholeText(time.toISOString(), 'en-GB'), '1 Mar 2026, 14:05');
});
