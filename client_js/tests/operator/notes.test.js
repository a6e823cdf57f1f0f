import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withNotes } from '../../operator/groups.js';
import { settle } from '../helpers/fakes.js';
import { assign, server, tell, useFakeDesk, working } from '../helpers/panel.js';

useFakeDesk();
const note = (id, more = {}) => ({ id, ticket_id: 7, operator_id: 1, operator_name: 'Olga', content: `n${id}`, after_seq: 1, kind: 'note', created_at: '2026-01-01T00:00:00Z', ...more });
const contents = (notes) => notes.map(({ content }) => content);

test('notes of a chat are read when it is opened, and one that comes stands once', async () => {
  server.notes = async (id) => ({ notes: id === 7 ? [note(1)] : [] });
  const controller = await working();
  await assign(7);
  controller.select(7);
  await settle();
  for (let times = 0; times < 2; times += 1) await tell('private-operator-1', 'note:new', { note: note(2) });
  assert.deepEqual(contents(controller.state.notes[7]), ['n1', 'n2']);
});

test('a note is written from a draft of its own, and no answer', async () => {
  const written = [];
  server.writeNote = async (id, sent) => {
    written.push(sent.content);
    return { note: note(3, { content: sent.content }) };
  };
  const controller = await working();
  await assign(7);
  controller.notes.toggle(7);
  controller.notes.drafts.slot(7).set('A regular');
  assert.equal(controller.chats.drafts.slot(7).get(), null);
  await controller.notes.write(7, 'A regular');
  assert.deepEqual([written, contents(controller.state.notes[7]), controller.notes.drafts.slot(7).get()], [['A regular'], ['A regular'], null]);
  assert.deepEqual(controller.state.threads[7].pending, []);
});

test('a note that was not stored stays as it was written, and its repeat has the same id', async () => {
  const ids = [];
  server.writeNote = async (_, { client_id }) => {
    ids.push(client_id);
    throw Object.assign(new Error('away'), { status: 503 });
  };
  const controller = await working();
  await assign(7);
  controller.notes.toggle(7);
  controller.notes.drafts.slot(7).set('A regular');
  await controller.notes.write(7, 'A regular');
  await controller.notes.write(7, 'A regular');
  assert.equal(ids[0], ids[1]);
  assert.deepEqual([controller.state.noting[7].error, controller.notes.drafts.slot(7).get()], ['noteFailed', 'A regular']);
  await controller.notes.write(7, 'Another');
  assert.notEqual(ids[1], ids[2]);
});

test('notes stand behind the message that they were written after, and before what is on its way', () => {
  const messages = [{ id: 1, seq: 1 }, { id: 2, seq: 2 }, { client_id: 'c' }];
  const order = (notes) => withNotes(messages, notes).map(({ id, client_id }) => id ?? client_id);
  assert.deepEqual(order([note(1), note(2), note(3, { after_seq: 2 })]), [1, 'note 1', 'note 2', 2, 'note 3', 'c']);
  assert.deepEqual(order([]), [1, 2, 'c']);
});
