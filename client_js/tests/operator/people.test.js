import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HUES, hueOf, initialsOf, nameOf } from '../../operator/people.js';

test('initials are those of the first and the last word, in any script', () => {
  const names = { 'Ivan Petrov': 'IP', 'мария': 'М', 'Anna Maria von Berg': 'AB', 'עמית לוי': 'על', '𝒳avier': '𝒳', '  jo  ': 'J' };
  for (const [name, initials] of Object.entries(names)) assert.equal(initialsOf(name), initials);
});

test('a name without letters has a sign all the same', () => {
  assert.deepEqual(['👋', '!!!', ''].map(initialsOf), ['👋', '!', '?']);
});

test('a person keeps their colour, and people have different ones', () => {
  assert.equal(hueOf('visitor-1'), hueOf('visitor-1'));
  const hues = new Set(Array.from({ length: 50 }, (_, number) => hueOf(`visitor-${number}`)));
  assert.equal(hues.size, HUES);
  assert.ok([...hues].every((hue) => hue >= 1 && hue <= HUES));
});

test('who has given no name is a visitor', () => {
  assert.equal(nameOf({ visitor_name: '' }, (key) => `<${key}>`), '<visitor>');
  assert.equal(nameOf({ visitor_name: 'Ivan' }, String), 'Ivan');
});
