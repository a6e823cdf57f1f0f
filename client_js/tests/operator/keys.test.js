import assert from 'node:assert/strict';
import { test } from 'node:test';
import { texts } from '../../operator/i18n.js';
import { COMMANDS, commandOf, FIXED, keyLabel } from '../../operator/keys.js';

const free = { writing: false, letters: true };
const press = (code, more = {}) => ({ code, key: code.replace('Key', '').toLowerCase(), ...more });

test('a letter is a place on the keyboard, whatever the layout writes there', () => {
  assert.equal(commandOf(press('KeyJ', { key: 'о' }), free), 'next');
});

test('who writes gives commands with Alt only', () => {
  const writing = { writing: true, letters: true };
  assert.equal(commandOf(press('KeyJ'), writing), null);
  assert.equal(commandOf(press('ArrowDown', { altKey: true }), writing), 'next');
  assert.equal(commandOf({ key: '?', code: 'Slash', shiftKey: true }, writing), null);
});

test('single keys can be switched off, and those with Alt stay', () => {
  const without = { writing: false, letters: false };
  assert.equal(commandOf(press('KeyT'), without), null);
  assert.equal(commandOf(press('KeyT', { altKey: true }), without), 'take');
});

test('on a Mac, where Alt and a letter write another letter, Alt is for arrows only', () => {
  const mac = { writing: true, letters: true, mac: true };
  assert.equal(commandOf(press('KeyE', { altKey: true, key: 'Dead' }), mac), null);
  assert.equal(commandOf(press('ArrowUp', { altKey: true }), mac), 'previous');
  assert.equal(commandOf(press('KeyE'), { ...mac, writing: false }), 'close');
});

test('the browser keeps its own keys', () => {
  for (const held of ['ctrlKey', 'metaKey']) assert.equal(commandOf(press('KeyT', { [held]: true }), free), null);
  assert.equal(commandOf(press('KeyT', { shiftKey: true }), free), null);
});

test('the question mark asks for help, on a Russian keyboard too', () => {
  assert.equal(commandOf({ key: '?', code: 'Slash', shiftKey: true }, free), 'help');
  assert.equal(commandOf({ key: '?', code: 'Digit7', shiftKey: true }, free), 'help');
  assert.equal(commandOf({ key: ',', code: 'Slash', shiftKey: true }, free), 'help');
});

test('no key means two things, and each has words', () => {
  for (const kind of ['alone', 'alt']) {
    const codes = COMMANDS.map((command) => command[kind]).filter(Boolean);
    assert.equal(new Set(codes).size, codes.length);
  }
  for (const { word } of [...COMMANDS, ...FIXED]) assert.ok(texts.en[word], word);
  assert.deepEqual(['KeyJ', 'ArrowUp'].map(keyLabel), ['J', '↑']);
});
