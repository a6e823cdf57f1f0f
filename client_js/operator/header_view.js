/**
 * The head of the page: who works, how the connection is, status and limit, the switches.
 *
 * Knows no network; of the storage only the switches of sound and notes.
 */

import { h, setText } from '../kit/dom.js';
import { field, langSelect, quiet } from './parts.js';

const STATUSES = ['online', 'away', 'offline'];
const MAX_LIMIT = 100;

export class HeaderView {
  /** @param {object} parts see view.js */
  constructor(parts) {
    Object.assign(this, parts);
    const { t, actions } = this;
    this.who = h('span', { className: 'who' });
    this.connection = h('span', { id: 'connection', className: 'connection', role: 'status' });
    this.soundLocked = h('button', { id: 'sound-locked', type: 'button', className: 'hint', onclick: () => this.alerts.unlockSound() }, t('soundLocked'));
    this.status = h('select', { id: 'my-status', onchange: () => actions.setStatus(this.status.value) },
      ...STATUSES.map((status) => h('option', { value: status }, t(status))));
    this.limit = h('input', { id: 'my-limit', type: 'number', min: 0, max: MAX_LIMIT, onchange: () => this._setLimit() });
    this.node = h('header', { className: 'top', hidden: true },
      h('h1', {}, t('product')), this.connection, this.soundLocked,
      h('div', { className: 'tools' },
        this.who, field(t('status'), this.status), field(t('limit'), this.limit),
        this._switch('sound', t('sound')), this._switch('desktop', t('desktop')), langSelect(this),
        quiet('logout', t('logout'), () => actions.logout())));
  }

  render({ me, connection, unheard, status, maxTickets }) {
    this._maxTickets = maxTickets;
    setText(this.who, me.name);
    const shown = connection === 'connected' && unheard ? 'unheard' : connection;
    setText(this.connection, this.t(shown));
    this.connection.dataset.state = shown;
    this.status.value = status;
    if (document.activeElement !== this.limit) this.limit.value = maxTickets ?? '';
    this.renderSound();
  }

  /** The browser has locked or unlocked the sound. */
  renderSound() {
    this.soundLocked.hidden = !this.alerts.soundLocked;
  }

  _switch(name, label) {
    const box = h('input', { type: 'checkbox', id: `switch-${name}`, checked: this.alerts[name] });
    box.addEventListener('change', async () => {
      if (name === 'desktop' && box.checked) box.checked = await this.alerts.askForDesktop();
      this.alerts[name] = box.checked;
      this.storage.set(name, box.checked);
      this.renderSound();
    });
    return h('label', { className: 'switch' }, box, h('span', {}, label));
  }

  _setLimit() {
    const limit = Math.round(Number(this.limit.value));
    if (this.limit.value !== '' && limit >= 0 && limit <= MAX_LIMIT) this.actions.setLimit(limit);
    else this.limit.value = this._maxTickets;
  }
}
