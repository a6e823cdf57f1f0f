/**
 * Which key does what. Letters are places on the keyboard, so that they are the same in every layout.
 *
 * Pure: a keyboard event in, the name of a command out. Knows no page and not what commands do.
 */

/**
 * The commands in the order of the help sheet. `alone`: this key without others, when nobody is writing; `alt`: with Alt,
 * while one writes, too. `word`: key of the text that says what it does.
 */
export const COMMANDS = [
  { name: 'next', alone: 'KeyJ', alt: 'ArrowDown', word: 'keyNext' },
  { name: 'previous', alone: 'KeyK', alt: 'ArrowUp', word: 'keyPrevious' },
  { name: 'longest', alone: 'KeyN', alt: 'KeyN', word: 'keyLongest' },
  { name: 'take', alone: 'KeyT', alt: 'KeyT', word: 'keyTake' },
  { name: 'reply', alone: 'KeyR', word: 'keyReply' },
  { name: 'note', alone: 'KeyM', alt: 'KeyM', word: 'keyNote' },
  { name: 'transfer', alone: 'KeyH', alt: 'KeyH', word: 'keyTransfer' },
  { name: 'close', alone: 'KeyE', alt: 'KeyE', word: 'keyClose' },
  { name: 'undo', alone: 'KeyZ', alt: 'KeyZ', word: 'keyUndo' },
  { name: 'details', alone: 'KeyI', alt: 'KeyI', word: 'keyDetails' },
  { name: 'search', alone: 'Slash', word: 'keySearch' },
];

/** What is always there, whoever is writing; for the help sheet. */
export const FIXED = [
  { keys: ['Enter'], word: 'keySend' },
  { keys: ['Shift', 'Enter'], word: 'keyLine' },
  { keys: ['Esc'], word: 'keyBack' },
  { keys: ['↑', '↓'], word: 'keyRows' },
  { keys: ['?'], word: 'keyHelp' },
];

/**
 * @param {KeyboardEvent} event
 * @param {{writing: boolean, letters: boolean, mac: boolean}} context writing: the focus is in a field; letters: single keys are
 *   wanted; mac: its Alt and a letter write another letter, é for example
 * @returns {string|null} the command's name, 'help', or null
 */
export function commandOf(event, { writing, letters, mac }) {
  if (event.ctrlKey || event.metaKey) return null;
  if (event.altKey) return withAlt(mac).find(({ alt }) => alt === event.code)?.name ?? null;
  if (writing || !letters) return null;
  if (asksForHelp(event)) return 'help';
  return event.shiftKey ? null : COMMANDS.find(({ alone }) => alone === event.code)?.name ?? null;
}

/** The commands that Alt gives. */
export function withAlt(mac) {
  return COMMANDS.filter(({ alt }) => alt && !(mac && alt.startsWith('Key')));
}

/** The question mark, or where it stands on a keyboard that has a comma there. */
function asksForHelp({ key, code, shiftKey }) {
  return key === '?' || (shiftKey && code === 'Slash');
}

/** How a key is written on it: 'KeyJ' is J. */
export function keyLabel(code) {
  return { ArrowDown: '↓', ArrowUp: '↑', Slash: '/' }[code] ?? code.replace('Key', '');
}
