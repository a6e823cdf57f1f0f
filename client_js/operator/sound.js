/**
 * Two soft notes, made here: no file, nothing to allow in a policy.
 *
 * Knows when the browser lets the page sound. Not: why it should.
 */

export class Sound {
  /** @param {() => void} onChange after the browser has locked or unlocked it */
  constructor(onChange) {
    this._audio = globalThis.AudioContext && new AudioContext();
    this._audio?.addEventListener('statechange', onChange);
    // Browsers allow sound only after a gesture on the page. Some lock it again: each gesture asks.
    for (const gesture of ['pointerdown', 'keydown']) addEventListener(gesture, () => this.unlock(), { capture: true });
  }

  /** The browser would not let it be heard now. */
  get isLocked() {
    return this._audio?.state !== 'running';
  }

  /** Call from within a gesture. */
  unlock() {
    if (this._audio && this.isLocked) this._audio.resume();
  }

  play() {
    if (this.isLocked) return;
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
