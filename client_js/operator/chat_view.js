/**
 * The open chat: one's own, or a waiting one that is looked at.
 *
 * Writes people's words only as text. Knows no network.
 */

import { Composer } from '../conversation/composer.js';
import { isTooLong } from '../conversation/limits.js';
import { messageKey, messageNode } from '../conversation/message_view.js';
import { CLOSED, visibleMessages, WAITING } from '../conversation/thread.js';
import { atEnd, h, keyed, markField, setText } from '../kit/dom.js';
import { act, nameOf, quiet } from './parts.js';
import { GONE, unreadElsewhere } from './state.js';

/** What the operator may do with the open chat. */
const TALK = 'talk';
const LOOK = 'look';
const ENDED = 'ended';
const KEPT = 'kept';

export class ChatView {
  /** @param {object} parts see view.js, and goBack, focusList: to the list of chats */
  constructor(parts) {
    Object.assign(this, parts);
    const { t } = this;
    this.pick = h('p', { className: 'empty pick' }, t('pick'));
    this.log = h('div', { id: 'log', role: 'log', 'aria-live': 'off', 'aria-label': t('history'), tabIndex: 0 });
    this.items = h('div', { className: 'items' });
    this.note = h('p', { className: 'line' });
    this.log.append(this.items, this.note);
    this.typingLine = h('p', { id: 'typing', className: 'typing' });
    this._buildComposer();
    this.open = h('div', { className: 'open' },
      this._buildTop(), this._buildQuestion(), this.log, this.typingLine, this._buildBar(), this.tooLong, this.form);
    this.node = h('section', { className: 'chat', 'aria-labelledby': 'chat-title' }, this.pick, this.open);
  }

  render(state) {
    const { current } = state;
    const mine = state.tickets[current];
    const ticket = mine ?? state.queue[current];
    this._current = current;
    this.pick.hidden = Boolean(ticket);
    this.open.hidden = !ticket;
    const thread = mine ? state.threads[current] : lookedAt(ticket);
    if (ticket) this._renderOpen(state, ticket, thread, modeOf(mine, thread));
    else this._close();
  }

  /** Go to where one writes, or else reads. */
  focus() {
    (this.form.hidden ? this.title : this.input).focus();
  }

  stop() {
    this.composer.stop();
  }

  _buildTop() {
    const { t } = this;
    this.elsewhere = h('span', { className: 'badge', 'aria-hidden': 'true' });
    const arrow = h('span', { 'aria-hidden': 'true' }, '←');
    this.back = h('button', { id: 'back', type: 'button', className: 'quiet back', onclick: () => this.goBack() }, arrow, this.elsewhere);
    this.title = h('h2', { id: 'chat-title', tabIndex: -1 });
    this.about = h('p', { className: 'about' });
    this.handOver = act('transfer-ticket', '⇄', t('transfer'), () => this.actions.handOver.open(this._current));
    this.close = act('close-ticket', '✓', t('close'), () => this.ask(true));
    return h('div', { className: 'chat-top' }, this.back, h('div', { className: 'names' }, this.title, this.about), this.handOver, this.close);
  }

  _buildQuestion() {
    const { t } = this;
    this.question = h('p');
    this.yes = h('button', { id: 'close-yes', type: 'button', className: 'main', onclick: () => this._closeTicket() }, t('close'));
    this.confirmBar = h('div', { className: 'bar', role: 'group' }, this.question, this.yes, quiet('close-no', t('cancel'), () => this.ask(false)));
    return this.confirmBar;
  }

  /** What stands where one writes, when the chat is not mine, or not any more. */
  _buildBar() {
    const { t } = this;
    this.barText = h('p', {});
    this.take = h('button', { id: 'take', type: 'button', className: 'main', onclick: () => this.takeTicket(this._current) }, t('takeThis'));
    this.copy = quiet('copy-unsent', t('copy'), () => this._copy());
    this.dismiss = h('button', { id: 'dismiss', type: 'button', className: 'main', onclick: () => this._dismiss() }, t('dismiss'));
    this.bar = h('div', { id: 'chat-bar', className: 'bar end' }, this.barText, this.take, this.copy, this.dismiss);
    return this.bar;
  }

  _buildComposer() {
    const { t } = this;
    this.input = h('textarea', { id: 'reply', rows: 2, placeholder: t('message'), 'aria-label': t('message'), title: t('hint'), dir: 'auto' });
    this.tooLong = h('p', { id: 'reply-error', className: 'error', role: 'alert' });
    this.sendButton = h('button', { className: 'main' }, t('send'));
    this.form = h('form', { id: 'reply-form', onsubmit: (event) => this._send(event) }, this.input, this.sendButton);
    this.composer = new Composer(this.input, {
      log: this.log,
      send: (event) => this._send(event),
      changed: (text) => markField(this.input, this.tooLong, isTooLong(text) ? t('tooLong') : ''),
      typed: (text) => text.trim() && this.actions.typing(this._current),
    });
  }

  _renderOpen(state, ticket, thread, mode) {
    const id = state.current;
    // Before anything changes its height.
    this._follow ||= this._shown !== id || atEnd(this.log);
    const name = nameOf({ ...ticket, ...thread?.ticket }, this.t);
    setText(this.title, name);
    setText(this.about, [`№ ${id}`, thread?.ticket?.visitor_email ?? ticket.visitor_email].filter(Boolean).join(' · '));
    this._renderBack(unreadElsewhere(state));
    this.handOver.hidden = mode !== TALK;
    this.close.hidden = mode !== TALK;
    this.confirmBar.hidden = !state.confirming || mode !== TALK;
    setText(this.question, this.t('closeSure', { name }));
    setText(this.typingLine, mode === TALK && thread?.typing ? this.t('typing', { name }) : '');
    this._renderBar(state, mode);
    this._renderComposer(state, mode);
    this._renderLog(thread);
  }

  /** On a phone the open chat hides the others. */
  _renderBack(count) {
    this.back.setAttribute('aria-label', this.t('back') + (count ? `, ${this.t('unread', { n: count })}` : ''));
    this.elsewhere.hidden = !count;
    setText(this.elsewhere, String(count));
  }

  _renderBar(state, mode) {
    this.bar.hidden = mode === TALK;
    this.take.hidden = mode !== LOOK;
    this.take.disabled = state.taking !== null;
    this.copy.hidden = mode !== KEPT || !navigator.clipboard;
    this.dismiss.hidden = mode !== ENDED && mode !== KEPT;
    setText(this.barText, { [LOOK]: this.t('looking'), [KEPT]: this.t('keptText') }[mode] ?? '');
  }

  _renderComposer(state, mode) {
    const shown = `${state.current} ${state.drafts[state.current] ?? 0}`;
    if (this._draft !== shown) this.composer.open(this.actions.chats.drafts.slot(state.current));
    this._draft = shown;
    this.form.hidden = mode !== TALK && mode !== KEPT;
    this.tooLong.hidden = mode !== TALK;
    this.input.readOnly = mode === KEPT;
    this.sendButton.hidden = mode === KEPT;
  }

  _renderLog(thread) {
    const id = this._current;
    if (this._drawn !== thread || this._shown !== id) {
      keyed(this.items, thread ? visibleMessages(thread) : [], (message) => `${id} ${messageKey(message)}`, (message, node) => this._message(message, node, id));
    }
    this._drawn = thread;
    this._shown = id;
    setText(this.note, this.input.readOnly ? '' : this._noteText(thread));
    if (this._follow) this.log.scrollTop = this.log.scrollHeight;
    this._follow = false;
  }

  _noteText(thread) {
    if (thread?.status === CLOSED) return this.t(thread.ticket.closed_by === 'visitor' ? 'closedByVisitor' : 'closed');
    return thread?.loaded || thread?.messages.length ? '' : this.t('loadingChat');
  }

  /** Its draft is stored already. */
  _close() {
    if (this._draft) this.composer.open(null);
    for (const text of [this.title, this.about, this.typingLine]) setText(text, '');
    keyed(this.items, [], messageKey, (_, node) => node);
    this._drawn = null;
    this._shown = null;
    this._draft = null;
  }

  _message(message, known, ticketId) {
    const mine = !message.id || message.sender_id === String(this.actions.state.me.operator_id);
    const operator = !message.id || message.sender_type === 'operator';
    return messageNode(message, known, {
      side: operator ? 'operator' : message.sender_type,
      name: operator && mine ? this.t('you') : message.sender_name || this.t(operator ? 'colleague' : 'visitor'),
      title: operator && !mine ? message.sender_name : '',
      locale: this.locale,
      t: this.t,
      retry: (clientId) => this.actions.retry(ticketId, clientId),
    });
  }

  async _closeTicket() {
    await this.actions.closeTicket(this._current);
    if (this.open.hidden) this.focusList();
  }

  _dismiss() {
    this.actions.dismiss(this._current);
    this.focusList();
  }

  async _copy() {
    this.input.select();
    await navigator.clipboard.writeText(this.input.value);
    setText(this.copy, this.t('copied'));
    setTimeout(() => setText(this.copy, this.t('copy')), 2000);
  }

  /** Shall the chat be closed? On: ask. */
  ask(on) {
    this.actions.confirm(on);
    (on ? this.yes : this.input).focus();
  }

  _send(event) {
    event.preventDefault();
    this._follow = true;
    if (this.input.readOnly || !this.actions.send(this._current, this.input.value)) return;
    this.composer.clear();
    this.input.focus();
  }
}

/** Of a waiting chat only its first message is known: who takes it sees them all. */
function lookedAt(ticket) {
  if (!ticket) return null;
  const { message, created_at, visitor_name } = ticket;
  const first = { id: 'first', sender_type: 'visitor', sender_name: visitor_name, content: message ?? '', created_at };
  return { status: WAITING, loaded: true, messages: [first], pending: [] };
}

function modeOf(mine, thread) {
  if (!mine) return LOOK;
  if (mine.access === GONE) return KEPT;
  return thread?.status === CLOSED ? ENDED : TALK;
}
