import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localeFor } from '../../kit/locale.js';

test('times are written in the browser\'s way where its language is the shown one', () => {
  assert.equal(localeFor('en', ['ru-RU', 'en-GB', 'en-US']), 'en-GB');
  assert.equal(localeFor('ru', ['en-GB', 'ru']), 'ru');
  assert.equal(localeFor('en', ['ru-RU', 'eno']), 'en');
});

test('a locale that is none is passed over', () => {
  assert.equal(localeFor('en', ['en-US@posix', 'en-GB']), 'en-GB');
  assert.equal(localeFor('en', []), 'en');
});
