/**
 * How people are told apart at a glance: their name as it is shown, its initials, a colour.
 *
 * Pure. Knows no page.
 */

/** Colours of avatars; styles/people.css has them as .hue-1 to .hue-8. */
export const HUES = 8;

/** The name of a ticket's visitor as it is shown. @param {(key: string) => string} t */
export function nameOf(ticket, t) {
  return ticket?.visitor_name || t('visitor');
}

/** One or two letters; of a name without letters its first character. */
export function initialsOf(name) {
  const words = name.trim().split(/[\s_.-]+/).map((word) => word.match(/[\p{L}\p{N}]/u)?.[0]).filter(Boolean);
  const [first = [...name.trim()][0] ?? '?', last] = words.length > 1 ? [words[0], words.at(-1)] : words;
  return (first + (last ?? '')).toUpperCase();
}

/** Number of a colour, the same for the same id. */
export function hueOf(id) {
  let sum = 0;
  for (const character of String(id)) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return 1 + (sum % HUES);
}
