import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { effect } from '@preact/signals';
import { Model } from '../../console/model.js';
import { json, memoryStorage } from '../helpers/fakes.js';

const APPS = { apps: [{ id: 'one', key: 'k1', is_enabled: true }, { id: 'two', key: 'k2', is_enabled: true }], relay: { host: 'h', port: 1, path_prefix: '', is_tls: false } };

let frames;

beforeEach(() => {
  frames = [];
  globalThis.document = { documentElement: {} };
  globalThis.requestAnimationFrame = (draw) => frames.push(draw);
});

afterEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  delete globalThis.document;
  delete globalThis.requestAnimationFrame;
});

function modelOf({ storage = memoryStorage(), languages = ['en-GB'] } = {}) {
  const model = new Model({ storage, languages });
  mock.method(model.feed, 'open', () => {});
  return { model, happens: (n) => model.feed._on.happened({ kind: 'published', at: n, channel: `c${n}` }) };
}

const channels = (model) => model.list.value.map(({ channel }) => channel);

test('however much happens, it is drawn once a frame', () => {
  const { model, happens } = modelOf();
  const drawn = [];
  effect(() => void drawn.push(channels(model)));
  for (let n = 1; n <= 100; n += 1) happens(n);
  assert.deepEqual([drawn.length, frames.length], [1, 1]);
  frames[0]();
  assert.deepEqual([drawn.length, drawn[1].length, drawn[1][0]], [2, 100, 'c100']);
});

test('what a person does is drawn at once, after what has happened before', () => {
  const { model, happens } = modelOf();
  happens(1);
  model.togglePause();
  happens(2);
  model.search('c');
  assert.deepEqual([channels(model), model.held.value.length], [['c1'], 1]);
  for (const draw of frames) draw();
  assert.deepEqual([channels(model), model.held.value.length], [['c1'], 1]);
  model.togglePause();
  assert.deepEqual(channels(model), ['c2', 'c1']);
});

test('the list is not drawn anew for what it does not show', () => {
  const { model } = modelOf();
  const drawn = mock.fn();
  effect(() => drawn(model.list.value));
  model.feed._on.state({ ...model.present.value, connections: 5 });
  for (const draw of frames) draw();
  assert.deepEqual([model.present.value.connections, drawn.mock.callCount()], [5, 1]);
});

test('the app that was watched last is watched again, if it is still there', async () => {
  const storage = memoryStorage();
  mock.method(globalThis, 'fetch', async () => json(APPS));
  for (const [before, now] of [[null, 'one'], ['two', 'two'], ['gone', 'one']]) {
    storage.set('app', before);
    const { model } = modelOf({ storage });
    await model.load();
    assert.deepEqual([model.app.value, model.current.value.id, model.feed.open.mock.calls[0].arguments], [now, now, [now]]);
  }
});

test('where the list of apps cannot be had, the page says why and asks again', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const answers = [json({ error: 'wait for 9 s' }, 429), json(APPS)];
  mock.method(globalThis, 'fetch', async () => answers.shift());
  const { model } = modelOf();
  await model.load();
  assert.deepEqual([model.connection.value, model.reason.value], ['lost', 'wait for 9 s']);
  mock.timers.tick(3000);
  mock.timers.reset();
  while (!model.app.value) await new Promise((resolve) => { setTimeout(resolve); });
  assert.equal(model.connection.value, 'connecting');
});

test('another language changes words, title and the page\'s own, and is kept', () => {
  const storage = memoryStorage();
  const { model } = modelOf({ storage, languages: ['ru-RU', 'en-GB'] });
  assert.deepEqual([model.t('pause'), document.title, document.documentElement.lang], ['Пауза', 'Консоль реле', 'ru']);
  model.setLang('en');
  assert.deepEqual([model.t('pause'), document.title, document.documentElement.lang, model.locale.value], ['Pause', 'Relay console', 'en', 'en-GB']);
  assert.equal(modelOf({ storage, languages: ['ru-RU'] }).model.lang.value, 'en');
});
