import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordsOf } from '../../kit/i18n.js';

const texts = { en: { hello: 'Hello {name}' }, ru: { hello: 'Привет, {name}' } };

test('the first known language wins, else English', () => {
  const { chooseLang } = wordsOf(texts);
  assert.deepEqual([chooseLang(undefined, '', 'ru-RU', 'en'), chooseLang('de', 'EN-us'), chooseLang('de'), chooseLang()], ['ru', 'en', 'en', 'en']);
});

test('what is put into a sentence is isolated, unless a page puts it in its own way', () => {
  assert.equal(wordsOf(texts).translator('ru')('hello', { name: 'עמית' }), 'Привет, \u2068עמית\u2069');
  const plain = wordsOf(texts, (text, { name }) => text.replace('{name}', name));
  assert.equal(plain.translator('en')('hello', { name: 'a.b' }), 'Hello a.b');
});
