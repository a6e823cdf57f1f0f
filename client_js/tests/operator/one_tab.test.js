import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { OneTab, SETTLED_MS, shareOf, WAIT_MS } from '../../operator/one_tab.js';

const HIDDEN = { watches: false, focused: false, audible: true };
const LOCKED = { watches: false, focused: true, audible: false };
const FOCUSED = { watches: false, focused: true, audible: true };
const WATCHING = { watches: true, focused: true, audible: true };

let acts;

beforeEach(() => {
  acts = [];
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

/** Tabs of one browser: what one says, all the others hear. */
function tabs(...ids) {
  const listeners = new Map();
  return ids.map((id) => {
    const postMessage = (data) => {
      for (const [other, hear] of listeners) if (other !== id) hear({ data });
    };
    return new OneTab({ id, channel: { postMessage, addEventListener: (_, hear) => listeners.set(id, hear) } });
  });
}

const note = (id) => ({ sound, note }) => acts.push(`${id}${sound ? ' sound' : ''}${note ? ' note' : ''}`);

test('of two hidden tabs one sounds and one shows a note', () => {
  const [a, b] = tabs('a', 'b');
  b.call('message 1', HIDDEN, note('b'));
  a.call('message 1', HIDDEN, note('a'));
  mock.timers.tick(WAIT_MS);
  assert.deepEqual(acts.sort(), ['a sound note', 'b']);
});

test('nobody calls for what the operator has before their eyes in one of the tabs', () => {
  const [a, b] = tabs('a', 'b');
  a.call('message 1', HIDDEN, note('a'));
  b.call('message 1', WATCHING, note('b'));
  mock.timers.tick(WAIT_MS);
  assert.deepEqual(acts.sort(), ['a', 'b']);
});

test('a tab whose sound is locked leaves it to one that can be heard, and nobody shows a note over a focused tab', () => {
  assert.deepEqual(shareOf('a', [{ id: 'a', ...LOCKED }, { id: 'b', ...HIDDEN }]), { sound: false, note: false });
  assert.deepEqual(shareOf('b', [{ id: 'a', ...LOCKED }, { id: 'b', ...HIDDEN }]), { sound: true, note: false });
  assert.deepEqual(shareOf('b', [{ id: 'a', ...HIDDEN }, { id: 'b', ...FOCUSED }]), { sound: true, note: false });
});

test('a tab that hears of it later finds it settled; the same event much later is a new one', () => {
  const [a, b] = tabs('a', 'b');
  a.call('assigned 7', HIDDEN, note('a'));
  mock.timers.tick(WAIT_MS);
  b.call('assigned 7', HIDDEN, note('b'));
  mock.timers.tick(WAIT_MS);
  assert.deepEqual(acts, ['a sound note']);
  mock.timers.tick(SETTLED_MS);
  b.call('assigned 7', HIDDEN, note('b'));
  mock.timers.tick(WAIT_MS);
  assert.deepEqual(acts, ['a sound note', 'b sound note']);
});

test('the same event told twice to one tab is one call', () => {
  const [a] = tabs('a');
  a.call('assigned 7', HIDDEN, note('a'));
  a.call('assigned 7', HIDDEN, note('a'));
  mock.timers.tick(WAIT_MS);
  assert.deepEqual(acts, ['a sound note']);
});

test('without a way to the other tabs a tab acts for itself', () => {
  const alone = new OneTab({ id: 'a', channel: null });
  alone.call('message 1', HIDDEN, note('a'));
  mock.timers.tick(0);
  assert.deepEqual(acts, ['a sound note']);
});
