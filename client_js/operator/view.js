/**
 * The panel on the page: its panes, built once and then brought up to date with the state.
 *
 * Knows which pane is shown when, where the focus goes, and what is spoken. Not: what stands in a
 * pane; each has a file of its own.
 */

import { isComposing } from '../conversation/composer.js';
import { systemText } from '../conversation/message_view.js';
import { newestSeq } from '../conversation/thread.js';
import { h, setText } from '../kit/dom.js';
import { localeFor } from '../kit/locale.js';
import { ChatView } from './chat_view.js';
import { HeaderView } from './header_view.js';
import { ListsView } from './lists_view.js';
import { LoginView } from './login_view.js';
import { NoticesView } from './notices_view.js';
import { LOADING, WORK } from './state.js';
import { TransferView } from './transfer_view.js';

/** Sentences kept for the screen reader. */
const MAX_SPOKEN = 5;

export class View {
  /** @param {object} parts lang, t, actions (the controller), alerts, storage, setLang */
  constructor(parts) {
    Object.assign(this, parts);
    const pane = {
      ...parts,
      locale: localeFor(this.lang, navigator.languages),
      select: (ticketId) => this._select(ticketId),
      takeTicket: (ticketId) => this._take(ticketId),
      goBack: () => this._goBack(),
      focusList: () => this.lists.focus(),
    };
    this.loading = h('p', { className: 'loading' }, this.t('loading'));
    this.login = new LoginView(pane);
    this.header = new HeaderView(pane);
    this.notices = new NoticesView(pane);
    this.lists = new ListsView(pane);
    this.chat = new ChatView(pane);
    this.transfer = new TransferView(pane);
    this.work = h('main', { className: 'work' }, this.lists.node, this.chat.node);
    // What is new is spoken from here; the log itself is silent, so history is not read out.
    this.live = h('div', { className: 'spoken', 'aria-live': 'polite' });
    this.node = h('div', { id: 'panel' },
      this.loading, this.login.node, this.header.node, this.notices.node, this.work, this.transfer.node, this.live);
    this.node.addEventListener('keydown', (event) => this._key(event));
  }

  render(state) {
    const before = this._state;
    this._state = state;
    const working = state.screen === WORK;
    this.loading.hidden = state.screen !== LOADING;
    setText(this.loading, this.t(state.connection === 'reconnecting' ? 'reconnecting' : 'loading'));
    this.header.node.hidden = !working;
    this.work.hidden = !working;
    this.notices.render(state);
    // Before the log-in, whose field gets the focus: a dialog keeps it.
    this.transfer.render(state);
    this.login.render(state, before);
    if (working) this._renderWork(state);
    else if (before?.screen === WORK) this._forget(state);
  }

  /** Time has passed: write the waiting times anew. */
  tick() {
    if (this._state?.screen === WORK) this.lists.render(this._state);
  }

  /** The browser has locked or unlocked the sound. */
  renderSound() {
    this.header.renderSound();
  }

  /** Where the language was chosen, in the view before. */
  focusLang() {
    [...this.node.querySelectorAll('.lang')].find((select) => select.checkVisibility())?.focus();
  }

  /** Another view takes its place. */
  stop() {
    this.chat.stop();
  }

  _renderWork(state) {
    this.work.classList.toggle('has-chat', state.current !== null);
    this.header.render(state);
    this.lists.render(state);
    const inChat = this.chat.node.contains(document.activeElement);
    this.chat.render(state);
    if (inChat && !hasVisibleFocus(this.node)) (state.current === null ? this.lists : this.chat).focus();
    this._speak(state);
  }

  /** Nothing of the one who has logged out stays on the page. */
  _forget(state) {
    this.lists.render(state);
    this.chat.render(state);
    this.live.replaceChildren();
  }

  /** Say aloud what the visitor of the open chat has written since the last time, and what happened to it. */
  _speak({ current, threads }) {
    const thread = threads[current];
    if (!thread?.loaded) return;
    if (this._spokenFor === current) {
      const fresh = thread.messages.filter((message) => message.seq > this._spoken && message.sender_type !== 'operator');
      for (const message of fresh) this._say(this._wordsOf(message));
    }
    this._spokenFor = current;
    this._spoken = newestSeq(thread);
  }

  _wordsOf(message) {
    if (message.sender_type === 'system') return systemText(message, this.t);
    return `${message.sender_name || this.t('visitor')}: ${message.content}`;
  }

  _say(text) {
    this.live.append(h('p', {}, text));
    while (this.live.childNodes.length > MAX_SPOKEN) this.live.firstChild.remove();
  }

  _select(id) {
    this.actions.select(id);
    this.chat.focus();
  }

  async _take(id) {
    await this.actions.handOver.take(id);
    if (this._state.current === id && this._state.tickets[id]) this.chat.focus();
  }

  _goBack() {
    const id = this._state.current;
    this.actions.select(null);
    this.lists.focus(id);
  }

  _key(event) {
    if (event.key !== 'Escape' || isComposing(event) || !this._state || this._state.current === null) return;
    if (this._state.transfer) return;
    if (this._state.confirming) this.chat.ask(false);
    else this._goBack();
  }
}

/** Not where what had the focus was hidden: the next key would begin at the top of the page. */
function hasVisibleFocus(node) {
  const focused = document.activeElement;
  return node.contains(focused) && focused.checkVisibility();
}
