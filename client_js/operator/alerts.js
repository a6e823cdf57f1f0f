/**
 * Calls the operator back to the page: a short sound, the count in the title, a desktop note.
 *
 * Knows the browser's means of attention. Not: why something wants attention.
 */

export class Alerts {
  constructor({ title }) {
    this._title = title;
    this.sound = true;
    // Browsers allow sound only after a first gesture on the page.
    for (const gesture of ['pointerdown', 'keydown']) {
      addEventListener(gesture, () => this._unlock(), { once: true, capture: true });
    }
  }

  /** @param {number} count unread messages, shown in the title */
  setCount(count) {
    const title = count ? `(${count}) ${this._title}` : this._title;
    if (document.title !== title) document.title = title;
  }

  get desktopAllowed() {
    return globalThis.Notification?.permission === 'granted';
  }

  async askForDesktop() {
    return (await globalThis.Notification?.requestPermission?.()) === 'granted';
  }

  /** One note per `tag` at a time; a desktop note only when the page is not looked at. */
  call(title, body, tag) {
    if (this.sound) this._beep();
    if (!this.desktop || !this.desktopAllowed || document.hasFocus()) return;
    const note = new Notification(title, { body, tag });
    note.onclick = () => {
      focus();
      note.close();
    };
  }

  _unlock() {
    this._audio ??= globalThis.AudioContext && new AudioContext();
    this._audio?.resume();
  }

  /** Two soft notes, made here: no file, nothing to allow in a policy. */
  _beep() {
    if (this._audio?.state !== 'running') return;
    const start = this._audio.currentTime;
    [660, 880].forEach((pitch, index) => this._note(pitch, start + index * 0.14));
  }

  _note(pitch, start) {
    const tone = this._audio.createOscillator();
    const volume = this._audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.12, start + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.3);
    tone.connect(volume).connect(this._audio.destination);
    tone.start(start);
    tone.stop(start + 0.32);
  }
}
