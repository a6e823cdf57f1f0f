import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chatPath, panePath, parseRoute } from '../../operator/routes.js';

test('a chat has an address, which leads to it', () => {
  assert.equal(chatPath(17), '#/chats/17');
  assert.deepEqual(parseRoute(chatPath(17)), { pane: 'chats', ticketId: 17, message: null, rest: ['17'] });
  assert.deepEqual(parseRoute(chatPath(17, 42)), { pane: 'chats', ticketId: 17, message: 42, rest: ['17'] });
  assert.equal(parseRoute('#/chats/17?message=x').message, null);
  assert.deepEqual(parseRoute(chatPath(null)), { pane: 'chats', ticketId: null, message: null, rest: [] });
});

test('what is no address of a chat leads to the lists', () => {
  for (const hash of ['', '#', '#/', '#/chats', '#/chats/', '#/chats/x', '#/chats/-1', '#/chats/1.5', '#/chats/99999999999999999999']) {
    const { pane, ticketId } = parseRoute(hash);
    assert.deepEqual([pane, ticketId], ['chats', null], hash);
  }
});

test('what follows a pane comes back as it was, and what is broken as it stands', () => {
  assert.deepEqual(parseRoute(panePath('search', 'синяя лампа/50 %')), { pane: 'search', ticketId: null, message: null, rest: ['синяя лампа/50 %'] });
  assert.deepEqual(parseRoute('#/search/%E0%A4%A').rest, ['%E0%A4%A']);
});
