import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { colorsOf, contrast, propertiesOf } from '../helpers/colors.js';

const read = (file) => readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
const tokens = await read('kit/tokens.css');
const colors = colorsOf(tokens);

const PERSONS = ['1', '2', '3', '4', '5', '6', '7', '8'].map((n) => `person-${n}`);
const GROUNDS = ['back', 'ground', 'soft', 'chosen'];
const INKS = ['text', 'dim', 'accent', 'good', 'warn', 'bad'];

const pairs = (inks, grounds) => inks.flatMap((ink) => grounds.map((ground) => [ink, ground]));

/** What is text on what, WCAG's AA: 4.5. */
const TEXTS = [
  ...pairs(INKS, GROUNDS),
  ...['good', 'warn', 'bad'].flatMap((ink) => pairs([ink, 'text', 'dim'], [`${ink}-soft`])),
  ...pairs(['on-accent'], ['accent', 'accent-strong']),
  ...pairs(['on-person'], PERSONS),
];
/** What shows where a field is, or the focus, or who is meant: 3. */
const SHAPES = [...pairs(['field'], ['ground', 'back']), ...pairs(PERSONS, GROUNDS)];

for (const [least, list] of [[4.5, TEXTS], [3, SHAPES]]) {
  for (const [ink, ground] of list) {
    test(`${ink} on ${ground} keeps ${least}:1 by day and by night`, () => {
      for (const time of [0, 1]) {
        const ratio = contrast(colors.get(ink)[time], colors.get(ground)[time]);
        assert.ok(ratio >= least, `${ratio.toFixed(2)} ${time ? 'by night' : 'by day'}`);
      }
    });
  }
}

test('the ratio is that of WCAG', () => {
  assert.equal(contrast('#000', '#ffffff'), 21);
  assert.equal(contrast('#777', '#fff').toFixed(2), '4.48');
});

test('every colour is in one of the pairs, or is only an edge', () => {
  const used = new Set([...TEXTS, ...SHAPES].flat());
  assert.deepEqual([...colors.keys()].filter((name) => !used.has(name)), ['edge']);
});

test('every token that base.css uses is one of tokens.css', async () => {
  const known = propertiesOf(tokens);
  const used = [...(await read('kit/base.css')).matchAll(/var\(--([\w-]+)/g)].map(([, name]) => name);
  assert.deepEqual(used.filter((name) => !known.has(name)), []);
  assert.ok(used.length > 20);
});

// The widget goes without the kit's styles, for its weight, and without light-dark(), for the browsers of everybody.
test('the widget has the same colours, by day and by night', async () => {
  const styles = await read('widget/widget.css');
  const [day, night] = styles.split('@media (prefers-color-scheme: dark)').map((part) => propertiesOf(part.slice(0, part.indexOf('}'))));
  for (const [time, own] of [day, night].entries()) {
    for (const [name, value] of own) {
      const color = /#[\da-f]+/.exec(value)[0];
      assert.equal(color, colors.get(name)[time], `${name} ${time ? 'by night' : 'by day'}`);
    }
  }
  assert.deepEqual([...day.keys()], [...night.keys()]);
  assert.ok(day.size > 7);
});
