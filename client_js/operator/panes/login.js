/** The log-in. Knows no network. */

import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Field } from '../parts/controls.js';
import { LangSelect } from './top.js';

export function Login({ desk }) {
  const email = useRef(null);
  const password = useRef(null);
  useLayoutEffect(() => email.current.focus(), []);
  const { busy, error } = desk.state.value;
  const submit = (event) => {
    event.preventDefault();
    desk.controller.login(email.current.value.trim(), password.current.value);
  };
  return h('main', { class: 'login' },
    h('form', { id: 'login-form', onSubmit: submit },
      h('p', { class: 'mark', 'aria-hidden': 'true' }, 'P'),
      h('h1', {}, desk.t('loginTitle')),
      h(Field, { label: desk.t('email') }, h('input', { ref: email, id: 'login-email', type: 'email', autocomplete: 'username', required: true })),
      h(Field, { label: desk.t('password') }, h('input', { ref: password, id: 'login-password', type: 'password', autocomplete: 'current-password', required: true })),
      h('p', { class: 'error', role: 'alert' }, error ? desk.t(error) : ''),
      h('button', { id: 'login-submit', class: 'main', disabled: busy }, desk.t('login'))),
    h(LangSelect, { desk }));
}
