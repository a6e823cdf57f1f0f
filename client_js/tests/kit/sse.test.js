import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parser } from '../../kit/sse.js';

test('events are read whole, wherever the pieces end', () => {
  const stream = 'event: state\ndata: {"a":1}\n\n: still here\n\nevent: missed\ndata: {"count":"x: y"}\n\n';
  for (let size = 1; size <= stream.length; size += 1) {
    const told = [];
    const parse = parser((event, data) => told.push([event, data]));
    for (let at = 0; at < stream.length; at += size) parse(stream.slice(at, at + size));
    assert.deepEqual(told, [['state', { a: 1 }], ['missed', { count: 'x: y' }]]);
  }
});
