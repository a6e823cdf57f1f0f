import assert from 'node:assert/strict';
import { test } from 'node:test';
import { myTickets, queueTickets } from '../../operator/state.js';
import { HttpError } from '../../kit/http.js';
import { memoryStorage, message, settle } from '../helpers/fakes.js';
import { Socket, assign, ids, notes, server, tell, useFakeDesk, working } from '../helpers/panel.js';

useFakeDesk();

test('a chat that was handed over leaves the list, and a notice says where it went', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const controller = await working();
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, status: 'active', operator_id: 2, operator_name: 'Boris' });
  assert.deepEqual(myTickets(controller.state), []);
  assert.deepEqual(controller.state.notices, [{ ticketId: 3, key: 'goneTo', values: { visitor: 'Ivan', name: 'Boris' } }]);
  controller.readNotice(3);
  assert.deepEqual(controller.state.notices, []);
});

test('a message that was refused because the chat has changed hands stays as its text, the half-written one after it', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const controller = await working();
  server.send = server.history = () => Promise.reject(new HttpError(403, { code: 'not_yours' }));
  controller.chats.drafts.slot(3).set('and more');
  controller.send(3, 'too late');
  await settle(60);
  assert.deepEqual([controller.chats.drafts.slot(3).get(), controller.state.tickets[3].access], ['too late\nand more', 'gone']);
  assert.deepEqual([controller.state.threads[3].pending, controller.state.notices[0].key], [[], 'goneAway']);
  assert.equal(controller.storage.get('outbox:1:3'), null);
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  assert.deepEqual(controller.state.notices[0].values, { visitor: 'Ivan', name: 'Boris' }, 'who, once it is known');
  controller.dismiss(3);
  assert.deepEqual([ids(myTickets(controller.state)), controller.chats.drafts.slot(3).get()], [[], null]);
});

test('a message on its way while the chat changes hands is text again only if it was not taken', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  const answers = [];
  server.send = () => new Promise((resolve, reject) => answers.push({ resolve, reject }));
  controller.send(3, 'in that second');
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  assert.equal(controller.state.tickets[3].access, 'gone');
  answers[0].resolve({ message: message(9, { ticket_id: 3, content: 'in that second' }) });
  await settle(40);
  assert.deepEqual([ids(myTickets(controller.state)), controller.chats.drafts.slot(3).get()], [[], null]);
});

test('a chat that comes back is mine again, with the text that was kept', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  controller.chats.drafts.slot(3).set('kept');
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  await settle(40);
  await assign(3);
  assert.deepEqual([controller.state.tickets[3].access, controller.state.notices, notes], ['mine', [], ['assigned 3']]);
  assert.equal(controller.chats.drafts.slot(3).get(), 'kept');
});

test('colleagues who could begin at once stand first, and a full one is asked about', async () => {
  const colleague = (operator_id, is_online, active_tickets) => ({ operator_id, name: `N${operator_id}`, is_online, active_tickets, max_tickets: 5 });
  server.colleagues = async () => ({ operators: [colleague(4, false, 0), colleague(3, true, 5), colleague(2, true, 4)] });
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await controller.handOver.open(3);
  const { colleagues } = controller.state.transfer;
  assert.deepEqual(colleagues.map(({ operator_id }) => operator_id), [2, 3, 4]);
  controller.handOver.choose(colleagues[1]);
  assert.deepEqual([controller.state.transfer.asking, server.transfers], [colleagues[1], []]);
  controller.handOver.answer(false);
  assert.equal(controller.state.transfer.asking, null);
  controller.handOver.choose(colleagues[1]);
  server.mine = [];
  controller.handOver.answer(true);
  await settle(40);
  assert.deepEqual([server.transfers, controller.state.transfer, ids(myTickets(controller.state))], [[[3, { operatorId: 3, note: undefined }, true]], null, []]);
});

test('a chat goes to a group with a note, which is kept while somebody else is chosen', async () => {
  server.groups = async () => ({ groups: [{ group_id: 7, name: 'Repairs', members: [2] }] });
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await controller.handOver.open(3);
  assert.deepEqual(controller.state.transfer.groups.map(({ name }) => name), ['Repairs']);
  controller.handOver.write(' Broken hinge ');
  controller.handOver.choose({ operator_id: 2, name: 'Boris', active_tickets: 5, max_tickets: 5 });
  controller.handOver.answer(false);
  server.mine = [];
  controller.handOver.chooseGroup(controller.state.transfer.groups[0]);
  await settle(40);
  assert.deepEqual([server.transfers, controller.state.transfer], [[[3, { groupId: 7, note: 'Broken hinge' }, false]], null]);
});

test('a colleague who became full meanwhile is asked about; any other refusal is told in the dialog', async () => {
  server.mine = [{ ticket_id: 3 }];
  const controller = await working();
  await controller.handOver.open(3);
  const boris = { operator_id: 2, name: 'Boris', is_online: true, active_tickets: 4, max_tickets: 5 };
  server.transfer = () => Promise.reject(new HttpError(409, { code: 'operator_full' }));
  controller.handOver.choose(boris);
  await settle();
  assert.deepEqual([controller.state.transfer.asking, controller.state.transfer.busy], [boris, false]);
  server.transfer = () => Promise.reject(new HttpError(0));
  controller.handOver.answer(true);
  await settle();
  assert.deepEqual([controller.state.transfer.error, controller.state.transfer.busy, ids(myTickets(controller.state))], ['transferFailed', false, [3]]);
});

test('a waiting chat is looked at, taken with one call and open then', async () => {
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan' }];
  const controller = await working();
  controller.select(8);
  assert.equal(controller.state.current, 8);
  await controller.handOver.take(8);
  await settle();
  const { state } = controller;
  assert.deepEqual([ids(myTickets(state)), ids(queueTickets(state)), state.current, state.taking], [[8], [], 8, null]);
  assert.ok(Socket.last.subscribed.includes('private-ticket-8'));
  assert.deepEqual(notes, []);
});

test('a waiting chat that somebody else was quicker to take is told and not looked at any more', async () => {
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan' }];
  const controller = await working();
  controller.select(8);
  server.waiting = [];
  server.take = () => Promise.reject(new HttpError(409, { code: 'ticket_taken' }));
  await controller.handOver.take(8);
  await settle();
  assert.deepEqual([controller.state.notices[0].key, controller.state.current, controller.state.taking], ['takenAway', null, null]);
});

test('a chat that comes back to the queue is read with all that the list shows, and called', async () => {
  const controller = await working();
  server.waiting = [{ ticket_id: 8, status: 'waiting', visitor_name: 'Ivan', message: 'Hello', created_at: '2026-01-01T10:00:00Z' }];
  await tell('private-support-queue', 'ticket:updated', { ticket_id: 8, status: 'waiting', operator_id: null });
  assert.deepEqual([queueTickets(controller.state), notes], [server.waiting, ['queued 8']]);
});

test('a text that a chat left behind is there after F5, until it is put away in any tab', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const storage = memoryStorage();
  const before = await working(storage);
  before.chats.drafts.slot(3).set('kept');
  server.mine = [];
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  await settle(40);
  const after = await working(memoryStorage(storage));
  assert.deepEqual([after.state.tickets[3].visitor_name, after.state.tickets[3].access], ['Ivan', 'gone']);
  before.dismiss(3);
  await settle();
  assert.deepEqual([ids(myTickets(after.state)), storage.get('kept:1')], [[], null]);
});

test('a session that ends takes no chat for gone: what is unsent is sent after the next log-in', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const storage = memoryStorage();
  const controller = await working(storage);
  const { send } = server;
  server.send = server.history = server.tickets = () => Promise.reject(new HttpError(401));
  controller.send(3, 'in time');
  await settle(40);
  assert.deepEqual([controller.state.screen, controller.state.error, controller.state.notices], ['login', 'expired', []]);
  assert.deepEqual(storage.get('outbox:1:3').map(({ content }) => content), ['in time']);
  const sent = [];
  server.send = (id, item) => {
    sent.push(item.content);
    return send(id, item);
  };
  server.history = async (id) => ({ messages: [], ticket: { ticket_id: id, status: 'active' } });
  server.tickets = async () => ({ tickets: server.mine });
  await controller.login('a', 'a');
  await settle(40);
  assert.deepEqual(sent, ['in time']);
});

test('a refused message that is answered after somebody else has logged in stays its writer\'s', async () => {
  server.mine = [{ ticket_id: 3, visitor_name: 'Ivan' }];
  const storage = memoryStorage();
  const controller = await working(storage);
  let refuse;
  server.send = () => new Promise((_, reject) => (refuse = () => reject(new HttpError(403))));
  controller.send(3, 'mine');
  await tell('private-operator-1', 'ticket:transferred', { ticket_id: 3, operator_name: 'Boris' });
  await controller.logout();
  server.mine = [];
  server.me = async () => ({ operator_id: 2, name: 'Boris', max_tickets: 5 });
  await controller.login('b', 'b');
  refuse();
  await settle(40);
  assert.deepEqual([storage.get('drafts:1'), storage.get('drafts:2'), ids(myTickets(controller.state))], [{ 3: 'mine' }, null, []]);
});
