/**
 * The widget on the page: builds its nodes once, then brings them up to date with the state.
 *
 * Lives in a shadow root, writes people's words only as text, uses no style attribute and no
 * innerHTML, so it works under a strict Content-Security-Policy. Neither the page's styles come in nor
 * what is typed goes out. Knows no network or storage.
 */

import { Composer, isComposing } from '../conversation/composer.js';
import { isTooLong } from '../conversation/limits.js';
import { messageKey, messageNode, systemText } from '../conversation/message_view.js';
import { UNREACHED } from '../conversation/refusal.js';
import { CLOSED, newestSeq, WAITING } from '../conversation/thread.js';
import { atEnd, h, keyed, markField, setText } from '../kit/dom.js';
import { localeFor } from '../kit/locale.js';
import { lockPage } from './page_lock.js';
import { CHAT, logItems, RESUMING, speakers, START, STARTING, unread } from './state.js';

/**
 * What stays inside: shortcuts, guards against copying, smooth scrolling, drop zones and focus traps of the page are not
 * for what happens here. A page that listens on its window before everybody else still hears it.
 */
const INSIDE =
  'keydown keypress keyup beforeinput input compositionstart compositionupdate compositionend copy cut paste ' +
  'dragstart dragenter dragover dragleave drop selectstart contextmenu wheel touchmove focusin focusout';

export class View {
  /**
   * @param {object} parts
   *   lang, t      language and translator
   *   css          text of the style sheet; without it `cssUrl` is linked
   *   actions      the controller's open, close, start, send…
   *   ended        AbortSignal: the widget goes
   */
  constructor({ lang, t, css, cssUrl, actions, ended }) {
    Object.assign(this, { t, actions });
    this._locale = localeFor(lang, navigator.languages);
    // A tag that no page has, so that nothing meant for the page's nodes means it. Turbo keeps what is permanent.
    this.host = h('pushdesk-widget', { id: 'pushdesk-widget', lang, 'data-turbo-permanent': '' });
    this.root = this.host.attachShadow({ mode: 'open' });
    addStyle(this.root, css, cssUrl);
    this._build();
    this._listen(ended);
  }

  _listen(signal) {
    const { host } = this;
    for (const type of INSIDE.split(' ')) host.addEventListener(type, (event) => event.stopPropagation());
    host.addEventListener('keydown', (event) => this._key(event));
    host.addEventListener('focusin', () => (this._focused = this.root.activeElement));
    // Some browsers report it when the page takes the node out, before it is out: then the focus is to come back with it.
    host.addEventListener('focusout', () => queueMicrotask(() => host.isConnected && (this._focused = null)));
    // Where the window covers the page; the style sheet has the same number.
    this._phone = matchMedia('(max-width: 480px)');
    this._phone.addEventListener('change', () => this.render(this._state), { signal });
    document.addEventListener('keydown', (event) => this._trap(event), { capture: true, signal });
    signal.addEventListener('abort', () => {
      this._composer.stop();
      lockPage(false);
    });
  }

  /** The page had taken the node out: put back what the browser forgot. */
  returned() {
    lockPage(false);
    this._log.scrollTop = this._scrolled ?? this._log.scrollHeight;
    if (document.activeElement === document.body) this._focused?.focus();
    this.render(this._state);
  }

  render(state) {
    const before = this._state?.screen;
    this._state = state;
    const chatting = state.screen === CHAT;
    const closed = chatting && state.thread.status === CLOSED;
    // Before anything changes its height.
    this._follow ||= !this._log.scrollHeight || atEnd(this._log);
    lockPage(state.open && this._phone.matches);
    this._renderLauncher(state);
    this._renderHeader(state, chatting && !closed);
    this._showParts(state, chatting, closed);
    this._renderStart(state, before);
    this._openDraft(state.thread?.ticketId);
    if (chatting) this._renderLog(state);
    // The start form took the focus away with it.
    if (before === STARTING && chatting && state.open) this._input.focus();
  }

  _showParts({ screen, confirming }, chatting, closed) {
    this._startForm.hidden = screen !== START && screen !== STARTING;
    this._loading.hidden = screen !== RESUMING;
    this._log.hidden = !chatting;
    this._confirmBar.hidden = !confirming;
    this._form.hidden = this._input._note.hidden = !chatting || closed || confirming;
    this._again.hidden = !closed;
  }

  _build() {
    const { t, actions } = this;
    this._badge = h('span', { className: 'badge', hidden: true });
    this._launcher = h('button', { id: 'support-toggle', type: 'button', onclick: () => this._toggle() }, icon(CHAT_ICON), this._badge);
    this._subtitle = h('p', { className: 'subtitle' });
    this._endButton = h('button', { id: 'chat-end', type: 'button', className: 'quiet', onclick: () => this._ask(true) }, t('end'));
    const close = h('button', { id: 'chat-close', type: 'button', className: 'icon', 'aria-label': t('close'), onclick: () => this._close() }, icon(CLOSE_ICON));
    const title = h('h2', { id: 'title' }, t('title'));
    const header = h('div', { className: 'head' }, h('div', {}, title, this._subtitle), this._endButton, close);
    this._strip = h('p', { className: 'strip', role: 'status', hidden: true });
    this._loading = h('p', { className: 'loading', hidden: true }, t('loading'));
    this._log = h('div', { id: 'chat-messages', role: 'log', 'aria-live': 'off', 'aria-label': t('history'), tabIndex: 0, hidden: true });
    this._items = h('div', { className: 'items' });
    this._typing = h('p', { id: 'chat-typing', className: 'line', hidden: true }, t('typing'));
    this._log.append(this._items, this._typing);
    this._log.addEventListener('scroll', () => {
      this._scrolled = atEnd(this._log) ? null : this._log.scrollTop;
      actions.seen();
    });
    // The log itself is silent: history must not be read out. New messages are spoken from here.
    this._live = h('div', { className: 'spoken', 'aria-live': 'polite' });
    this._buildStart();
    this._buildComposer();
    this._confirmYes = h('button', { type: 'button', className: 'main', id: 'chat-end-yes', onclick: () => actions.end() }, t('end'));
    const no = h('button', { type: 'button', className: 'quiet', onclick: () => this._ask(false) }, t('cancel'));
    this._confirmBar = h('div', { className: 'bar', role: 'group', 'aria-label': t('endSure'), hidden: true }, h('p', {}, t('endSure')), this._confirmYes, no);
    const reopen = h('button', { id: 'chat-reopen', type: 'button', className: 'quiet', onclick: () => this._reopen() }, t('reopen'));
    this._again = h('div', { className: 'bar', hidden: true }, reopen, h('button', { id: 'chat-new', type: 'button', className: 'main', onclick: () => this._startAgain() }, t('again')));
    this._panel = h('section', { id: 'support-chat', role: 'dialog', 'aria-labelledby': 'title', dir: 'ltr', hidden: true },
      header, this._strip, this._loading, this._startForm, this._log, this._live, this._confirmBar, this._input._note, this._form, this._again);
    this.root.append(this._panel, this._launcher);
  }

  _buildStart() {
    const { t } = this;
    this._name = h('input', { id: 'visitor-name', autocomplete: 'name', maxLength: 100, required: true });
    this._email = h('input', { id: 'visitor-email', type: 'email', autocomplete: 'email', maxLength: 255 });
    this._first = h('textarea', { id: 'first-message', rows: 3, required: true });
    this._error = h('p', { className: 'error', role: 'alert' });
    this._startButton = h('button', { id: 'start-chat', className: 'main' }, t('start'));
    this._fields = { name: this._name, email: this._email, message: this._first };
    // It is spoken when it appears: the form is on the screen already.
    this._nobody = h('p', { className: 'nobody', role: 'status' });
    const field = (label, input) => {
      input._note = newNote(input);
      input.addEventListener('input', () => {
        this._mark(input);
        this._asking = true;
        this.actions.draft = this._written();
      });
      input._label = h('span', {}, label);
      return h('div', {}, h('label', {}, input._label, input), input._note);
    };
    const submit = async (event) => {
      event.preventDefault();
      this._asking = false;
      const { name, email, message } = this._written();
      await this.actions.start({ name: name.trim(), email: email.trim(), message: message.trim() });
      Object.entries(this._fields).find(([name]) => this._state.wrong[name])?.[1].focus();
    };
    this._startForm = h('form', { id: 'start-form', noValidate: true, onsubmit: submit },
      this._nobody, field(t('name'), this._name), field(t('email'), this._email), field(t('question'), this._first), this._error, this._startButton);
  }

  _buildComposer() {
    const { t, actions } = this;
    this._input = h('textarea', { id: 'chat-input', rows: 1, placeholder: t('message'), 'aria-label': t('message'), dir: 'auto' });
    this._input._note = newNote(this._input);
    this._composer = new Composer(this._input, {
      log: this._log,
      send: (event) => this._send(event),
      changed: () => this._mark(this._input),
      typed: (text) => text.trim() && actions.typing(),
    });
    const button = h('button', { className: 'icon send', 'aria-label': t('send') }, icon(SEND_ICON));
    this._form = h('form', { id: 'chat-form', hidden: true, onsubmit: (event) => this._send(event) }, this._input, button);
  }

  /** The start form as it is. */
  _written() {
    return { name: this._name.value, email: this._email.value, message: this._first.value };
  }

  /** Each chat has its own half-written message. */
  _openDraft(id) {
    if (id === this._drafted) return;
    this._drafted = id;
    const slot = id ? this.actions.slot(id) : null;
    // Another tab has opened the chat while a question was written here.
    if (slot && this._asking) slot.set(slot.get() ?? this._first.value);
    this._asking = false;
    this._composer.open(slot);
  }

  /** Texts that an earlier page left in the start form. */
  fill({ name = '', email = '', message = '' }) {
    this._name.value ||= name;
    this._email.value ||= email;
    this._first.value ||= message;
  }

  _renderLauncher(state) {
    const count = unread(state);
    const label = this.t(state.open ? 'close' : 'open') + (count ? `, ${this.t('unread', { n: count })}` : '');
    this._launcher.setAttribute('aria-label', label);
    this._launcher.setAttribute('aria-expanded', state.open);
    this._launcher.classList.toggle('opened', state.open);
    this._launcher.querySelector('path').setAttribute('d', state.open ? CLOSE_ICON : CHAT_ICON);
    this._badge.hidden = !count;
    setText(this._badge, String(count));
  }

  _renderHeader(state, live) {
    this._panel.hidden = !state.open;
    this._panel.setAttribute('aria-modal', this._phone.matches);
    setText(this._subtitle, this._subtitleText(state));
    setText(this._strip, live ? this._stripText(state) : '');
    this._strip.hidden = !this._strip.textContent;
    this._endButton.hidden = !live;
  }

  _subtitleText({ screen, thread, online }) {
    const nobody = online === false && 'nobody';
    if (screen !== CHAT) return this.t(nobody || 'intro');
    if (thread.status === CLOSED) return this.t('ended');
    return thread.ticket?.operator_name ?? this.t(nobody || 'waitingShort');
  }

  _stripText({ connection, thread }) {
    if (connection === 'connecting') return this.t('connecting');
    const unsent = thread.pending.some((item) => item.refusal === UNREACHED);
    return unsent || connection === 'reconnecting' || connection === 'disconnected' ? this.t('offline') : '';
  }

  _renderStart({ screen, error, wrong, online }, before) {
    const busy = screen === STARTING;
    const nobody = online === false;
    setText(this._nobody, nobody ? this.t('nobodyStart') : '');
    setText(this._email._label, this.t(nobody ? 'nobodyEmail' : 'email'));
    // Back from a chat: with what that one did not take.
    if (screen === START && (before === CHAT || before === RESUMING)) this._first.value = this.actions.draft.message ?? '';
    this._startButton.disabled = busy;
    setText(this._startButton, this.t(busy ? 'starting' : 'start'));
    setText(this._error, error ? this.t(error) : '');
    if (wrong === this._wrong) return;
    this._wrong = wrong;
    for (const [name, input] of Object.entries(this._fields)) this._mark(input, wrong[name]);
  }

  _renderLog(state) {
    const { thread } = state;
    this._speakers = speakers(thread.messages);
    keyed(this._items, logItems(state), keyOf, (item, node) => (item.line ? this._line(item, node) : this._message(item, node)));
    this._typing.hidden = !thread.typing;
    if (this._follow) this._log.scrollTop = this._log.scrollHeight;
    this._follow = false;
    this._speak(state);
  }

  _line(item, node) {
    return node ?? h('p', { className: 'line', dir: 'auto' }, this.t(this._wording(item.line), item));
  }

  /** Who has left no e-mail address is asked for one when nobody is there. */
  _wording(line) {
    return line === 'away' && !this.actions.draft.email ? 'awayAsk' : line;
  }

  _message(message, known) {
    const mine = !message.id || message.sender_type === 'visitor';
    return messageNode(message, known, {
      side: mine ? 'visitor' : message.sender_type,
      name: mine ? this.t('you') : message.sender_name || this.t('operator'),
      locale: this._locale,
      title: this._speakers.get(message.seq),
      read: mine ? this._state.thread.ticket?.operator_read_seq : undefined,
      t: this.t,
      retry: (clientId) => this.actions.retry(clientId),
    });
  }

  /** Say aloud (to screen readers) what is new since the last time; at first, only where things stand. */
  _speak(state) {
    const { thread } = state;
    const waiting = thread.status === WAITING && logItems(state).at(-1).line;
    const status = `${thread.status} ${thread.ticket?.operator_name} ${waiting}`;
    if (this._spokenFor !== thread.ticketId) {
      if (waiting) this._say(this.t(this._wording(waiting)));
    } else {
      for (const message of thread.messages) {
        if (message.seq > this._spoken && message.sender_type !== 'visitor') this._sayMessage(message);
      }
      if (status !== this._spokenStatus) this._sayStatus(state, waiting);
    }
    this._spokenFor = thread.ticketId;
    this._spoken = newestSeq(thread);
    this._spokenStatus = status;
  }

  _sayStatus({ thread, joined }, waiting) {
    if (waiting) this._say(this.t(this._wording(waiting)));
    else if (thread.status === CLOSED) this._say(this.t('thanks'));
    // Who took over from somebody else is told by a message.
    else if (joined && joined.name === thread.ticket?.operator_name) this._say(this.t('joined', joined));
  }

  _sayMessage(message) {
    if (message.sender_type === 'system') return this._say(systemText(message, this.t));
    this._say(`${message.sender_name || this.t('operator')}: ${message.content}`);
  }

  _say(text) {
    this._live.append(h('p', {}, text));
    while (this._live.childNodes.length > 5) this._live.firstChild.remove();
  }

  _toggle() {
    if (this._state.open) this._close();
    else this._open();
  }

  _open() {
    this.actions.open();
    this._follow = true;
    this.render(this._state);
    this.focus();
  }

  _close() {
    this.actions.close();
    this._launcher.focus();
  }

  async _reopen() {
    await this.actions.reopen();
    this.focus();
  }

  _startAgain() {
    this.actions.startAgain();
    this.focus();
  }

  _ask(on) {
    this.actions.confirm(on);
    (on ? this._confirmYes : this._input).focus();
  }

  focus() {
    [this._name.value ? this._first : this._name, this._input, this._again.firstChild].find((node) => node.offsetParent)?.focus();
  }

  _send(event) {
    event.preventDefault();
    this._follow = true;
    if (!this.actions.send(this._input.value)) return;
    this._composer.clear();
    this._input.focus();
  }

  /** Say at a field what is wrong; without `key` only its length can be. */
  _mark(input, key = isTooLong(input.value) && 'tooLong') {
    markField(input, input._note, key ? this.t(key) : '');
  }

  /** While the window covers the page, Tab stays inside it. */
  _trap(event) {
    if (event.key !== 'Tab' || !this._state.open || !this._phone.matches) return;
    const all = [...this._panel.querySelectorAll('a,button,input,textarea,[tabindex]')].filter((node) => node.offsetParent && !node.disabled);
    const step = event.shiftKey ? -1 : 1;
    const at = all.indexOf(this.root.activeElement);
    if (at >= 0 && all[at + step]) return;
    event.preventDefault();
    all.at(Math.min(step, 0))?.focus();
  }

  _key(event) {
    if (event.key !== 'Escape' || !this._state.open || isComposing(event)) return;
    if (this._state.confirming) this._ask(false);
    else this._close();
  }
}

function keyOf(item) {
  return item.line ?? messageKey(item);
}

/** Where a field's fault is told. The field takes the focus, which has it read out. */
function newNote(input) {
  return h('p', { id: `${input.id}-error`, className: 'error' });
}

function addStyle(root, css, cssUrl) {
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(h('link', { rel: 'stylesheet', href: cssUrl }));
  }
}

const CHAT_ICON = 'M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-5 4.5V16A2 2 0 0 1 4 14z';
const CLOSE_ICON = 'M6 6l12 12M18 6L6 18';
const SEND_ICON = 'M4 12h15M13 6l6 6-6 6';
const SVG = 'http://www.w3.org/2000/svg';

function icon(path) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS(SVG, 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}
