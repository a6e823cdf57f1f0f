/**
 * Texts of the panel and their choice. Knows nothing of where they are shown.
 */

import { wordsOf } from '../kit/i18n.js';
import en from './words/en.js';
import ru from './words/ru.js';

export const texts = { en, ru };

export const { chooseLang, translator } = wordsOf(texts);

/** A length of time in the largest fitting unit: "40 sec", "5 min", "2 hr". */
export function durationText(ms, lang) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  const [value, unit] = seconds < 60 ? [seconds, 'second'] : seconds < 3600 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour'];
  return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 }).format(Math.floor(value));
}
