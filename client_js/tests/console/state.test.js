import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add, choose, clear, ENTRIES, GROUPS, groupOf, initial, pause, resume, shown, shownChannels, toggleGroup } from '../../console/state.js';

const entry = (fields) => ({ kind: 'published', at: 0, channel: 'news', event: 'x', data: '{}', ...fields });
const after = (...entries) => entries.reduce(add, initial());
const channels = (state) => shown(state).map(({ channel }) => channel);

test('the newest entry stands first, each has an id of its own', () => {
  const state = after(entry({ channel: 'a' }), entry({ channel: 'b' }));
  assert.deepEqual(state.entries.map(({ id, channel }) => [id, channel]), [[2, 'b'], [1, 'a']]);
});

test('the oldest entries make room for new ones', () => {
  const state = after(...Array.from({ length: ENTRIES + 5 }, (_, n) => entry({ channel: `c${n}` })));
  assert.equal(state.entries.length, ENTRIES);
  assert.equal(state.entries.at(-1).channel, 'c5');
});

test('while paused nothing moves, and nothing is lost until the bound', () => {
  const paused = add(pause(after(entry({ channel: 'a' }))), entry({ channel: 'b' }));
  assert.deepEqual(channels(paused), ['a']);
  assert.equal(paused.held.length, 1);
  const resumed = resume(paused);
  assert.deepEqual([channels(resumed), resumed.held, resumed.paused], [['b', 'a'], [], false]);
  const long = Array.from({ length: ENTRIES + 1 }, () => entry({})).reduce(add, pause(initial()));
  assert.equal(long.held.length, ENTRIES);
});

test('to clear forgets what waits, too, and stays paused', () => {
  const state = clear(add(pause(after(entry({}))), entry({})));
  assert.deepEqual([state.entries, state.held, state.paused], [[], [], true]);
});

test('another app begins with nothing of the earlier one', () => {
  const state = choose({ ...after(entry({})), present: { ...initial().present, connections: 5 } }, 'other');
  assert.deepEqual([state.app, state.entries, state.present.connections], ['other', [], 0]);
});

test('a group that is switched off is not shown, and comes back', () => {
  const state = after(entry({ channel: 'a' }), { kind: 'connected', at: 0, socket_id: '1.2' });
  const without = toggleGroup(state, 'events');
  assert.deepEqual(shown(without).map(({ kind }) => kind), ['connected']);
  assert.equal(shown(toggleGroup(without, 'events')).length, 2);
});

test('each kind is in one group, and notes of the page are always shown', () => {
  const kinds = Object.values(GROUPS).flat();
  assert.equal(new Set(kinds).size, kinds.length);
  assert.equal(groupOf('gap'), 'note');
  const nothing = Object.keys(GROUPS).reduce(toggleGroup, { ...after({ kind: 'missed', at: 0, count: 3 }), text: 'zzz' });
  assert.equal(shown(nothing).length, 1);
});

for (const [text, found] of [['NEWS', 1], ['  news ', 1], ['12.7', 1], ['needle', 1], ['user-9', 1], ['nothing', 0], ['', 2]]) {
  test(`a search for "${text}" finds ${found}`, () => {
    const state = after(entry({ channel: 'private-news', data: '{"a":"needle"}' }), { kind: 'subscribed', at: 0, channel: 'other', socket_id: '12.7', user_id: 'user-9' });
    assert.equal(shown({ ...state, text }).length, found);
  });
}

test('the list of channels follows the search as long as it finds channels', () => {
  const occupied = ['news', 'private-a'].map((name) => ({ name, subscriptions: 1, users: null }));
  const state = { ...initial(), present: { ...initial().present, occupied } };
  assert.deepEqual(shownChannels({ ...state, text: 'News' }).map(({ name }) => name), ['news']);
  assert.equal(shownChannels({ ...state, text: '12.7' }).length, 2);
});
