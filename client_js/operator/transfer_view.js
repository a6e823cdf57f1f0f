/**
 * The dialog in which a chat is handed to a colleague or back to the queue.
 *
 * Writes people's words only as text. Knows no network.
 */

import { h, keyed, setText } from '../kit/dom.js';
import { nameOf, quiet } from './parts.js';
import { isFull } from './state.js';

export class TransferView {
  /** @param {object} parts see view.js, and focusList: to the list of chats */
  constructor(parts) {
    Object.assign(this, parts);
    const { t } = this;
    this.title = h('h2', { id: 'transfer-title', tabIndex: -1, autofocus: true });
    this.note = h('p', { className: 'about', role: 'status' });
    this.error = h('p', { className: 'error', role: 'alert' });
    this.list = h('ul', { id: 'colleagues', 'aria-label': t('colleagues') });
    this.node = h('dialog', { id: 'transfer', 'aria-labelledby': 'transfer-title' },
      this.title, this.error, this._buildChoice(), this._buildQuestion());
    this.node.addEventListener('cancel', (event) => this._cancelled(event));
    // It comes a moment later: of a dialog that is open again it tells nothing.
    this.node.addEventListener('close', () => !this.node.open && this._state.transfer && this.actions.handOver.cancel());
    // Beside the box.
    this.node.addEventListener('click', ({ target }) => target === this.node && this.actions.handOver.cancel());
  }

  render(state) {
    this._state = state;
    const { transfer } = state;
    if (!transfer) return this._close(state);
    const asked = this._asking;
    this._asking = transfer.asking;
    this._renderChoice(transfer);
    this._renderQuestion(transfer, state);
    setText(this.title, this.t('transferOf', { name: nameOf(state.tickets[transfer.ticketId], this.t) }));
    setText(this.error, transfer.error ? this.t(transfer.error) : '');
    if (!this.node.open) this._open();
    else if (asked !== transfer.asking) (transfer.asking ? this.yes : this.title).focus();
  }

  _buildChoice() {
    const { t } = this;
    this.queue = h('button', { id: 'transfer-queue', type: 'button', className: 'choice', onclick: () => this.actions.handOver.choose(null) },
      h('strong', {}, t('toQueue')), h('span', { className: 'text' }, t('toQueueAbout')));
    this.choice = h('div', { className: 'choices' }, this.note, this.list, this.queue, quiet('transfer-cancel', t('cancel'), () => this.actions.handOver.cancel()));
    return this.choice;
  }

  _buildQuestion() {
    const { t } = this;
    this.sure = h('p', { id: 'transfer-sure' });
    this.yes = h('button', { id: 'transfer-yes', type: 'button', className: 'main', 'aria-describedby': 'transfer-sure', onclick: () => this.actions.handOver.answer(true) }, t('transferYes'));
    this.question = h('div', { className: 'question' }, this.sure,
      h('div', { className: 'answers' }, this.yes, quiet('transfer-no', t('transferNo'), () => this.actions.handOver.answer(false))));
    return this.question;
  }

  _open() {
    this._from = document.activeElement;
    this.node.showModal();
  }

  /** The focus goes back to where it was; with the chat gone, to the list. */
  _close(state) {
    this._asking = null;
    if (!this.node.open) return;
    this.node.close();
    if (state.current === null || !this._from?.checkVisibility?.()) this.focusList();
  }

  _renderChoice({ colleagues, asking, busy, error }) {
    this.choice.hidden = Boolean(asking);
    setText(this.note, error ? '' : this._noteText(colleagues));
    this.list.hidden = !colleagues?.length;
    keyed(this.list, colleagues ?? [], ({ operator_id }) => operator_id, (colleague, node) => this._colleague(colleague, node, busy));
    this.queue.disabled = busy;
  }

  _noteText(colleagues) {
    if (!colleagues) return this.t('loading');
    return this.t(colleagues.length ? 'transferAbout' : 'noColleagues');
  }

  _renderQuestion({ asking, busy }) {
    this.question.hidden = !asking;
    this.yes.disabled = busy;
    if (asking) setText(this.sure, this.t('overLimit', { name: asking.name, n: asking.active_tickets, max: asking.max_tickets }));
  }

  _colleague(colleague, known, busy) {
    const node = known ?? this._newColleague(colleague);
    const { button, status, load } = node._parts;
    button.disabled = busy;
    const presence = colleague.is_online ? 'online' : 'offline';
    setText(status, this.t(presence));
    status.dataset.status = presence;
    setText(load, this.t(isFull(colleague) ? 'loadFull' : 'load', { n: colleague.active_tickets, max: colleague.max_tickets }));
    load.classList.toggle('full', isFull(colleague));
    return node;
  }

  _newColleague(colleague) {
    const parts = { status: h('span', { className: 'presence' }), load: h('span', { className: 'load' }) };
    parts.button = h('button', { type: 'button', className: 'choice', onclick: () => this.actions.handOver.choose(colleague) },
      h('strong', { dir: 'auto' }, colleague.name), parts.load, parts.status);
    parts.button.dataset.operator = colleague.operator_id;
    const node = h('li', {}, parts.button);
    node._parts = parts;
    return node;
  }

  /** Escape: back by one step. */
  _cancelled(event) {
    event.preventDefault();
    if (this._state.transfer?.asking) this.actions.handOver.answer(false);
    else this.actions.handOver.cancel();
  }
}
