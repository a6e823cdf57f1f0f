import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { PushlerClient } from '../../pushler/index.js';
import { Conversation, SEEN_AFTER_MS } from '../../conversation/conversation.js';
import { HttpError } from '../../kit/http.js';
import { deferred, fakeSockets, json, memoryStorage, message, settle } from '../helpers/fakes.js';

const CHANNEL = 'private-ticket-7';

let Socket;
let server;
let threads;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_000_000 });
  Socket = fakeSockets();
  threads = [];
  server = {
    rows: [],
    status: 'active',
    asked: [],
    typed: 0,
    async history(ticketId, after) {
      server.asked.push(after);
      return { messages: server.rows.filter(({ seq }) => seq > after), ticket: { ticket_id: ticketId, status: server.status, last_seq: server.rows.length }, has_more: false };
    },
    async send(ticketId, { client_id, content }) {
      const row = message(server.rows.length + 1, { sender_type: 'visitor', client_id, content });
      server.rows.push(row);
      return { message: row };
    },
    async typing() {
      server.typed += 1;
    },
  };
});
afterEach(async () => {
  await settle();
  mock.timers.reset();
});

function open() {
  return new Conversation({ ticketId: 7, other: 'operator', api: server, store: memoryStorage().slot('o'), onChange: (thread) => threads.push(thread) });
}

async function listening() {
  const talk = open();
  const client = new PushlerClient({ appKey: 'k', wsHost: 'h', WebSocket: Socket, fetch: async () => json({ auth: 'a' }), random: () => 0 });
  talk.listen(client);
  await settle();
  Socket.last.greet();
  await settle();
  return { talk, client };
}

const contents = (talk) => talk.thread.messages.map(({ content }) => content);
const say = (event, data) => Socket.last.say(event, JSON.stringify(data), { channel: CHANNEL });

test('history is asked for after the subscription is confirmed, so nothing between the two is lost', async () => {
  const { talk } = await listening();
  assert.deepEqual(server.asked, []);
  server.rows.push(message(1));
  Socket.last.confirm(CHANNEL);
  await settle();
  assert.deepEqual(server.asked, [0]);
  assert.deepEqual(contents(talk), ['text 1']);
});

test('a channel that may not be joined any more has its reason in the history', async () => {
  const talk = open();
  server.status = 'closed';
  const refuse = async () => ({ ok: false, status: 409, headers: { get: () => null }, text: async () => '{}', json: async () => ({}) });
  talk.listen(new PushlerClient({ appKey: 'k', wsHost: 'h', WebSocket: Socket, fetch: refuse, random: () => 0 }));
  await settle();
  Socket.last.greet();
  await settle();
  assert.deepEqual(server.asked, [0]);
  assert.equal(talk.thread.status, 'closed');
});

test('the next catch-up asks only for what comes after the last message', async () => {
  const { talk } = await listening();
  server.rows.push(message(1), message(2));
  Socket.last.confirm(CHANNEL);
  await settle();
  await talk.resync();
  assert.deepEqual(server.asked, [0, 2]);
});

test('a live event that shows a hole fetches what is missing', async () => {
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  server.rows.push(message(1), message(2), message(3));
  say('message:new', { message: message(3) });
  await settle();
  assert.deepEqual(contents(talk), ['text 1', 'text 2', 'text 3']);
});

test('a hole that the server has too does not make us ask for ever', async () => {
  const talk = open();
  server.rows.push(message(2));
  await talk.start();
  assert.equal(server.asked.length, 1);
  assert.equal(talk.thread.gap, true);
});

test('long histories come page by page', async () => {
  const talk = open();
  const all = [1, 2, 3, 4, 5].map((seq) => message(seq));
  server.history = async (_, after) => ({ messages: all.slice(after, after + 2), ticket: { status: 'active', last_seq: 5 }, has_more: after + 2 < 5 });
  await talk.start();
  assert.equal(talk.thread.lastSeq, 5);
});

test('after a reconnect the missed messages are fetched, each event is heard once', async () => {
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  Socket.last.drop();
  server.rows.push(message(1));
  mock.timers.tick(1000);
  Socket.last.greet('2.2');
  await settle();
  Socket.last.confirm(CHANNEL);
  await settle();
  say('message:new', { message: message(2) });
  await settle();
  assert.deepEqual(contents(talk), ['text 1', 'text 2']);
});

test('a failed catch-up is repeated until it succeeds', async () => {
  const talk = open();
  const { history } = server;
  let failures = 2;
  server.history = (...args) => (failures-- > 0 ? Promise.reject(new HttpError(503)) : history(...args));
  server.rows.push(message(1));
  await talk.start();
  for (let i = 0; i < 3; i += 1) {
    mock.timers.tick(5000);
    await settle();
  }
  assert.deepEqual(contents(talk), ['text 1']);
});

test('a refusal is told and not repeated', async () => {
  const talk = open();
  server.history = mock.fn(() => Promise.reject(new HttpError(403)));
  await talk.start();
  mock.timers.tick(600_000);
  await settle();
  assert.equal(talk.thread.denied, 403);
  assert.equal(server.history.mock.callCount(), 1);
});

test('an own message is shown at once, then as stored, and only once', async () => {
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  talk.send('mine');
  assert.deepEqual(talk.thread.pending.map(({ content, state }) => [content, state]), [['mine', 'sending']]);
  await settle();
  assert.deepEqual([talk.thread.pending.length, contents(talk)], [0, ['mine']]);
  // The relay may deliver our own message too: the socket id is new after a reconnect.
  say('message:new', { message: server.rows[0] });
  assert.deepEqual(contents(talk), ['mine']);
});

test('two quick messages keep their order', async () => {
  const talk = open();
  talk.send('one');
  talk.send('two');
  await settle();
  assert.deepEqual(contents(talk), ['one', 'two']);
});

test('a message whose answer was lost is found in the history and not shown twice', async () => {
  const talk = open();
  const { send } = server;
  server.send = async (...args) => {
    await send(...args);
    throw new HttpError(0);
  };
  talk.send('mine');
  await settle();
  assert.equal(talk.thread.pending[0].state, 'retrying');
  await talk.catchUp();
  assert.deepEqual([talk.thread.pending.length, contents(talk)], [0, ['mine']]);
});

test('typing of the other side shows for 3 seconds, and ends with a message', async () => {
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  say('operator:typing', {});
  mock.timers.tick(2000);
  say('operator:typing', {});
  mock.timers.tick(2999);
  assert.equal(talk.thread.typing, true);
  mock.timers.tick(1);
  assert.equal(talk.thread.typing, false);
  say('operator:typing', {});
  say('message:new', { message: message(1) });
  assert.equal(talk.thread.typing, false);
});

test('own typing is sent at most once in 2 seconds, and not in a closed chat', async () => {
  const talk = open();
  for (let i = 0; i < 5; i += 1) talk.type();
  assert.equal(server.typed, 1);
  mock.timers.tick(2000);
  talk.type();
  assert.equal(server.typed, 2);
  talk.setTicket({ status: 'closed' });
  mock.timers.tick(2000);
  talk.type();
  assert.equal(server.typed, 2);
});

test('closing and assignment arrive as events', async () => {
  const { talk } = await listening();
  say('ticket:updated', { ticket_id: 7, status: 'active', operator_id: 1, operator_name: 'Olga' });
  assert.equal(talk.thread.ticket.operator_name, 'Olga');
  say('ticket:closed', { ticket_id: 7, closed_by: 'operator', closed_at: 'x' });
  assert.deepEqual([talk.thread.status, talk.thread.ticket.closed_by], ['closed', 'operator']);
});

test('catch-ups that overlap become one more round, not many', async () => {
  const talk = open();
  const answers = [deferred(), deferred()];
  let asked = 0;
  server.history = () => answers[asked++];
  talk.catchUp();
  talk.catchUp();
  talk.catchUp();
  answers[0].resolve({ messages: [message(1)], ticket: { status: 'active' } });
  await settle();
  answers[1].resolve({ messages: [], ticket: { status: 'active' } });
  await settle();
  assert.equal(asked, 2);
});

test('a stopped conversation says nothing more', async () => {
  const { talk, client } = await listening();
  const answer = deferred();
  server.history = () => answer;
  talk.catchUp();
  talk.stop();
  const before = threads.length;
  answer.resolve({ messages: [message(1)], ticket: {} });
  await settle();
  assert.equal(threads.length, before);
  assert.equal(client.channel(CHANNEL), null);
});

test('a message refused because the chat is closed tells that the chat is closed, and fetches its end', async () => {
  const talk = open();
  server.send = () => Promise.reject(new HttpError(409, { code: 'ticket_closed' }));
  server.rows.push(message(1));
  server.status = 'closed';
  talk.send('late');
  await settle();
  assert.deepEqual([talk.thread.status, talk.thread.messages.length], ['closed', 1]);
  assert.deepEqual(talk.thread.pending.map(({ content, refusal }) => [content, refusal]), [['late', 'failedClosed']]);
});

test('after a message own typing is sent again as soon as the server lets it through', async () => {
  const talk = open();
  talk.type();
  talk.send('mine');
  talk.type();
  assert.equal(server.typed, 1);
  mock.timers.tick(1100);
  talk.type();
  talk.type();
  assert.equal(server.typed, 2);
  mock.timers.tick(1999);
  talk.type();
  assert.equal(server.typed, 2);
});

/** A desk that keeps how far the visitor has read. */
function readable(read = 0) {
  server.reports = [];
  server.pointer = read;
  const { history } = server;
  server.history = async (...args) => {
    const page = await history(...args);
    return { ...page, ticket: { ...page.ticket, visitor_read_seq: server.pointer, operator_read_seq: 0 } };
  };
  server.read = async (ticketId, seq) => {
    server.reports.push([ticketId, seq]);
    server.pointer = Math.max(server.pointer, seq);
    return { ticket: { visitor_read_seq: server.pointer } };
  };
}

async function reading(rows, read) {
  readable(read);
  server.rows.push(...rows);
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  return talk;
}

async function pass(ms) {
  mock.timers.tick(ms);
  await settle();
}

test('what is seen within a moment is told once, by its highest seq', async () => {
  const talk = await reading([message(1), message(2), message(3)]);
  for (const seq of [1, 3, 2]) talk.see(seq);
  await pass(SEEN_AFTER_MS - 1);
  assert.deepEqual(server.reports, []);
  await pass(1);
  talk.see(3);
  await pass(60_000);
  assert.deepEqual(server.reports, [[7, 3]]);
});

test('what the desk has already, from here or from another tab, is not told', async () => {
  const talk = await reading([message(1), message(2)], 2);
  talk.see(2);
  await pass(60_000);
  server.rows.push(message(3));
  say('message:new', { message: message(3) });
  say('message:read', { ticket_id: 7, reader: 'visitor', seq: 3 });
  await settle();
  talk.see(3);
  await pass(60_000);
  assert.deepEqual(server.reports, []);
});

test('nothing behind a hole was seen', async () => {
  const talk = await reading([message(1)]);
  server.history = () => new Promise(() => {});
  say('message:new', { message: message(3) });
  await settle();
  talk.see(3);
  await pass(SEEN_AFTER_MS);
  assert.deepEqual(server.reports, [[7, 1]]);
});

test('a report that fails is made again with the next message or connection, and not in between', async () => {
  const talk = await reading([message(1)]);
  const { read } = server;
  server.read = mock.fn(() => Promise.reject(new HttpError(503)));
  talk.see(1);
  await pass(60_000);
  assert.equal(server.read.mock.callCount(), 1);
  server.read = read;
  talk.resync();
  await pass(SEEN_AFTER_MS);
  assert.deepEqual(server.reports, [[7, 1]]);
});

test('what is seen while a report is on its way is told after it', async () => {
  const talk = await reading([message(1), message(2)]);
  const { read } = server;
  const answer = deferred();
  server.read = mock.fn(() => answer);
  talk.see(1);
  await pass(SEEN_AFTER_MS);
  talk.see(2);
  await pass(60_000);
  assert.equal(server.read.mock.callCount(), 1);
  server.read = read;
  answer.resolve({ ticket: { visitor_read_seq: 1 } });
  await settle();
  await pass(SEEN_AFTER_MS);
  assert.deepEqual(server.reports, [[7, 2]]);
});

test('a desk that keeps no pointers is told nothing', async () => {
  server.rows.push(message(1));
  server.read = mock.fn(async () => ({}));
  const { talk } = await listening();
  Socket.last.confirm(CHANNEL);
  await settle();
  talk.see(1);
  await pass(60_000);
  assert.equal(server.read.mock.callCount(), 0);
});

test('of a chat that was left nothing is told', async () => {
  const talk = await reading([message(1)]);
  talk.see(1);
  talk.stop();
  talk.see(1);
  await pass(60_000);
  assert.deepEqual(server.reports, []);
});

test('how far the other side has read is heard', async () => {
  const talk = await reading([message(1)]);
  assert.equal(talk.thread.ticket.operator_read_seq, 0);
  say('message:read', { ticket_id: 7, reader: 'operator', seq: 1 });
  await settle();
  assert.equal(talk.thread.ticket.operator_read_seq, 1);
});
