import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Feed, reasonOf } from '../../console/feed.js';

test('the reason of a refusal is the console\'s own text, or nothing', async () => {
  assert.equal(await reasonOf(new Response('{"error":"no"}')), 'no');
  assert.equal(await reasonOf(new Response('<html>')), '');
  assert.equal(await reasonOf(new Response('{}')), '');
});

/** A feed whose answers a test gives. */
function feedOf(...answers) {
  const told = [];
  const asked = [];
  const waiting = [];
  const on = Object.fromEntries(['open', 'state', 'happened', 'missed', 'lost'].map((name) => [name, (value) => {
    told.push(value === undefined ? [name] : [name, value]);
    waiting.shift()?.();
  }]));
  const fetch = async (url, { signal }) => {
    asked.push(url);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    signal.addEventListener('abort', () => answer?.cancel?.());
    return answer;
  };
  return { feed: new Feed({ on, fetch }), told, asked, heard: () => new Promise((resolve) => { waiting.push(resolve); }) };
}

test('a feed tells what comes, and says when it is over', async () => {
  const { feed, told, asked, heard } = feedOf(new Response('event: state\ndata: {"a":1}\n\n'));
  const all = [heard(), heard(), heard()];
  feed.open('my app');
  await Promise.all(all);
  feed.close();
  assert.deepEqual(told, [['open'], ['state', { a: 1 }], ['lost', '']]);
  assert.deepEqual(asked, ['/feed?app=my%20app']);
});

test('a refusal is told with its reason, and tried again after longer and longer pauses', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const refusal = () => new Response('{"error":"too many"}', { status: 503 });
    const { feed, told, asked, heard } = feedOf(refusal(), new TypeError('network'), refusal());
    let lost = heard();
    feed.open('a');
    await lost;
    lost = heard();
    mock.timers.tick(999);
    assert.equal(asked.length, 1);
    mock.timers.tick(1);
    await lost;
    lost = heard();
    mock.timers.tick(1999);
    assert.equal(asked.length, 2);
    mock.timers.tick(1);
    await lost;
    assert.deepEqual(told, [['lost', 'too many'], ['lost', ''], ['lost', 'too many']]);
    feed.close();
  } finally {
    mock.timers.reset();
  }
});

test('to hurry ends the pause', async () => {
  const { feed, asked, heard } = feedOf(new TypeError('network'), new TypeError('network'));
  let lost = heard();
  feed.open('a');
  await lost;
  lost = heard();
  feed.hurry();
  await lost;
  feed.close();
  assert.equal(asked.length, 2);
});
