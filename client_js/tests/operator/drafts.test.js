import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drafts, MAX_DRAFTS } from '../../operator/drafts.js';
import { memoryStorage } from '../helpers/fakes.js';

const ignore = () => {};

test('each ticket has its own draft, and a later page finds it', () => {
  const storage = memoryStorage();
  const drafts = new Drafts(storage, 1, ignore);
  drafts.slot(3).set('half');
  drafts.slot(4).set('other');
  const later = new Drafts(storage, 1, ignore);
  assert.deepEqual([later.slot(3).get(), later.slot(4).get(), later.slot(5).get()], ['half', 'other', null]);
});

test('what is half-written is known without asking the storage', () => {
  const storage = memoryStorage();
  const drafts = new Drafts(storage, 1, ignore);
  assert.equal(drafts.known(3), '');
  drafts.slot(3).set('half');
  assert.equal(drafts.known(3), 'half');
  drafts.slot(3).set(null);
  assert.equal(drafts.known(3), '');
});

test('another operator of the same browser has other drafts', () => {
  const storage = memoryStorage();
  new Drafts(storage, 1, ignore).slot(3).set('for my eyes');
  assert.equal(new Drafts(storage, 2, ignore).slot(3).get(), null);
});

test('a draft that was sent or dropped leaves nothing behind', () => {
  const storage = memoryStorage();
  const drafts = new Drafts(storage, 1, ignore);
  drafts.slot(3).set('half');
  drafts.slot(3).set(null);
  drafts.slot(4).set('half');
  drafts.drop(4);
  assert.equal(storage.values.size, 0);
});

test('a refused text stands before what was written since, and is told', () => {
  const told = [];
  const drafts = new Drafts(memoryStorage(), 1, (id) => told.push(id));
  drafts.slot(3).set('since');
  assert.equal(drafts.prepend(3, 'refused'), 'refused\nsince');
  assert.equal(drafts.prepend(4, ''), '');
  assert.deepEqual([drafts.slot(3).get(), told], ['refused\nsince', [3, 4]]);
});

test('what another tab writes, sends or drops is told here, and only that', () => {
  const storage = memoryStorage();
  const told = [];
  const here = new Drafts(storage, 1, (id) => told.push(id));
  const there = new Drafts(memoryStorage(storage), 1, ignore);
  here.slot(3).set('mine');
  there.slot(4).set('theirs');
  there.slot(3).set(null);
  assert.deepEqual([told, here.slot(3).get(), here.slot(4).get()], [[4, 3], null, 'theirs']);
  here.stop();
  there.slot(4).set('unheard');
  assert.deepEqual(told, [4, 3]);
});

test('drafts are bounded: those of the lowest tickets go', () => {
  const drafts = new Drafts(memoryStorage(), 1, ignore);
  for (let id = 1; id <= MAX_DRAFTS + 1; id += 1) drafts.slot(id).set(`text ${id}`);
  assert.deepEqual([drafts.slot(1).get(), drafts.slot(2).get()], [null, 'text 2']);
});
