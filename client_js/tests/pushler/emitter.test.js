import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Emitter } from '../../pushler/emitter.js';

test('the same function is bound once', () => {
  const emitter = new Emitter();
  const seen = mock.fn();
  emitter.on('a', seen).on('a', seen);
  emitter._emit('a', 1);
  assert.equal(seen.mock.callCount(), 1);
});

test('off forgets one handler, an event, or everything', () => {
  const emitter = new Emitter();
  const [one, two, three] = [mock.fn(), mock.fn(), mock.fn()];
  emitter.on('a', one).on('a', two).on('b', three);
  emitter.off('a', one);
  emitter._emit('a');
  assert.deepEqual([one.mock.callCount(), two.mock.callCount()], [0, 1]);
  emitter.off('a');
  emitter._emit('a');
  assert.equal(two.mock.callCount(), 1);
  emitter.off();
  emitter._emit('b');
  assert.equal(three.mock.callCount(), 0);
});

test('a handler removed by an earlier one is not called any more', () => {
  const emitter = new Emitter();
  const second = mock.fn();
  emitter.on('a', () => emitter.off('a', second)).on('a', second);
  emitter._emit('a');
  assert.equal(second.mock.callCount(), 0);
});

test('a handler that throws is reported and does not stop the others', (t) => {
  const report = t.mock.method(console, 'error', () => {});
  const emitter = new Emitter();
  const second = mock.fn();
  emitter.on('a', () => { throw new Error('mine'); }).on('a', second);
  emitter._emit('a');
  assert.equal(second.mock.callCount(), 1);
  assert.equal(report.mock.callCount(), 1);
});

test('closures bound in a repeating callback replace those of its last run', () => {
  const emitter = new Emitter();
  const heard = [];
  let run = 0;
  emitter.on('connected', () => {
    run += 1;
    const mine = run;
    emitter.on('a', () => heard.push(`first of ${mine}`));
    emitter.on('a', () => heard.push(`second of ${mine}`));
  });
  emitter._emit('connected');
  emitter._emit('connected');
  emitter._emit('connected');
  emitter._emit('a');
  assert.deepEqual(heard, ['first of 3', 'second of 3']);
});

test('two repeating callbacks keep their handlers apart', () => {
  const emitter = new Emitter();
  const heard = [];
  emitter.on('connected', () => emitter.on('a', () => heard.push('one')));
  emitter.on('connected', () => emitter.on('a', () => heard.push('two')));
  emitter._emit('connected');
  emitter._emit('connected');
  emitter._emit('a');
  assert.deepEqual(heard.sort(), ['one', 'two']);
});

test('a callback that binds on its first run only keeps its handlers', () => {
  const emitter = new Emitter();
  const heard = mock.fn();
  let bound = false;
  emitter.on('connected', () => {
    if (!bound) emitter.on('a', heard);
    bound = true;
  });
  emitter._emit('connected');
  emitter._emit('connected');
  emitter._emit('a');
  assert.equal(heard.mock.callCount(), 1);
});

test('handlers bound in an ordinary event stay, even when it came inside a repeating one', () => {
  const emitter = new Emitter();
  const heard = mock.fn();
  emitter.on('state', () => emitter.on('a', () => heard()));
  emitter.on('connected', () => emitter._emit('state'));
  emitter._emit('connected');
  emitter._emit('connected');
  emitter._emit('a');
  assert.equal(heard.mock.callCount(), 2);
});
