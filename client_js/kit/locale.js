/**
 * In which way of a language times are written.
 */

/**
 * The first of the browser's locales that is of the language ('en-GB' writes 14:05 where 'en' has
 * 2:05 PM); else the language itself. Some systems name locales that are none ('en-US@posix').
 */
export function localeFor(lang, wishes) {
  return wishes.find((wish) => RegExp(`^${lang}(-[a-z\\d]+)*$`, 'i').test(wish)) ?? lang;
}
