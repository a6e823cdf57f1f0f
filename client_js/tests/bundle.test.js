import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import vm from 'node:vm';
import { build, bundles, compressions, consoleFiles, consoleTarget, pages, target } from '../scripts/build.js';

/** What the widget may weigh, gzip. */
const WIDGET_LIMIT = 19_000;

const read = (file) => readFile(new URL(`../${file}`, import.meta.url), 'utf8');
const built = (file) => readFile(new URL(file, target), 'utf8');

for (const file of [...Object.keys(bundles), ...Object.keys(pages)]) {
  test(`${file} is what its sources build to (else: make bundle)`, async () => {
    assert.ok(await built(file) === await build(file), 'make bundle');
  });
}

for (const file of Object.keys(consoleFiles)) {
  test(`the console's ${file} is what its sources build to (else: make bundle)`, async () => {
    assert.ok(await readFile(new URL(file, consoleTarget), 'utf8') === await build(file), 'make bundle');
  });
}

for (const file of Object.keys(bundles)) {
  test(`${file} is the same compressed (else: make bundle)`, async () => {
    for (const [ending, { unpack }] of Object.entries(compressions)) {
      assert.ok(unpack(await readFile(new URL(file + ending, target))).toString() === await built(file), ending);
    }
  });
}

test('there is no other file beside them', async () => {
  const expected = [...Object.keys(pages), ...Object.keys(bundles).flatMap((file) => ['', ...Object.keys(compressions)].map((ending) => file + ending))];
  assert.deepEqual((await readdir(target)).sort(), expected.sort());
  assert.deepEqual((await readdir(consoleTarget)).sort(), Object.keys(consoleFiles).sort());
});

test('the widget stays light', async () => {
  assert.ok((await readFile(new URL('widget.js.gz', target))).length < WIDGET_LIMIT);
});

test('the lock file names no registry', async () => {
  assert.doesNotMatch(await read('package-lock.json'), /"resolved"/);
});

test('no script writes markup as text', async () => {
  const texts = [...Object.keys(bundles).map(built), readFile(new URL('console.js', consoleTarget), 'utf8')];
  for (const text of await Promise.all(texts)) assert.doesNotMatch(text, /innerHTML|insertAdjacentHTML|document\.write|\beval\(/);
});

test('private names are never written as text: the bundle gives them other ones', async () => {
  for (const folder of ['pushler', 'kit', 'conversation', 'widget', 'operator', 'console', 'demo']) {
    for (const file of await readdir(new URL(`../${folder}/`, import.meta.url), { recursive: true })) {
      // '_blank' is HTML's, for a new tab.
      if (file.endsWith('.js')) assert.doesNotMatch(await read(`${folder}/${file}`), /['"`]_(?!blank')\w/, file);
    }
  }
});

test('the script tag makes a global and takes the relay\'s address from its attributes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const addresses = [];
  class WebSocket {
    constructor(url) {
      addresses.push(url);
    }

    close() {}
  }
  const document = { currentScript: { dataset: { wsHost: '10.0.0.1', wsPort: '7001', forceTls: 'false' } } };
  const page = vm.createContext({ document, WebSocket, location: { protocol: 'https:', hostname: 'shop' }, queueMicrotask, setTimeout, clearTimeout });
  vm.runInContext(await built('pushler.js'), page);
  page.client = vm.runInContext("new PushlerClient({ appKey: 'key_x', authEndpoint: '/auth.php' })", page);
  await Promise.resolve();
  t.mock.timers.tick(5000);
  page.client.disconnect();
  t.mock.timers.tick(600_000);
  assert.equal(addresses.length, 1);
  assert.match(addresses[0], /^ws:\/\/10\.0\.0\.1:7001\/app\/key_x\?protocol=7/);
});
