/**
 * The field that messages are written in, of the widget and of the panel: it grows with its text,
 * sends with Enter where there is a keyboard, and keeps what is half-written.
 *
 * Knows the field and where its draft is kept. Not: how a message is sent, which chat is open.
 */

import { atEnd } from '../kit/dom.js';

/** Rows of the field at most; a longer text scrolls. */
export const MAX_ROWS = 6;
/** Where fingers write: the keyboard on the screen has no other key for a new line. */
export const TOUCH = '(pointer: coarse)';

/**
 * Does an input method take this key? While it composes, Enter chooses a word. Safari ends the
 * composition before it reports that Enter, and leaves only the code 229.
 */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

export class Composer {
  /**
   * @param {HTMLTextAreaElement} input its rows now are its rows at least
   * @param {object} parts
   *   log      the box of messages above it: where its end was in view, it stays there
   *   send     (event) Enter was pressed to send
   *   changed  (text) after each change of the text, by a person or by `open`, `put` and `clear`
   *   typed    (text) the person has changed it
   */
  constructor(input, { log, send, changed = () => {}, typed = () => {} }) {
    Object.assign(this, { input, log, send, changed });
    this._minRows = input.rows;
    input.enterKeyHint = matchMedia(TOUCH).matches ? 'enter' : 'send';
    input.addEventListener('input', () => {
      this._keep();
      typed(input.value);
    });
    input.addEventListener('keydown', (event) => sends(event) && this.send(event));
    // It comes into view, or the window gets narrower. In the next frame: its size must not change while sizes are told.
    this._resized = new ResizeObserver(() => requestAnimationFrame(() => this.fit()));
    this._resized.observe(input);
  }

  /** Another chat, whose draft `slot` ({get, set} of a text or null) keeps; null: none. Its draft comes into the field. */
  open(slot) {
    this._slot = slot;
    this._show(slot?.get() ?? '');
  }

  /** Write a text into the field, for example one that could not be sent. */
  put(text) {
    this.input.value = text;
    this._keep();
  }

  /** The text is sent: field and draft are empty. */
  clear() {
    this.put('');
  }

  /** As many rows as the text takes, wrapped ones too. */
  fit() {
    const { input, log } = this;
    const follow = log && atEnd(log);
    input.rows = this._minRows;
    while (input.rows < MAX_ROWS && input.scrollHeight > input.clientHeight) input.rows += 1;
    if (follow) log.scrollTop = log.scrollHeight;
  }

  stop() {
    this._resized.disconnect();
  }

  _keep() {
    this._slot?.set(this.input.value || null);
    this._show(this.input.value);
  }

  _show(text) {
    if (this.input.value !== text) this.input.value = text;
    this.fit();
    this.changed(text);
  }
}

function sends(event) {
  if (event.key !== 'Enter' || event.shiftKey || isComposing(event)) return false;
  return event.ctrlKey || event.metaKey || !matchMedia(TOUCH).matches;
}
