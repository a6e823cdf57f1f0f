import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as relayConsole from '../console/i18n.js';
import * as panel from '../operator/i18n.js';
import * as widget from '../widget/i18n.js';

const places = (text) => [...text.matchAll(/{(\w+)}/g)].map(([, name]) => name).sort();

for (const [name, { texts, chooseLang, translator }] of Object.entries({ panel, widget, relayConsole })) {
  test(`${name}: Russian and English have the same texts with the same places`, () => {
    assert.deepEqual(Object.keys(texts.ru), Object.keys(texts.en));
    for (const key of Object.keys(texts.en)) {
      assert.ok(texts.ru[key].trim() && texts.en[key].trim(), key);
      assert.deepEqual(places(texts.ru[key]), places(texts.en[key]), key);
    }
  });

  test(`${name}: the first known language wins, else English`, () => {
    assert.equal(chooseLang(undefined, '', 'ru-RU', 'en'), 'ru');
    assert.equal(chooseLang('de', 'EN-us'), 'en');
    assert.equal(chooseLang('de'), 'en');
    assert.equal(chooseLang(), 'en');
  });

  test(`${name}: values stand in their places`, () => {
    const [key, text] = Object.entries(texts.ru).find(([, one]) => places(one).length === 1);
    assert.equal(translator('ru')(key, { [places(text)[0]]: 3 }), text.replace(/{\w+}/, '3'));
  });
}

test('a name in a sentence of widget and panel keeps its direction to itself', () => {
  assert.equal(panel.translator('en')('typing', { name: 'עמית' }), '\u2068עמית\u2069 is typing…');
  assert.equal(widget.translator('ru')('joined', { name: 'עמית' }), '\u2068עמית\u2069 теперь с вами в чате.');
});

test('a length of time is told in the largest fitting unit', () => {
  assert.deepEqual([-5, 5000, 65_000, 7_300_000].map((ms) => panel.durationText(ms, 'en')), ['0 sec', '5 sec', '1 min', '2 hr']);
  assert.equal(panel.durationText(120_000, 'ru'), '2 мин');
});
