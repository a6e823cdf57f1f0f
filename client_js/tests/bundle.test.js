import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build, bundles, copies } from '../scripts/build.js';

/** What the widget may weigh, gzip. */
const WIDGET_LIMIT = 16_000;

const read = (file) => readFile(new URL(`../${file}`, import.meta.url), 'utf8');

for (const [file, entry] of Object.entries(bundles)) {
  test(`${file} is what its modules build to (else: npm run bundle)`, async () => {
    assert.equal(await read(file), await build(entry));
  });
}

for (const [file, copy] of Object.entries(copies)) {
  test(`${copy} is a copy of ${file} (else: npm run bundle)`, async () => {
    assert.equal(await read(copy), await read(file));
  });
}

test('the widget stays light', async () => {
  assert.ok(gzipSync(await read('dist/widget.js'), { level: 9 }).length < WIDGET_LIMIT);
});

test('the lock file names no registry', async () => {
  assert.doesNotMatch(await read('package-lock.json'), /"resolved"/);
});

test('no script writes markup as text', async () => {
  for (const file of Object.keys(bundles)) assert.doesNotMatch(await read(file), /innerHTML|insertAdjacentHTML|document\.write|\beval\(/);
});

test('private names are never written as text: the bundle gives them other ones', async () => {
  for (const folder of ['pushler', 'shared', 'widget']) {
    for (const file of await readdir(new URL(`../${folder}/`, import.meta.url))) {
      if (file.endsWith('.js')) assert.doesNotMatch(await read(`${folder}/${file}`), /['"`]_\w/, file);
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
  vm.runInContext(await read('dist/pushler.js'), page);
  page.client = vm.runInContext("new PushlerClient({ appKey: 'key_x', authEndpoint: '/auth.php' })", page);
  await Promise.resolve();
  t.mock.timers.tick(5000);
  page.client.disconnect();
  t.mock.timers.tick(600_000);
  assert.equal(addresses.length, 1);
  assert.match(addresses[0], /^ws:\/\/10\.0\.0\.1:7001\/app\/key_x\?protocol=7/);
});
