import assert from 'node:assert/strict';
import { test } from 'node:test';
import { texts, translator } from '../../console/i18n.js';
import { describe, fieldsOf } from '../../console/rows.js';
import { cleanHost, SNIPPETS, targetOf } from '../../console/snippets.js';
import { GROUPS } from '../../console/state.js';

const APP = { id: 'shop', key: 'shop-key', is_enabled: true };
const RELAY = { host: '127.0.0.1', port: 6001, path_prefix: '', is_tls: false };
const t = translator('en');

test('each kind has its words in both languages, and its fields have names', () => {
  for (const kind of Object.values(GROUPS).flat()) {
    const entry = { kind, at: 0, socket_id: '1.2', channel: 'c', event: 'e', data: '"d"', reason: 'r', code: 1, method: 'M', path: '/p', status: 4, url: 'u', count: 2, user_id: 'u', subscribers: 1, recipients: 1, exclude: '3.4', address: 'a', origin: 'o' };
    for (const lang of Object.keys(texts)) {
      const said = describe(entry, translator(lang));
      assert.ok(said.title && said.kind && said.group !== 'note', kind);
      assert.doesNotMatch(`${said.kind} ${said.title} ${said.about}`, /undefined|null|\{/);
    }
    for (const [name] of fieldsOf(entry)) assert.ok(texts.en[`field_${name}`] && texts.ru[`field_${name}`], name);
  }
});

test('an optional field that is missing leaves no trace', () => {
  assert.deepEqual(describe({ kind: 'connected', socket_id: '1.2' }, t), { kind: 'Connected', group: 'connections', title: '1.2', about: '' });
});

test('the last one to leave empties the channel', () => {
  const left = { kind: 'unsubscribed', channel: 'c', socket_id: '1.2' };
  assert.match(describe({ ...left, subscribers: 0 }, t).about, /empty/);
  assert.match(describe({ ...left, subscribers: 3 }, t).about, /subscribers: 3/);
});

test('a kind that a newer relay may send is shown as a note', () => {
  assert.deepEqual(describe({ kind: 'teleported' }, t).title, 'teleported');
});

test('snippets name the app and the relay, and never a secret', () => {
  for (const [name, { code }] of Object.entries(SNIPPETS)) {
    const target = { ...targetOf(APP, RELAY, 'x'), host: 'relay.example', port: 443, tls: true, prefix: '/rt' };
    const text = code(target);
    assert.match(text, /shop-key/, name);
    assert.match(text, /relay\.example/, name);
    assert.match(text, /443/, name);
    assert.match(text, /\/rt/, name);
    assert.doesNotMatch(text, /undefined|null/, name);
  }
  const onServers = ['python', 'node', 'php'];
  assert.ok(onServers.every((name) => SNIPPETS[name].code(targetOf(APP, RELAY, 'x')).includes('YOUR-SECRET')));
});

test('a relay that listens everywhere is reached where the console is', () => {
  assert.equal(targetOf(APP, { ...RELAY, host: '0.0.0.0' }, 'console.example').host, 'console.example');
  assert.equal(targetOf(APP, { ...RELAY, host: '::' }, 'console.example').host, 'console.example');
  assert.equal(targetOf(APP, RELAY, 'console.example').host, '127.0.0.1');
});

test('a host is nothing but a name or an address', () => {
  assert.equal(cleanHost(' https://chat.example/path '), 'chat.example');
  assert.equal(cleanHost('a"); alert(1); ("'), 'a');
  assert.equal(cleanHost('[::1]'), '[::1]');
});
