/**
 * What the panel's components draw, as signals, and what they may do.
 *
 * The controller's state is one signal; what is cut out of it here changes only when its part has changed, so that a component
 * is drawn anew for what it shows. Beside it stands what only this page knows: language, colours, what is folded open, the
 * address, where the focus goes. Knows the page; no network.
 */

import { computed, effect, signal } from '@preact/signals';
import { systemText } from '../conversation/message_view.js';
import { CLOSED, newestSeq } from '../conversation/thread.js';
import { localeFor } from '../kit/locale.js';
import { chooseLang, durationText, translator } from './i18n.js';
import { Finder } from './finder.js';
import { Past } from './past.js';
import { CHATS, chatPath, parseRoute } from './routes.js';
import { countWaiting, GONE, longestWaiting, myTickets, queueTickets, WORK } from './state.js';

/** What the operator may do with the open chat. */
export const TALK = 'talk';
export const LOOK = 'look';
export const ENDED = 'ended';
export const KEPT = 'kept';

/** How often what is said of passing time is written anew, milliseconds. */
const CLOCK_MS = 10_000;
/** The window has three columns; styles/layout.css says the same. */
const WIDE = '(min-width: 1181px)';
/** Shorter times are not told, milliseconds: they would only flicker. */
const SHORT_MS = 60_000;
/** Sentences kept for the screen reader. */
const MAX_SPOKEN = 5;

export class Desk {
  /** @param {{controller: object, alerts: object, storage: object}} parts see controller.js, alerts.js, kit/storage.js */
  constructor({ controller, alerts, storage }) {
    Object.assign(this, { controller, alerts, storage });
    this.state = signal(controller.state);
    this._preferences();
    this._slices();
    /** Milliseconds; ticks slowly. */
    this.now = signal(Date.now());
    this.finder = new Finder(controller.api);
    /** A chat that is in none of my lists, opened by its address; see past.js. */
    this.past = new Past(controller.api);
    /** The browser holds the sound back until a click. */
    this.soundLocked = signal(alerts.soundLocked);
    /** Folded open: null, 'menu', 'help' or a pane's own word. */
    this.shown = signal(null);
    /** The visitor's pane, where the window has no column for it. */
    this.details = signal(false);
    this.route = signal(parseRoute(location.hash));
    /** Which of the lists of slots.js is shown; null: the first. */
    this.list = signal(null);
    /** The last sentences for the screen reader: {key, text}. */
    this.spoken = signal([]);
    this._spokenUpTo = { ticketId: null, seq: 0 };
    setInterval(() => (this.now.value = Date.now()), CLOCK_MS);
    /** What had the focus when the state changed last; null: nothing, by the person's own doing. */
    this._held = null;
    addEventListener('pointerdown', () => (this._held = null), { capture: true });
    addEventListener('hashchange', () => this._arrive());
    effect(() => this.past.open(this.screen.value === WORK ? this.elsewhere.value : null, this.route.value.message));
  }

  /** Draw a new state. Called by the controller after each change. */
  render(state) {
    const before = this.state.value;
    if (document.activeElement !== document.body) this._held = document.activeElement;
    this.state.value = state;
    this.alerts.setCount(state.screen === WORK ? countWaiting(state) : 0);
    if (state.screen === WORK) this._speak(state);
    else this.spoken.value = [];
    if (before.current !== state.current || before.screen !== state.screen) this._moved(before, state);
    afterDrawing(() => this._mendFocus());
  }

  /** A text in the operator's language; drawn anew when that changes. */
  t(key, values) {
    return this._translate.value(key, values);
  }

  /** A length of time up to now, as a text; empty while it is short. */
  since(time) {
    const ms = this.now.value - time;
    return ms < SHORT_MS ? '' : durationText(ms, this.lang.value);
  }

  setLang(lang) {
    this.storage.set('lang', lang);
    this.lang.value = lang;
  }

  /** @param {'system'|'light'|'dark'} theme */
  setTheme(theme) {
    this.storage.set('theme', theme === 'system' ? null : theme);
    this.theme.value = theme;
  }

  setLetters(on) {
    this.storage.set('letters', on ? null : false);
    this.letters.value = on;
  }

  /** Open a chat and go where one writes in it. */
  select(ticketId, message = null) {
    this.go(chatPath(ticketId, message));
    this.controller.select(ticketId);
    this.focusChat();
  }

  /** Make a waiting chat mine and go there. */
  async take(ticketId) {
    await this.controller.handOver.take(ticketId);
    const { current, tickets } = this.state.value;
    if (current === ticketId && tickets[ticketId]) this.focusChat();
  }

  /** From the chat to its row in the list. */
  goBack() {
    const { current } = this.state.value;
    this.controller.select(null);
    this.focusList(current);
  }

  /** The next chat of the lists, mine before the queue; `step` -1: the one before. */
  step(step) {
    const ids = [...this.mine.value, ...this.queue.value].map((ticket) => ticket.ticket_id);
    const at = ids.indexOf(this.state.value.current);
    const next = ids[at < 0 ? (step > 0 ? 0 : ids.length - 1) : at + step];
    if (next !== undefined) this.select(next);
  }

  selectLongest() {
    const { current } = this.state.value;
    const id = longestWaiting(this.state.value, current);
    if (id !== null) this.select(id);
  }

  /** Close the open chat, for good after a moment, and go on with the next. */
  closeTicket() {
    this.controller.closing.begin(this.state.value.current);
    this.focusOpen();
  }

  /** Write a note about a chat, or an answer again. */
  toggleNote(ticketId) {
    this.controller.notes.toggle(ticketId);
    this.focusChat();
  }

  undoClose(ticketId) {
    this.controller.closing.undo(ticketId);
    this.select(ticketId);
  }

  /** To the chat, or, where none is open, to the list. */
  focusOpen() {
    if (this.state.value.current === null) this.focusList();
    else this.focusChat();
  }

  /** Show or hide the visitor's pane, where the window has no column for it. */
  toggleDetails() {
    this.details.value = !this.details.value && this.current.value !== null && !matchMedia(WIDE).matches;
  }

  logout() {
    this.shown.value = null;
    this.go('#/', { replace: true });
    return this.controller.logout();
  }

  dismiss() {
    this.controller.dismiss(this.state.value.current);
    this.focusList();
  }

  /** Where one writes, or else reads. */
  focusChat() {
    afterDrawing(() => focusOn('#reply') || focusOn('#chat-title'));
  }

  /** A chat's row; without one, or when it has gone, the first. */
  focusList(ticketId = null) {
    afterDrawing(() => focusOn(`.lists [data-ticket="${ticketId}"].row`) || focusOn('.lists .row') || focusOn('.lists h2'));
  }

  _preferences() {
    const { storage } = this;
    this.lang = signal(chooseLang(storage.get('lang'), ...navigator.languages));
    this.locale = computed(() => localeFor(this.lang.value, navigator.languages));
    this._translate = computed(() => translator(this.lang.value));
    this.theme = signal(storage.get('theme') ?? 'system');
    this.mac = /^(Mac|iP)/.test(navigator.platform);
    /** Are single letters commands? */
    this.letters = signal(storage.get('letters') ?? true);
    effect(() => {
      document.documentElement.lang = this.lang.value;
      document.documentElement.dataset.theme = this.theme.value;
    });
  }

  _slices() {
    const of = (cut) => computed(() => cut(this.state.value));
    this.screen = of(({ screen }) => screen);
    this.current = of(({ current }) => current);
    this.me = of(({ me }) => me);
    this.mine = of(myTickets);
    this.queue = of(queueTickets);
    /** The open chat, mine or waiting; with what its history says of it; undefined: none. */
    this.ticket = of(({ tickets, queue, current, threads }) => withHistory(tickets[current] ?? queue[current], threads[current]));
    /** What tells the open chat's visitor from others. */
    this.visitor = computed(() => this.ticket.value && this.visitorOf(this.ticket.value));
    this.thread = of(({ tickets, threads, current }) => (tickets[current] ? threads[current] : undefined));
    this.mode = of(modeOf);
    /** The number of a chat that was asked for and is in none of my lists, or null. */
    this.elsewhere = of(({ wanted, listed }) => (wanted !== null && listed.mine && listed.queue ? wanted : null));
  }

  /** What tells a ticket's visitor from others, for their colour. */
  visitorOf({ ticket_id: id, visitor_id: visitor, visitor_name: name }) {
    return this.state.value.threads[id]?.ticket?.visitor_id ?? visitor ?? name;
  }

  /** The address follows the state. */
  _moved(before, { screen, current, wanted }) {
    this.details.value = false;
    if (screen !== WORK) return;
    // Just logged in, or another address was asked for: the state follows the address.
    if (before.screen !== WORK) return this._arrive();
    const { pane, ticketId } = this.route.value;
    if (wanted !== null || pane !== CHATS || (ticketId !== null && ticketId === current)) return;
    this.go(chatPath(current), { replace: current === null });
  }

  /** To an address of this page. `replace`: the way back does not lead here. */
  go(path, { replace = false } = {}) {
    if ((location.hash || '#/') === path) return;
    history[replace ? 'replaceState' : 'pushState'](null, '', path);
    this.route.value = parseRoute(path);
  }

  /** The page has another address, by the way back for example. */
  _arrive() {
    const route = parseRoute(location.hash);
    this.route.value = route;
    const { screen, current, wanted } = this.state.value;
    if (screen !== WORK || route.pane !== CHATS || route.ticketId === (wanted ?? current)) return;
    this.controller.select(route.ticketId);
  }

  /** Say aloud what the visitor of the open chat has written since the last time, and what happened to it. */
  _speak({ current, threads }) {
    const thread = threads[current];
    if (!thread?.loaded) return;
    const { ticketId, seq } = this._spokenUpTo;
    if (ticketId === current) {
      const fresh = thread.messages.filter((message) => message.seq > seq && message.sender_type !== 'operator');
      if (fresh.length) this.spoken.value = [...this.spoken.value, ...fresh.map((each) => this._wordsOf(each))].slice(-MAX_SPOKEN);
    }
    this._spokenUpTo = { ticketId: current, seq: newestSeq(thread) };
  }

  _wordsOf(message) {
    const system = message.sender_type === 'system';
    const text = system ? systemText(message, (...words) => this.t(...words)) : `${message.sender_name || this.t('visitor')}: ${message.content}`;
    return { key: message.id, text };
  }

  /** What had the focus has gone: the next key shall not begin at the top of the page. */
  _mendFocus() {
    if (document.activeElement !== document.body || !this._held || this.state.value.screen !== WORK) return;
    // Moved in its list, it only has to be told.
    if (this._held.checkVisibility()) this._held.focus();
    else this.focusOpen();
  }
}

/** Preact draws in a microtask that the change has asked for: this one comes after it. */
export function afterDrawing(act) {
  queueMicrotask(() => queueMicrotask(act));
}

function focusOn(selector) {
  const node = document.querySelector(selector);
  if (!node?.checkVisibility()) return false;
  node.focus();
  return true;
}

function modeOf({ tickets, threads, current }) {
  const mine = tickets[current];
  if (!mine) return LOOK;
  if (mine.access === GONE) return KEPT;
  return threads[current]?.status === CLOSED ? ENDED : TALK;
}

function withHistory(ticket, thread) {
  return ticket && { ...ticket, ...thread?.ticket };
}
