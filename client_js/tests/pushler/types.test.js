/** index.d.ts against the code: the same names, in both directions. What the types mean is checked by tests/types. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import ts from 'typescript';
import * as pushler from '../../pushler/index.js';
import { fakeSockets } from '../helpers/fakes.js';

const folder = new URL('../../pushler/', import.meta.url);
const declared = ts.createSourceFile('index.d.ts', await readFile(new URL('index.d.ts', folder), 'utf8'), ts.ScriptTarget.Latest);
const sources = await Promise.all((await readdir(folder)).filter((file) => file.endsWith('.js')).map((file) => readFile(new URL(file, folder), 'utf8')));
const code = sources.join('\n').replace(/\/\*\*?[^]*?\*\/|\/\/.*/g, '');

/** The options as the constructor hands them on: other names of those that a page gives. */
const DERIVED = ['key', 'tls', 'host', 'port', 'path'];

const client = new pushler.PushlerClient({ appKey: 'k', autoConnect: false, WebSocket: fakeSockets() });
const room = client.subscribe('presence-a');

/** The declared names of a class or interface, sorted. */
function members(name) {
  const { members: list } = declared.statements.find((statement) => statement.name?.text === name);
  return [...new Set(list.filter((member) => member.name).map((member) => member.name.text))].sort();
}

/** The public names that an object has of its own class and of itself, sorted. */
function names(object) {
  const own = [...Object.keys(object), ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))];
  return own.filter((name) => name !== 'constructor' && !name.startsWith('_')).sort();
}

const found = (pattern) => [...new Set([...code.matchAll(pattern)].map(([, name]) => name))];

test('the module exports the classes and values that are declared, and no others', () => {
  const isValue = (statement) => ts.isClassDeclaration(statement) || ts.isVariableStatement(statement);
  const isExported = (statement) => statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  const nameOf = (statement) => (statement.name ?? statement.declarationList.declarations[0].name).text;
  assert.deepEqual(declared.statements.filter((statement) => isValue(statement) && isExported(statement)).map(nameOf).sort(), Object.keys(pushler).sort());
});

for (const [name, object] of [['PushlerClient', client], ['Channel', room], ['Members', room.members]]) {
  test(`${name} has the members that are declared, and no other public ones`, () => {
    assert.deepEqual(members(name), names(object));
  });
}

test('the handlers of client and channels are bound by what is declared, and by nothing else', () => {
  const emitter = Object.getPrototypeOf(pushler.Channel.prototype);
  assert.equal(emitter, Object.getPrototypeOf(pushler.PushlerClient.prototype));
  assert.deepEqual(members('Emitter'), Object.getOwnPropertyNames(emitter).filter((name) => name !== 'constructor' && !name.startsWith('_')).sort());
});

test('each declared option is read somewhere, and each that is read is declared', () => {
  const options = members('PushlerClientOptions');
  for (const option of options) assert.match(code, new RegExp(`\\b${option}\\b`), option);
  const read = found(/\b_?options\.(\w+)/g).filter((name) => !DERIVED.includes(name));
  assert.deepEqual(read.filter((name) => !options.includes(name)), []);
  assert.ok(read.length > 8, 'the options are still read by their names');
});

test('each event that the code makes up is declared', () => {
  const events = found(/_emit\('([^']+)'/g);
  const ofChannels = events.filter((name) => name.startsWith('pushler:'));
  assert.deepEqual(ofChannels.filter((name) => !members('ChannelEvents').includes(name)), []);
  assert.deepEqual(events.filter((name) => !name.startsWith('pushler:') && !members('ClientEvents').includes(name)), []);
  assert.ok(ofChannels.length >= 4 && events.length >= 9, 'they are still made up by their names');
});
