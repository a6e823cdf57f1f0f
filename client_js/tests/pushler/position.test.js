import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Position } from '../../pushler/position.js';

let gaps;
let position;

beforeEach(() => {
  gaps = [];
  position = new Position({ name: 'a', _emit: (event, data) => gaps.push([event, data]) });
});

/** Gaps that were told of since the last look. */
const told = () => gaps.splice(0).map(([event, { channel, since }]) => [event, channel, since]);
const gapAfter = (since) => ['pushler:gap', 'a', since];

function at(since) {
  position.since = since;
}

test('ids are compared by time and then by number, not as text', () => {
  const later = [['e1e1e1e1.9-0', 'e1e1e1e1.10-0'], ['e1e1e1e1.1732510000000-9', 'e1e1e1e1.1732510000000-10'], ['e1e1e1e1.1-5', 'e1e1e1e1.2-0'], ['e1e1e1e1.0-0', 'e1e1e1e1.1-0']];
  for (const [last, next] of later) {
    at(last);
    assert.equal(position.advance(next), true, `${last} → ${next}`);
    assert.equal(position.since, next);
    assert.equal(position.advance(last), false, `${next} → ${last}`);
    assert.equal(position.since, next);
  }
  assert.deepEqual(told(), []);
});

test('the same id again is a double', () => {
  at('e1e1e1e1.5-1');
  assert.equal(position.advance('e1e1e1e1.5-1'), false);
});

test('an event without an id, or with one of another form, always passes and moves nothing', () => {
  at('e1e1e1e1.5-1');
  for (const id of [undefined, '', '5-1', 'e1e1e1e1.5', 'e1e1e1e1.x-1', 7]) assert.equal(position.advance(id), true);
  assert.equal(position.since, 'e1e1e1e1.5-1');
});

test('an id of another epoch is taken, however small, and what came between may be lost', () => {
  at('e1e1e1e1.500-1');
  assert.equal(position.advance('f2f2f2f2.3-0'), true);
  assert.equal(position.since, 'f2f2f2f2.3-0');
  assert.deepEqual(told(), [gapAfter('e1e1e1e1.500-1')]);
});

test('the first id of all is taken without a gap, also where there was no event when we joined', () => {
  for (const since of ['', '0']) {
    at(since);
    assert.equal(position.advance('e1e1e1e1.5-0'), true);
    assert.equal(position.since, 'e1e1e1e1.5-0');
  }
  assert.deepEqual(told(), []);
});

test('the first confirmation gives the position, whatever it says of recovery', () => {
  for (const recovered of [true, false]) {
    at('');
    position.confirm({ position: 'e1e1e1e1.5-0', recovered });
    assert.equal(position.since, 'e1e1e1e1.5-0');
  }
  assert.deepEqual(told(), []);
});

test('when what was missed follows, the position moves with it and not before', () => {
  at('e1e1e1e1.5-0');
  position.confirm({ position: 'e1e1e1e1.7-0', recovered: true });
  assert.deepEqual(['e1e1e1e1.6-0', 'e1e1e1e1.7-0', 'e1e1e1e1.7-0'].map((id) => position.advance(id)), [true, true, false]);
  assert.deepEqual(told(), []);
});

test('when it does not, there is a gap and the position is the relay\'s', () => {
  at('e1e1e1e1.5-0');
  position.confirm({ position: 'f2f2f2f2.0-0', recovered: false });
  assert.equal(position.since, 'f2f2f2f2.0-0');
  assert.deepEqual(told(), [gapAfter('e1e1e1e1.5-0')]);
});

test('a relay that remembers the channel no longer leaves a gap, once', () => {
  at('e1e1e1e1.5-0');
  position.confirm({});
  position.confirm({});
  assert.equal(position.since, '');
  assert.deepEqual(told(), [gapAfter('e1e1e1e1.5-0')]);
});

test('a relay that never remembered it leaves none', () => {
  position.confirm({});
  assert.equal(position.since, '');
  assert.deepEqual(told(), []);
});
