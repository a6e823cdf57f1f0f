/**
 * Calls the operator back to the page: a short sound, the count in the title, a desktop note;
 * from one tab, however many are open.
 *
 * Knows the browser's means of attention. Not: why something wants attention.
 */

import { newId } from '../kit/ids.js';
import { OneTab } from './one_tab.js';
import { Sound } from './sound.js';

const CHANNEL = 'pushdesk-operator';

export class Alerts {
  /** @param {{title: string, onChange: () => void}} parts onChange: sound was locked or unlocked */
  constructor({ title, onChange }) {
    this._title = title;
    /** What the operator wants. */
    this.sound = true;
    this.desktop = false;
    this._sound = new Sound(onChange);
    this._tabs = new OneTab({ id: newId(), channel: globalThis.BroadcastChannel ? new BroadcastChannel(CHANNEL) : null });
  }

  /** @param {number} count unread messages, shown in the title */
  setCount(count) {
    const title = count ? `(${count}) ${this._title}` : this._title;
    if (document.title !== title) document.title = title;
  }

  /** Sound is wanted, and the browser waits for a click before it lets it be heard. */
  get soundLocked() {
    return this.sound && this._sound.isLocked;
  }

  unlockSound() {
    this._sound.unlock();
  }

  get desktopAllowed() {
    return globalThis.Notification?.permission === 'granted';
  }

  async askForDesktop() {
    return (await globalThis.Notification?.requestPermission?.()) === 'granted';
  }

  /**
   * @param {object} call
   *   key      of the event, the same in all tabs
   *   watches  the operator has it before their eyes in this tab: nobody is called
   *   title, body, tag   of the desktop note; one note per tag at a time
   *   open     () → show what the note was about
   */
  call({ key, watches, ...note }) {
    const able = { watches, focused: document.hasFocus(), audible: this.sound && !this._sound.isLocked };
    this._tabs.call(key, able, ({ sound, note: wanted }) => {
      if (sound) this._sound.play();
      if (wanted && this.desktop && this.desktopAllowed) showNote(note);
    });
  }
}

function showNote({ title, body, tag, open }) {
  const note = newNote(title, { body, tag });
  note?.addEventListener('click', () => {
    focus();
    open();
    note.close();
  });
}

/** Chrome on Android has the class and refuses its use outside of a service worker. */
function newNote(title, options) {
  try {
    return new Notification(title, options);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}
