import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Composer, MAX_ROWS } from '../../conversation/composer.js';
import { memoryStorage } from '../helpers/fakes.js';

const ROW = 20;
/** Characters of a row. */
const WIDTH = 10;

let isTouch;

beforeEach(() => {
  isTouch = false;
  globalThis.matchMedia = () => ({ matches: isTouch });
  globalThis.requestAnimationFrame = (act) => act();
  globalThis.ResizeObserver = class {
    constructor(resized) {
      this.resized = resized;
    }

    observe(node) {
      node.resized = this.resized;
    }

    disconnect() {}
  };
});

/** A textarea that wraps its text as one of a fixed width does. */
class Field extends EventTarget {
  value = '';
  rows = 1;

  get clientHeight() {
    return this.rows * ROW;
  }

  get scrollHeight() {
    const lines = this.value.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / WIDTH)), 0);
    return Math.max(lines, this.rows) * ROW;
  }

  type(text) {
    this.value = text;
    this.dispatchEvent(new Event('input'));
  }

  press(key, extra = {}) {
    this.dispatchEvent(Object.assign(new Event('keydown', { cancelable: true }), { key, ...extra }));
  }
}

function newComposer(parts = {}) {
  const field = new Field();
  const sent = [];
  const composer = new Composer(field, { send: () => sent.push(field.value), ...parts });
  return { field, sent, composer };
}

test('the field grows with a text that wraps, up to its most rows, and shrinks again', () => {
  const { field, composer } = newComposer();
  field.type('x'.repeat(WIDTH * 3));
  assert.equal(field.rows, 3);
  field.type('x'.repeat(WIDTH * 30));
  assert.equal(field.rows, MAX_ROWS);
  composer.clear();
  assert.equal(field.rows, 1);
});

test('a field that begins with two rows keeps them', () => {
  const field = Object.assign(new Field(), { rows: 2 });
  new Composer(field, {}).put('short');
  assert.equal(field.rows, 2);
});

test('the field fits its text when it comes into view', () => {
  const { field } = newComposer();
  field.value = 'a\nb\nc';
  field.resized();
  assert.equal(field.rows, 3);
});

test('a log that was at its end stays there while the field grows', () => {
  const log = { scrollHeight: 500, clientHeight: 100, scrollTop: 400 };
  const { field } = newComposer({ log });
  log.scrollTop = 380;
  field.type('a\nb');
  assert.equal(log.scrollTop, 500);
  log.scrollTop = 10;
  field.type('a\nb\nc');
  assert.equal(log.scrollTop, 10);
});

test('Enter sends; with Shift it makes a new line', () => {
  const { field, sent } = newComposer();
  field.type('hello');
  field.press('Enter', { shiftKey: true });
  field.press('a');
  assert.deepEqual(sent, []);
  field.press('Enter');
  assert.deepEqual(sent, ['hello']);
});

test('on a phone Enter makes a new line; with Ctrl or Cmd it sends', () => {
  isTouch = true;
  const { field, sent } = newComposer();
  assert.equal(field.enterKeyHint, 'enter');
  field.type('hello');
  field.press('Enter');
  assert.deepEqual(sent, []);
  field.press('Enter', { ctrlKey: true });
  field.press('Enter', { metaKey: true });
  assert.equal(sent.length, 2);
});

test('the Enter that chooses a word does not send, nor the one by which Safari ends a composition', () => {
  const { field, sent } = newComposer();
  field.press('Enter', { isComposing: true });
  field.press('Enter', { isComposing: false, keyCode: 229 });
  assert.deepEqual(sent, []);
});

test('each chat has its own draft, which a later page finds again', () => {
  const storage = memoryStorage();
  const first = newComposer();
  first.composer.open(storage.slot('draft:1'));
  first.field.type('half');
  first.composer.open(storage.slot('draft:2'));
  assert.equal(first.field.value, '');
  first.field.type('other');
  const later = newComposer();
  later.composer.open(storage.slot('draft:1'));
  assert.equal(later.field.value, 'half');
  later.composer.clear();
  assert.deepEqual([storage.get('draft:1'), storage.get('draft:2')], [null, 'other']);
});

test('a text that is put into the field is kept as a draft, too', () => {
  const storage = memoryStorage();
  const { field, composer } = newComposer();
  composer.open(storage.slot('draft:1'));
  composer.put('refused');
  assert.deepEqual([field.value, storage.get('draft:1')], ['refused', 'refused']);
});

test('every change is reported, and what the person typed apart from it', () => {
  const changes = [];
  const typed = [];
  const { field, composer } = newComposer({ changed: (text) => changes.push(text), typed: (text) => typed.push(text) });
  field.type('a');
  composer.put('b');
  composer.open(null);
  assert.deepEqual([changes, typed], [['a', 'b', ''], ['a']]);
});
