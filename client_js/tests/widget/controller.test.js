import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { PushlerClient } from '../../pushler/index.js';
import { SEEN_AFTER_MS } from '../../conversation/conversation.js';
import { HttpError } from '../../kit/http.js';
import { Controller, LOOK_EVERY_MS } from '../../widget/controller.js';
import { logItems, unread } from '../../widget/state.js';
import { deferred, fakeSockets, json, memoryStorage, message, settle } from '../helpers/fakes.js';

let Socket;
let storage;
let server;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  Socket = fakeSockets();
  storage = memoryStorage();
  const ticket = { ticket_id: 7, status: 'waiting', operator_name: null, last_seq: 1 };
  let first = null;
  server = {
    ticket,
    created: [],
    rows: [],
    config: async () => ({ app_key: 'k', ws_host: 'h', ws_port: 1, force_tls: false }),
    async create(draft) {
      server.created.push(draft);
      first ??= message(1, { sender_type: 'visitor', client_id: 'x', content: draft.message });
      server.rows.push(first);
      return { ticket_id: 7, ticket, message: first };
    },
    history: mock.fn(async (_, after) => ({ messages: server.rows.filter(({ seq }) => seq > after), ticket: server.ticket })),
    close: async () => ({ ticket: { ...ticket, status: 'closed' } }),
    send: () => new Promise(() => {}),
    status: mock.fn(async () => ({ online: true })),
    typing: async () => {},
    authEndpoint: '/auth',
    authorization: () => ({}),
  };
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

class Client extends PushlerClient {
  constructor(options) {
    super({ ...options, WebSocket: Socket, fetch: async () => json({ auth: 'a' }), random: () => 0 });
  }
}

const widget = () => new Controller({ api: server, storage, Client, render: () => {}, isVisible: () => true, isSeen: () => true, alone: (act) => act() });
const visitor = { name: 'Ann', email: '', message: 'help' };

async function chatting() {
  const controller = widget();
  controller.open();
  await controller.start(visitor);
  await settle();
  Socket.last.greet();
  await settle();
  Socket.last.confirm('private-ticket-7');
  await settle();
  return controller;
}

test('nothing is asked of the network before the first click', async () => {
  for (const name of ['config', 'create', 'history']) server[name] = mock.fn(() => new Promise(() => {}));
  const controller = widget();
  controller.load();
  controller.open();
  controller.wake();
  await settle();
  for (const name of ['config', 'create', 'history']) assert.equal(server[name].mock.callCount(), 0, name);
  assert.equal(Socket.all.length, 0);
});

test('starting shows the first message, remembers the ticket and connects', async () => {
  const controller = await chatting();
  const { state } = controller;
  assert.deepEqual([state.screen, state.thread.messages.length, state.connection], ['chat', 1, 'connected']);
  assert.equal(storage.get('ticket').id, 7);
  assert.deepEqual(Socket.last.subscribed.sort(), ['private-ticket-7', 'support-status']);
  assert.equal(storage.get('draft').message, undefined);
});

test('a double click starts one chat', async () => {
  const controller = widget();
  const answer = deferred();
  server.create = mock.fn(() => answer);
  controller.start(visitor);
  controller.start(visitor);
  assert.equal(server.create.mock.callCount(), 1);
  assert.equal(controller.state.screen, 'starting');
});

test('a start that failed keeps the text, and all tries have one id until one is confirmed', async () => {
  const { create } = server;
  server.create = async (draft) => {
    await create(draft);
    throw new HttpError(0);
  };
  const controller = widget();
  await controller.start(visitor);
  assert.equal(controller.state.error, 'unreachable');
  assert.equal(widget().draft.message, 'help');
  await widget().start(visitor);
  await controller.start({ ...visitor, message: 'other' });
  const ids = server.created.map((draft) => draft.client_id);
  assert.equal(new Set(ids).size, 1);
});

test('a changed question is sent after the one that an earlier try had brought to the server', async () => {
  const { create } = server;
  server.create = async (draft) => {
    await create(draft);
    throw new HttpError(0);
  };
  const controller = widget();
  await controller.start(visitor);
  server.create = create;
  server.send = mock.fn(() => new Promise(() => {}));
  await controller.start({ ...visitor, message: 'help me' });
  assert.equal(server.send.mock.calls[0].arguments[1].content, 'help me');
  assert.equal(storage.get('start'), null);
});

test('where the earlier try made a chat that is over, the next one makes a new chat', async () => {
  storage.set('start', 'old');
  const { create } = server;
  server.create = async (draft) => {
    const answer = await create(draft);
    return draft.client_id === 'old' ? { ...answer, ticket: { ...answer.ticket, status: 'closed' } } : answer;
  };
  const controller = widget();
  await controller.start(visitor);
  assert.deepEqual([server.created.length, controller.state.thread.status], [2, 'waiting']);
});

test('two tabs that start at the same moment ask for one chat, and both questions are in it', async () => {
  server.send = mock.fn(() => new Promise(() => {}));
  const [one, two] = [widget(), widget()];
  one.start({ ...visitor, message: 'from one' });
  two.start({ ...visitor, message: 'from two' });
  await settle();
  assert.equal(server.created[0].client_id, server.created[1].client_id);
  assert.deepEqual(server.send.mock.calls.map(({ arguments: [, item] }) => item.content), ['from two']);
});

test('a tab that had to wait for the other one joins its chat', async () => {
  let queue = Promise.resolve();
  const alone = (act) => (queue = queue.then(act));
  const tab = () => new Controller({ api: server, storage, Client, render: () => {}, isVisible: () => true, isSeen: () => true, alone });
  server.send = mock.fn(() => new Promise(() => {}));
  const [one, two] = [tab(), tab()];
  one.start({ ...visitor, message: 'from one' });
  two.start({ ...visitor, message: 'from two' });
  await settle(60);
  assert.equal(server.created.length, 1);
  assert.deepEqual(server.send.mock.calls.map(({ arguments: [, item] }) => item.content), ['from two']);
  assert.deepEqual([one.state.thread.ticketId, two.state.thread.ticketId, two.state.screen], [7, 7, 'chat']);
});

test('half of a start form is there again on the next page', () => {
  widget().draft = { name: 'Ann', email: '', message: 'hal' };
  assert.equal(widget().draft.message, 'hal');
});

test('after destroy nothing is asked, shown or listened to; the chat is there for the next time', async () => {
  const controller = await chatting();
  const renders = mock.fn();
  controller.render = renders;
  controller.destroy();
  for (const name of ['config', 'history']) server[name] = mock.fn(() => new Promise(() => {}));
  assert.equal(Socket.last.closed, true);
  mock.timers.tick(600_000);
  await settle();
  assert.deepEqual([Socket.all.length, server.config.mock.callCount(), server.history.mock.callCount(), renders.mock.callCount()], [1, 0, 0, 0]);
  assert.equal(storage.get('ticket').id, 7);
});

test('a start that had to wait for another tab does not begin after destroy', async () => {
  const turn = deferred();
  const alone = (act) => turn.then(act);
  const controller = new Controller({ api: server, storage, Client, render: () => {}, isVisible: () => true, isSeen: () => true, alone });
  controller.start(visitor);
  controller.destroy();
  turn.resolve();
  await settle();
  assert.deepEqual([server.created.length, controller.draft.message], [0, 'help']);
});

test('a chat that is confirmed after destroy is kept for the next page, without a connection', async () => {
  const answer = deferred();
  const { create } = server;
  server.create = (draft) => answer.then(() => create(draft));
  const controller = widget();
  controller.start(visitor);
  controller.destroy();
  answer.resolve();
  await settle();
  assert.deepEqual([storage.get('ticket').id, Socket.all.length], [7, 0]);
});

test('wrong input is told before anything is sent', async () => {
  const controller = widget();
  for (const [input, wrong] of [
    [{ name: '', email: '', message: '' }, { name: 'needName', message: 'needQuestion' }],
    [{ ...visitor, email: 'x' }, { email: 'badEmail' }],
    [{ ...visitor, message: 'x'.repeat(4001) }, { message: 'tooLong' }],
    [{ ...visitor, message: '€'.repeat(3000) }, { message: 'tooLong' }],
  ]) {
    await controller.start(input);
    assert.deepEqual([controller.state.screen, controller.state.wrong, controller.state.error], ['start', wrong, null]);
  }
  assert.equal(server.created.length, 0);
});

test('a reload goes on with the open chat', async () => {
  await chatting();
  server.rows.push(message(2));
  const next = widget();
  next.load();
  await settle();
  assert.deepEqual([next.state.screen, next.state.thread.messages.length, unread(next.state)], ['chat', 2, 1]);
});

test('a ticket that is refused or gone is forgotten and the start form comes back', async () => {
  for (const status of [403, 404]) {
    storage.set('ticket', { id: 7, readSeq: 0 });
    server.history = () => Promise.reject(new HttpError(status));
    const controller = widget();
    controller.load();
    await settle();
    assert.deepEqual([controller.state.screen, controller.state.error, storage.get('ticket')], ['start', 'gone', null]);
  }
});

test('a server that is down on reload is asked again, the chat is not forgotten', async () => {
  storage.set('ticket', { id: 7, readSeq: 0 });
  const { history } = server;
  let failures = 1;
  server.history = (...args) => (failures-- > 0 ? Promise.reject(new HttpError(0)) : history(...args));
  server.rows.push(message(1));
  const controller = widget();
  controller.load();
  await settle();
  assert.equal(storage.get('ticket').id, 7);
  mock.timers.tick(1000);
  await settle();
  assert.equal(controller.state.screen, 'chat');
});

test('closing ends the connection; a later load is silent and opening shows the transcript', async () => {
  const controller = await chatting();
  Socket.last.say('ticket:closed', '{"ticket_id":7,"closed_by":"operator"}', { channel: 'private-ticket-7' });
  await settle();
  assert.deepEqual([controller.state.thread.status, controller.state.connection, Socket.last.closed], ['closed', null, true]);
  server.ticket = { ...server.ticket, status: 'closed' };
  const calls = server.history.mock.callCount();
  const next = widget();
  next.load();
  await settle();
  assert.equal(server.history.mock.callCount(), calls);
  next.open();
  await settle();
  assert.equal(next.state.thread.messages.length, 1);
  assert.equal(Socket.all.length, 1);
  next.startAgain();
  assert.deepEqual([next.state.screen, storage.get('ticket')], ['start', null]);
});

test('the visitor can end the chat', async () => {
  const controller = await chatting();
  controller.confirm(true);
  await controller.end();
  assert.deepEqual([controller.state.thread.status, controller.state.confirming], ['closed', false]);
});

test('a reconnecting relay is shown, and news come by HTTP meanwhile', async () => {
  const controller = await chatting();
  server.rows.push(message(2));
  Socket.last.drop();
  await settle();
  assert.equal(controller.state.connection, 'reconnecting');
  assert.equal(controller.state.thread.messages.length, 2);
});

test('a chat started in another tab is taken over, one forgotten there is left', async () => {
  const controller = widget();
  storage.set('ticket', { id: 7, readSeq: 0 });
  server.rows.push(message(1));
  controller.storageChanged();
  await settle();
  assert.equal(controller.state.screen, 'chat');
  storage.set('ticket', null);
  controller.storageChanged();
  assert.equal(controller.state.screen, 'start');
});

test('what the closed chat did not take begins the new one, and nothing of it stays behind', async () => {
  const controller = await chatting();
  server.send = () => Promise.reject(new HttpError(409, { code: 'ticket_closed' }));
  server.ticket = { ...server.ticket, status: 'closed' };
  controller.send('one more thing');
  await settle();
  assert.equal(controller.state.thread.status, 'closed');
  assert.equal(storage.get('outbox:7').length, 1);
  controller.slot(7).set(' and this ');
  controller.startAgain();
  assert.deepEqual([controller.state.screen, controller.draft.message, controller.draft.name], ['start', 'one more thing\n\nand this', 'Ann']);
  assert.deepEqual([storage.get('outbox:7'), storage.get('draft:7')], [null, null]);
});

test('a chat that is gone leaves its unsent text in the start form', async () => {
  storage.set('ticket', { id: 7, readSeq: 0 });
  storage.set('outbox:7', [{ client_id: 'a', content: 'unsent' }]);
  storage.set('draft:7', 'half');
  server.history = () => Promise.reject(new HttpError(403));
  const controller = widget();
  controller.load();
  await settle();
  assert.deepEqual([controller.draft.message, storage.get('outbox:7')], ['unsent\n\nhalf', null]);
});

test('a refused start says which field is wrong, or that the server refused', async () => {
  const controller = widget();
  for (const [failure, error, wrong] of [
    [new HttpError(422, { field: 'email' }), null, { email: 'badEmail' }],
    [new HttpError(422, { field: 'message' }), null, { message: 'tooLong' }],
    [new HttpError(429), 'refused', {}],
    [new HttpError(429, { code: 'too_many_open' }), 'tooManyOpen', {}],
    [new HttpError(403), 'refused', {}],
  ]) {
    server.create = () => Promise.reject(failure);
    await controller.start(visitor);
    assert.deepEqual([controller.state.error, controller.state.wrong], [error, wrong]);
  }
});

test('a text that the server would not take is not sent', async () => {
  const controller = await chatting();
  assert.deepEqual([controller.send(' '), controller.send('x'.repeat(4001)), controller.send(' ok ')], [false, false, true]);
  assert.deepEqual(controller.state.thread.pending.map(({ content }) => content), ['ok']);
});

test('whether anybody is there is asked while the form or the wait is on the screen, and heard at once with a connection', async () => {
  server.status.mock.mockImplementation(async () => ({ online: false }));
  const controller = widget();
  controller.load();
  await settle();
  assert.equal(server.status.mock.callCount(), 0);
  controller.open();
  await settle();
  assert.equal(controller.state.online, false);
  mock.timers.tick(LOOK_EVERY_MS);
  assert.equal(server.status.mock.callCount(), 2);
  await controller.start(visitor);
  await settle();
  Socket.last.greet();
  await settle();
  assert.equal(logItems(controller.state).at(-1).line, 'away');
  Socket.last.say('desk:status', '{"online":true}', { channel: 'support-status' });
  assert.equal(logItems(controller.state).at(-1).line, 'waiting');
  controller.close();
  mock.timers.tick(LOOK_EVERY_MS);
  const asked = server.status.mock.callCount();
  mock.timers.tick(LOOK_EVERY_MS * 10);
  assert.equal(server.status.mock.callCount(), asked, 'a closed window asks nothing');
});

test('a desk that does not say whether anybody is there leaves things as they were', async () => {
  server.status.mock.mockImplementation(() => Promise.reject(new HttpError(503)));
  const controller = widget();
  controller.open();
  await settle();
  assert.equal(controller.state.online, null);
});

test('who serves a chat is not asked for, and after the end it is asked again', async () => {
  const controller = await chatting();
  Socket.last.say('ticket:updated', '{"status":"active","operator_name":"Olga"}', { channel: 'private-ticket-7' });
  const asked = server.status.mock.callCount();
  mock.timers.tick(LOOK_EVERY_MS * 3);
  assert.equal(server.status.mock.callCount(), asked);
  Socket.last.say('ticket:closed', '{}', { channel: 'private-ticket-7' });
  controller.startAgain();
  assert.equal(server.status.mock.callCount(), asked + 1);
});

test('what came while the visitor had scrolled away is unread, and told to the desk once it is in view', async () => {
  server.ticket = { ...server.ticket, visitor_read_seq: 0 };
  server.read = mock.fn(async (_, seq) => ({ ticket: { visitor_read_seq: seq } }));
  storage.set('ticket', { id: 7, readSeq: 0 });
  server.rows.push(message(1));
  const controller = widget();
  controller.isSeen = () => false;
  controller.load();
  controller.open();
  await settle();
  assert.equal(unread(controller.state), 1);
  mock.timers.tick(60_000);
  assert.equal(server.read.mock.callCount(), 0);
  controller.isSeen = () => true;
  controller.seen();
  mock.timers.tick(SEEN_AFTER_MS);
  assert.deepEqual([unread(controller.state), server.read.mock.calls.map((call) => call.arguments)], [0, [[7, 1]]]);
});
