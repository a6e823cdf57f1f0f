/** Colours of a style sheet, and how far apart they are. */

const LIGHT_DARK = /light-dark\((#[\da-f]+), (#[\da-f]+)\)/i;

/** The custom properties of a style sheet: name → value where it is set first, without the dashes and whether it is important. */
export function propertiesOf(text) {
  const found = [...text.matchAll(/--([\w-]+): ([^;]+);/g)].map(([, name, value]) => [name, value.replace(' !important', '')]);
  return new Map(found.reverse());
}

/** Those that are light-dark(): name → [by day, by night]. */
export function colorsOf(text) {
  const pairs = [...propertiesOf(text)].map(([name, value]) => [name, LIGHT_DARK.exec(value)]);
  return new Map(pairs.filter(([, found]) => found).map(([name, [, day, night]]) => [name, [day, night]]));
}

/** WCAG 2.2's contrast ratio of two colours '#rgb' or '#rrggbb', 1 to 21. */
export function contrast(one, other) {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
}

function luminance(color) {
  const digits = color.length === 4 ? color.replace(/[\da-f]/gi, '$&$&') : color;
  const [red, green, blue] = digits.match(/[\da-f]{2}/gi).map((pair) => linear(parseInt(pair, 16) / 255));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function linear(part) {
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}
