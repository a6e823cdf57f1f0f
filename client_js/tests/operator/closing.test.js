/** A chat is closed after a moment in which that can be taken back. */

import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { HttpError } from '../../kit/http.js';
import { GRACE_MS } from '../../operator/closing.js';
import { myTickets } from '../../operator/state.js';
import { message, settle } from '../helpers/fakes.js';
import { ids, server, tell, useFakeDesk, working } from '../helpers/panel.js';

useFakeDesk();

async function desk() {
  server.mine = [{ ticket_id: 3, visitor_name: 'Anna' }, { ticket_id: 4, visitor_name: 'Ivan' }];
  server.close = mock.fn(async () => ({}));
  const controller = await working();
  controller.select(3);
  controller.closing.begin(3);
  await settle();
  return controller;
}

const mine = (controller) => ids(myTickets(controller.state));
const closed = () => server.close.mock.calls.map(({ arguments: [ticketId] }) => ticketId);
async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

test('it leaves the list at once, the next chat is open, and the server hears of it after the moment', async () => {
  const controller = await desk();
  assert.deepEqual([mine(controller), controller.state.current, closed()], [[4], 4, []]);
  await pass(GRACE_MS - 1);
  assert.deepEqual(closed(), []);
  await pass(1);
  assert.deepEqual([closed(), Object.keys(controller.state.tickets), controller.state.closing], [[3], ['4'], []]);
});

test('taken back, it is where it was, and never closed', async () => {
  const controller = await desk();
  controller.closing.undo(3);
  await pass(GRACE_MS * 2);
  assert.deepEqual([mine(controller), closed()], [[3, 4], []]);
});

test('whoever goes back to it takes it back', async () => {
  const controller = await desk();
  controller.select(3);
  await pass(GRACE_MS);
  assert.deepEqual([controller.state.current, closed()], [3, []]);
});

test('a visitor who writes meanwhile finds the chat open, and the operator is told', async () => {
  const controller = await desk();
  await tell('private-ticket-3', 'message:new', { message: message(1, { ticket_id: 3, sender_type: 'visitor' }) });
  await pass(GRACE_MS);
  assert.deepEqual([mine(controller).sort(), closed()], [[3, 4], []]);
  assert.deepEqual(controller.state.notices.map(({ key, values }) => [key, values.visitor]), [['closeStopped', 'Anna']]);
});

test('while somebody looks at what can be taken back the time stands still', async () => {
  const controller = await desk();
  controller.closing.pause(3);
  await pass(GRACE_MS * 3);
  assert.deepEqual(closed(), []);
  controller.closing.resume(3);
  await pass(GRACE_MS);
  assert.deepEqual(closed(), [3]);
  controller.closing.resume(3);
  await pass(GRACE_MS);
  assert.deepEqual(closed(), [3], 'what is over does not begin again');
});

test('a chat that could not be closed comes back and says so', async () => {
  const controller = await desk();
  server.close = () => Promise.reject(new HttpError(0));
  await pass(GRACE_MS);
  assert.deepEqual(mine(controller), [3, 4]);
  assert.deepEqual(controller.state.notices.map(({ key }) => key), ['closeFailed']);
});

test('who leaves the page or logs out has closed it', async () => {
  const controller = await desk();
  controller.closing.finishAll();
  await settle();
  assert.deepEqual(closed(), [3]);
  controller.closing.begin(4);
  await controller.logout();
  assert.deepEqual(closed(), [3, 4]);
});

test('a session that has ended closes nothing', async () => {
  const controller = await desk();
  server.heartbeat = () => Promise.reject(new HttpError(401));
  controller.wake();
  await settle();
  await pass(GRACE_MS);
  assert.deepEqual([controller.state.screen, closed()], ['login', []]);
});
