/**
 * The choice of a language and its words. Knows no texts: each page brings its own.
 */

import { fill } from './sentence.js';

/**
 * @param {Record<string, Record<string, string>>} texts language → key → text with {places}; one language is 'en'
 * @param {(text: string, values: object) => string} [put] puts values into their places
 */
export function wordsOf(texts, put = fill) {
  return {
    /** The first of the wishes ('ru-RU', 'en', undefined…) that we have; else English. */
    chooseLang: (...wishes) => wishes.map((wish) => wish?.slice(0, 2).toLowerCase()).find((lang) => lang in texts) ?? 'en',
    /** A function from a text's key (and values for its {places}) to the text. */
    translator: (lang) => (key, values = {}) => put(texts[lang][key], values),
  };
}
