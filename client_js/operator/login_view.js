/**
 * The log-in form. Knows no network.
 */

import { h, setText } from '../kit/dom.js';
import { field, langSelect } from './parts.js';
import { LOGIN } from './state.js';

export class LoginView {
  /** @param {object} parts see view.js */
  constructor(parts) {
    Object.assign(this, parts);
    const { t } = this;
    this.email = h('input', { id: 'login-email', type: 'email', autocomplete: 'username', required: true });
    this.password = h('input', { id: 'login-password', type: 'password', autocomplete: 'current-password', required: true });
    this.error = h('p', { className: 'error', role: 'alert' });
    this.button = h('button', { id: 'login-submit', className: 'main' }, t('login'));
    const form = h('form', { id: 'login-form', onsubmit: (event) => this._submit(event) },
      h('h1', {}, t('loginTitle')), field(t('email'), this.email), field(t('password'), this.password), this.error, this.button);
    this.node = h('main', { className: 'login', hidden: true }, form, langSelect(this));
  }

  render(state, before) {
    this.node.hidden = state.screen !== LOGIN;
    this.button.disabled = state.busy;
    setText(this.error, state.error ? this.t(state.error) : '');
    if (state.screen !== LOGIN || before?.screen === LOGIN) return;
    this.password.value = '';
    this.email.focus();
  }

  _submit(event) {
    event.preventDefault();
    this.actions.login(this.email.value.trim(), this.password.value);
  }
}
