/**
 * The panel on the page: builds its nodes once, then brings them up to date with the state.
 *
 * Writes people's words only as text. Knows no network; of the storage only the switches of
 * sound and notes.
 */

import { atEnd, h, keyed, markField, setText } from '../shared/dom.js';
import { isTooLong } from '../shared/limits.js';
import { localeFor } from '../shared/locale.js';
import { messageKey, messageNode } from '../shared/message_view.js';
import { CLOSED, newestSeq, visibleMessages } from '../shared/thread.js';
import { durationText, texts } from './i18n.js';
import { lastText, LOADING, LOGIN, myTickets, queueTickets, statusOf, unreadElsewhere, unreadOf, WORK } from './state.js';

const STATUSES = ['online', 'away', 'offline'];

export class View {
  /** @param {object} parts lang, t, actions (the controller), alerts, storage, setLang */
  constructor(parts) {
    Object.assign(this, parts);
    this.locale = localeFor(this.lang, navigator.languages);
    this._drafts = new Map();
    this.node = h('div', { id: 'panel' });
    this.loading = h('p', { className: 'loading' }, this.t('loading'));
    this._buildLogin();
    this._buildHeader();
    this._buildLists();
    this._buildChat();
    this.work = h('main', { className: 'work' }, this.lists, this.chat);
    // What is new is spoken from here; the log itself is silent, so history is not read out.
    this.live = h('div', { className: 'spoken', 'aria-live': 'polite' });
    this.node.append(this.loading, this.login, this.header, this.work, this.live);
    this.node.addEventListener('keydown', (event) => this._key(event));
  }

  render(state) {
    const before = this._state;
    this._state = state;
    const working = state.screen === WORK;
    this.loading.hidden = state.screen !== LOADING;
    setText(this.loading, this.t(state.connection === 'reconnecting' ? 'reconnecting' : 'loading'));
    this.login.hidden = state.screen !== LOGIN;
    this.header.hidden = !working;
    this.work.hidden = !working;
    this._renderLogin(state, before);
    if (!working) return;
    this._renderHeader(state);
    this._renderLists(state);
    this._renderChat(state);
    this._speak(state);
  }

  /** Time has passed: write the waiting times anew. */
  tick() {
    if (this._state?.screen === WORK) this._renderLists(this._state);
  }

  _buildLogin() {
    const { t } = this;
    this.email = h('input', { id: 'login-email', type: 'email', autocomplete: 'username', required: true });
    this.password = h('input', { id: 'login-password', type: 'password', autocomplete: 'current-password', required: true });
    this.loginError = h('p', { className: 'error', role: 'alert' });
    this.loginButton = h('button', { id: 'login-submit', className: 'main' }, t('login'));
    const submit = (event) => {
      event.preventDefault();
      this.actions.login(this.email.value.trim(), this.password.value);
    };
    const form = h('form', { id: 'login-form', onsubmit: submit },
      h('h1', {}, t('loginTitle')), field(t('email'), this.email), field(t('password'), this.password), this.loginError, this.loginButton);
    this.login = h('main', { className: 'login', hidden: true }, form, this._langSelect());
  }

  _buildHeader() {
    const { t, actions } = this;
    this.who = h('span', { className: 'who' });
    this.connection = h('span', { id: 'connection', className: 'connection', role: 'status' });
    this.status = h('select', { id: 'my-status', onchange: () => actions.setStatus(this.status.value) },
      ...STATUSES.map((status) => h('option', { value: status }, t(status))));
    this.limit = h('input', { id: 'my-limit', type: 'number', min: 0, max: 100, onchange: () => this._setLimit() });
    const logout = h('button', { id: 'logout', type: 'button', className: 'quiet', onclick: () => actions.logout() }, t('logout'));
    this.header = h('header', { className: 'top', hidden: true },
      h('h1', {}, t('product')), this.connection,
      h('div', { className: 'tools' },
        this.who, field(t('status'), this.status), field(t('limit'), this.limit),
        this._switch('sound', t('sound')), this._switch('desktop', t('desktop')), this._langSelect(), logout));
  }

  _buildLists() {
    const { t } = this;
    this.mineCount = h('span', { className: 'count' });
    this.mine = h('ul', { id: 'my-tickets' });
    this.noMine = h('p', { className: 'empty' }, t('noChats'));
    this.queueCount = h('span', { className: 'count' });
    this.queue = h('ul', { id: 'queue' });
    this.noQueue = h('p', { className: 'empty' }, t('noQueue'));
    this.lists = h('nav', { className: 'lists', 'aria-label': `${t('mine')}, ${t('queue')}` },
      h('h2', {}, t('mine'), this.mineCount), this.mine, this.noMine,
      h('h2', {}, t('queue'), this.queueCount), this.queue, this.noQueue);
  }

  _buildChat() {
    const { t } = this;
    this.pick = h('p', { className: 'empty pick' }, t('pick'));
    this.elsewhere = h('span', { className: 'badge' });
    this.back = h('button', { id: 'back', type: 'button', className: 'quiet back', onclick: () => this._goBack() }, '←', this.elsewhere);
    this.chatTitle = h('h2', { id: 'chat-title', tabIndex: -1 });
    this.chatAbout = h('p', { className: 'about' });
    this.closeButton = h('button', { id: 'close-ticket', type: 'button', className: 'quiet', onclick: () => this._ask(true) }, t('close'));
    const top = h('div', { className: 'chat-top' }, this.back, h('div', { className: 'names' }, this.chatTitle, this.chatAbout), this.closeButton);
    this.question = h('p');
    this.yes = h('button', { id: 'close-yes', type: 'button', className: 'main', onclick: () => this._closeTicket() }, t('close'));
    this.confirmBar = h('div', { className: 'bar', role: 'group' }, this.question, this.yes,
      h('button', { type: 'button', className: 'quiet', onclick: () => this._ask(false) }, t('cancel')));
    this.log = h('div', { id: 'log', role: 'log', 'aria-live': 'off', 'aria-label': t('history'), tabIndex: 0 });
    this.items = h('div', { className: 'items' });
    this.note = h('p', { className: 'line' });
    this.log.append(this.items, this.note);
    this.typingLine = h('p', { id: 'typing', className: 'typing' });
    this._buildComposer();
    this.dismissBar = h('div', { className: 'bar' }, h('p', {}), h('button', { id: 'dismiss', type: 'button', className: 'main', onclick: () => this._dismiss() }, t('dismiss')));
    this.open = h('div', { className: 'open' }, top, this.confirmBar, this.log, this.typingLine, this.tooLong, this.composer, this.dismissBar);
    this.chat = h('section', { className: 'chat', 'aria-labelledby': 'chat-title' }, this.pick, this.open);
  }

  _buildComposer() {
    const { t } = this;
    this.input = h('textarea', { id: 'reply', rows: 2, placeholder: t('message'), 'aria-label': t('message'), title: t('hint'), dir: 'auto' });
    this.tooLong = h('p', { id: 'reply-error', className: 'error', role: 'alert' });
    this.input.addEventListener('input', () => {
      this._checkLength();
      if (this.input.value.trim()) this.actions.typing(this._state.current);
    });
    this.input.addEventListener('keydown', (event) => {
      // While an input method composes, Enter chooses a word.
      if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) this._send(event);
    });
    this.composer = h('form', { id: 'reply-form', onsubmit: (event) => this._send(event) }, this.input, h('button', { className: 'main' }, t('send')));
  }

  _langSelect() {
    const select = h('select', { 'aria-label': this.t('language'), className: 'lang', onchange: () => this.setLang(select.value) },
      ...Object.keys(texts).map((lang) => h('option', { value: lang, selected: lang === this.lang }, lang.toUpperCase())));
    return select;
  }

  _switch(name, label) {
    const box = h('input', { type: 'checkbox', id: `switch-${name}`, checked: this.alerts[name] });
    box.addEventListener('change', async () => {
      if (name === 'desktop' && box.checked) box.checked = await this.alerts.askForDesktop();
      this.alerts[name] = box.checked;
      this.storage.set(name, box.checked);
    });
    return h('label', { className: 'switch' }, box, h('span', {}, label));
  }

  _setLimit() {
    const limit = Math.round(Number(this.limit.value));
    if (this.limit.value !== '' && limit >= 0 && limit <= 100) this.actions.setLimit(limit);
    else this.limit.value = this._state.maxTickets;
  }

  _renderLogin(state, before) {
    this.loginButton.disabled = state.busy;
    setText(this.loginError, state.error ? this.t(state.error) : '');
    if (state.screen !== LOGIN || before?.screen === LOGIN) return;
    this.password.value = '';
    this.email.focus();
  }

  _renderHeader({ me, connection, unheard, status, maxTickets }) {
    setText(this.who, me.name);
    const bad = connection === 'connected' && unheard;
    setText(this.connection, this.t(bad ? 'unheard' : connection));
    this.connection.dataset.state = bad ? 'unheard' : connection;
    this.status.value = status;
    if (document.activeElement !== this.limit) this.limit.value = maxTickets ?? '';
  }

  _renderLists(state) {
    const mine = myTickets(state);
    const queue = queueTickets(state);
    setText(this.mineCount, mine.length ? String(mine.length) : '');
    setText(this.queueCount, queue.length ? String(queue.length) : '');
    this.noMine.hidden = mine.length > 0;
    this.noQueue.hidden = queue.length > 0;
    keyed(this.mine, mine, (ticket) => ticket.ticket_id, (ticket, node) => this._ticketNode(ticket, node, state));
    keyed(this.queue, queue, (ticket) => ticket.ticket_id, (ticket, node) => this._queueNode(ticket, node));
  }

  _ticketNode(ticket, known, state) {
    const id = ticket.ticket_id;
    const node = known ?? this._newTicketNode(id);
    const { name, text, badge, button } = node._parts;
    const unread = unreadOf(state, id);
    const closed = statusOf(state, id) === CLOSED;
    setText(name, this._nameOf(ticket));
    setText(text, closed ? this.t('closedShort') : state.threads[id]?.typing ? this.t('typingShort') : lastText(state, ticket));
    badge.hidden = !unread;
    setText(badge, String(unread));
    button.setAttribute('aria-current', String(state.current === id));
    button.setAttribute('aria-label', `${name.textContent}. ${text.textContent}${unread ? `. ${this.t('unread', { n: unread })}` : ''}`);
    node.classList.toggle('closed', closed);
    return node;
  }

  _newTicketNode(id) {
    const parts = { name: h('strong', { dir: 'auto' }), text: h('span', { className: 'text', dir: 'auto' }), badge: h('span', { className: 'badge' }) };
    parts.button = h('button', { type: 'button', onclick: () => this._select(id) }, parts.name, parts.badge, parts.text);
    parts.button.dataset.ticket = id;
    const node = h('li', {}, parts.button);
    node._parts = parts;
    return node;
  }

  _queueNode(ticket, known) {
    const node = known ?? h('li', { className: 'waiting' }, h('strong', { dir: 'auto' }), h('span', { className: 'waits' }), h('span', { className: 'text', dir: 'auto' }));
    const [name, waits, text] = node.children;
    node.dataset.ticket = ticket.ticket_id;
    setText(name, this._nameOf(ticket));
    setText(waits, this.t('waits', { time: durationText(Date.now() - Date.parse(ticket.created_at), this.lang) }));
    setText(text, ticket.message ?? '');
    return node;
  }

  _renderChat(state) {
    const ticket = state.tickets[state.current];
    this.work.classList.toggle('has-chat', Boolean(ticket));
    this.pick.hidden = Boolean(ticket);
    this.open.hidden = !ticket;
    if (!ticket) this._shown = null;
    else this._renderOpen(state, ticket, state.threads[state.current]);
  }

  _renderOpen(state, ticket, thread) {
    const closed = thread?.status === CLOSED;
    // Before anything changes its height.
    this._follow ||= this._shown !== state.current || atEnd(this.log);
    const name = this._nameOf({ ...ticket, ...thread?.ticket });
    setText(this.chatTitle, name);
    setText(this.chatAbout, [`№ ${ticket.ticket_id}`, thread?.ticket?.visitor_email ?? ticket.visitor_email].filter(Boolean).join(' · '));
    this._renderBack(unreadElsewhere(state));
    this.closeButton.hidden = closed;
    this.confirmBar.hidden = !state.confirming || closed;
    setText(this.question, this.t('closeSure', { name }));
    this.composer.hidden = closed;
    this.tooLong.hidden = closed;
    this.dismissBar.hidden = !closed;
    setText(this.typingLine, thread?.typing ? this.t('typing', { name }) : '');
    this._renderLog(thread, closed);
  }

  /** On a phone the open chat hides the others. */
  _renderBack(count) {
    this.back.setAttribute('aria-label', this.t('back') + (count ? `, ${this.t('unread', { n: count })}` : ''));
    this.elsewhere.hidden = !count;
    setText(this.elsewhere, String(count));
  }

  _renderLog(thread, closed) {
    const id = this._state.current;
    if (this._shown !== id) this._switchChat(id);
    keyed(this.items, thread ? visibleMessages(thread) : [], (message) => `${id} ${messageKey(message)}`, (message, node) => this._message(message, node, id));
    setText(this.note, this._noteText(thread, closed));
    if (this._follow) this.log.scrollTop = this.log.scrollHeight;
    this._follow = false;
  }

  _noteText(thread, closed) {
    if (closed) return this.t(thread.ticket.closed_by === 'visitor' ? 'closedByVisitor' : 'closed');
    return thread?.loaded || thread?.messages.length ? '' : this.t('loadingChat');
  }

  /** Another chat: its own draft comes into the field. */
  _switchChat(id) {
    if (this._shown) this._drafts.set(this._shown, this.input.value);
    this.input.value = this._drafts.get(id) ?? '';
    this._checkLength();
    this._shown = id;
  }

  _message(message, known, ticketId) {
    const mine = !message.id || message.sender_type === 'operator';
    return messageNode(message, known, {
      side: mine ? 'operator' : message.sender_type,
      name: mine ? this.t('you') : message.sender_name || this.t('visitor'),
      locale: this.locale,
      t: this.t,
      retry: (clientId) => this.actions.retry(ticketId, clientId),
    });
  }

  /** Say aloud what the visitor of the open chat has written since the last time. */
  _speak({ current, threads }) {
    const thread = threads[current];
    if (!thread?.loaded) return;
    if (this._spokenFor === current) {
      const fresh = thread.messages.filter((message) => message.seq > this._spoken && message.sender_type === 'visitor');
      for (const message of fresh) this._say(`${message.sender_name || this.t('visitor')}: ${message.content}`);
    }
    this._spokenFor = current;
    this._spoken = newestSeq(thread);
  }

  _say(text) {
    this.live.append(h('p', {}, text));
    while (this.live.childNodes.length > 5) this.live.firstChild.remove();
  }

  _nameOf(ticket) {
    return ticket.visitor_name || this.t('visitor');
  }

  _select(id) {
    this.actions.select(id);
    (this.composer.hidden ? this.chatTitle : this.input).focus();
  }

  _goBack() {
    const id = this._state.current;
    this.actions.select(null);
    this.mine.querySelector(`[data-ticket="${id}"]`)?.focus();
  }

  async _closeTicket() {
    await this.actions.closeTicket(this._state.current);
    if (!this._state.current) this._focusList();
  }

  _dismiss() {
    this.actions.dismiss(this._state.current);
    this._focusList();
  }

  _focusList() {
    this.mine.querySelector('button')?.focus();
  }

  _ask(on) {
    this.actions.confirm(on);
    (on ? this.yes : this.input).focus();
  }

  _send(event) {
    event.preventDefault();
    this._follow = true;
    if (!this.actions.send(this._state.current, this.input.value)) return;
    this.input.value = '';
    this.input.focus();
  }

  _checkLength() {
    markField(this.input, this.tooLong, isTooLong(this.input.value) ? this.t('tooLong') : '');
  }

  _key(event) {
    if (event.key !== 'Escape' || event.isComposing || !this._state?.current) return;
    if (this._state.confirming) this._ask(false);
    else this._goBack();
  }
}

function field(label, input) {
  return h('label', { className: 'field' }, h('span', {}, label), input);
}
