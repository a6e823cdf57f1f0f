/**
 * What the console's components draw, as signals, and what they may do: joins feed, state and the choices that the browser keeps.
 *
 * Knows the network and when to draw. Not: what it looks like.
 */

import { computed, effect, signal } from '@preact/signals';
import { localeFor } from '../kit/locale.js';
import { Feed, reasonOf } from './feed.js';
import { chooseLang, translator } from './i18n.js';
import { add, choose, clear, initial, pause, resume, shown, shownChannels, toggleGroup } from './state.js';

/** How long to wait before the list of apps is asked for again, milliseconds. */
const RETRY_MS = 3000;

export class Model {
  /** @param {{storage: object, languages: readonly string[]}} parts see kit/storage.js; the browser's languages */
  constructor({ storage, languages }) {
    this._storage = storage;
    this._waiting = [];
    this.state = signal(initial());
    this.lang = signal(chooseLang(storage.get('lang'), ...languages));
    this.locale = computed(() => localeFor(this.lang.value, languages));
    this._words = computed(() => translator(this.lang.value));
    this._slices();
    this.feed = new Feed({ on: this._heard() });
    effect(() => {
      document.documentElement.lang = this.lang.value;
      document.title = this.t('title');
    });
  }

  /** The text of a key in the language of now. A component that calls it is drawn anew in another one. */
  t(key, values) {
    return this._words.value(key, values);
  }

  /** A number as it is written in the language of now. */
  format(number) {
    return new Intl.NumberFormat(this.locale.value).format(number);
  }

  /** The apps; then the feed of the one that was watched last. */
  async load() {
    try {
      const response = await fetch('/apps');
      if (!response.ok) throw new Error(await reasonOf(response));
      const { apps, relay } = await response.json();
      this._change((state) => ({ ...state, apps, relay }));
      const before = this._storage.get('app');
      this.choose(apps.some(({ id }) => id === before) ? before : apps[0].id);
    } catch (error) {
      // fetch's own failures are TypeErrors, in words that are not for people.
      this._change((state) => ({ ...state, connection: 'lost', reason: error instanceof TypeError ? '' : error.message }));
      setTimeout(() => this.state.value.app || this.load(), RETRY_MS);
    }
  }

  choose(app) {
    this._storage.set('app', app);
    this._change((state) => ({ ...choose(state, app), connection: 'connecting', reason: '' }));
    this.feed.open(app);
  }

  /** Try again now what is being waited for. */
  hurry() {
    if (this.state.value.app) this.feed.hurry();
    else this.load();
  }

  setLang(lang) {
    this._storage.set('lang', lang);
    this.lang.value = lang;
  }

  search(text) {
    this._change((state) => ({ ...state, text }));
  }

  toggleGroup(group) {
    this._change((state) => toggleGroup(state, group));
  }

  togglePause() {
    this._change((state) => (state.paused ? resume(state) : pause(state)));
  }

  clear() {
    this._change(clear);
  }

  /** Send a test event: null when it was sent, else the reason, '' when nobody answered. */
  async send(body) {
    try {
      const response = await fetch(`/events?app=${encodeURIComponent(this.state.value.app)}`, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
      });
      return response.ok ? null : await reasonOf(response);
    } catch {
      return '';
    }
  }

  /** Parts of the state that change only when they do, and not with each entry. */
  _slices() {
    for (const name of ['apps', 'app', 'relay', 'connection', 'reason', 'present', 'entries', 'held', 'paused', 'groups', 'text']) {
      this[name] = computed(() => this.state.value[name]);
    }
    /** The app that is watched. */
    this.current = computed(() => this.apps.value.find(({ id }) => id === this.app.value));
    this.list = computed(() => shown({ entries: this.entries.value, groups: this.groups.value, text: this.text.value }));
    this.channels = computed(() => shownChannels({ present: this.present.value, text: this.text.value }));
  }

  _heard() {
    return {
      open: () => this._later((state) => ({ ...state, connection: 'live', reason: '' })),
      state: (present) => this._later((state) => ({ ...state, present })),
      happened: (entry) => this._later((state) => add(state, entry)),
      missed: ({ count }) => this._later((state) => add(state, { kind: 'missed', at: Date.now(), count })),
      lost: (reason) => this._later((state) => {
        const noted = state.connection === 'live' ? add(state, { kind: 'gap', at: Date.now() }) : state;
        return { ...noted, connection: 'lost', reason };
      }),
    };
  }

  /** However much happens, it is drawn once a frame. */
  _later(change) {
    this._waiting.push(change);
    if (this._waiting.length === 1) requestAnimationFrame(() => this._change());
  }

  /** What a person does is drawn at once, after what has happened before. */
  _change(change = (state) => state) {
    this.state.value = [...this._waiting, change].reduce((state, next) => next(state), this.state.value);
    this._waiting = [];
  }
}
