/**
 * Times as texts, in the operator's way of writing. Makes each kind of format once: that is what takes long.
 */

const formats = new Map();

const CLOCK = { hour: '2-digit', minute: '2-digit' };
const WHOLE = { dateStyle: 'medium', timeStyle: 'short' };
const DAY = { weekday: 'long', day: 'numeric', month: 'long' };
const SHORT = { day: 'numeric', month: 'short' };
const SHORT_OF_YEAR = { ...SHORT, year: 'numeric' };
const DAY_OF_YEAR = { ...DAY, year: 'numeric' };

/** Hours and minutes. @param {string|number|Date} time @param {string} locale BCP 47 */
export function clockText(time, locale) {
  return formatOf(locale, CLOCK).format(new Date(time));
}

/** Day, hours and minutes. */
export function wholeText(time, locale) {
  return formatOf(locale, WHOLE).format(new Date(time));
}

/** A day in few letters. */
export function shortText(time, locale) {
  const day = new Date(time);
  return formatOf(locale, day.getFullYear() === new Date().getFullYear() ? SHORT : SHORT_OF_YEAR).format(day);
}

/** @param {(key: string) => string} t texts for `today` and `yesterday` @param {number} now milliseconds */
export function dayText(day, now, locale, t) {
  const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(day).setHours(0, 0, 0, 0)) / 86_400_000);
  if (days === 0) return t('today');
  if (days === 1) return t('yesterday');
  return formatOf(locale, day.getFullYear() === new Date(now).getFullYear() ? DAY : DAY_OF_YEAR).format(day);
}

function formatOf(locale, options) {
  const key = `${locale} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(locale, options));
  return formats.get(key);
}
