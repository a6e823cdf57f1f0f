/**
 * Texts with values in their places. Knows no language.
 */

const ISOLATE = '\u2068';
const END = '\u2069';

/**
 * The text with each {place} filled. What is text itself, a person's name above all, is isolated: it may be written from
 * right to left, or hold a character that turns the direction, and must not shuffle the sentence around it (Unicode UAX 9, 2.4).
 */
export function fill(text, values) {
  return text.replace(/{(\w+)}/g, (_, place) => isolated(values[place]));
}

function isolated(value) {
  return typeof value === 'string' ? `${ISOLATE}${value}${END}` : value;
}
