/**
 * The code that connects to the app, to be copied.
 */

import { useSignal, useSignalEffect } from '@preact/signals';
import { h } from 'preact';
import { useRef } from 'preact/hooks';
import { EXACT, Field } from './field.js';
import { cleanHost, SNIPPETS, targetOf } from './snippets.js';

/** How long a button says that it has copied, milliseconds. */
const COPIED_MS = 2000;

export function ConnectForm({ model }) {
  const kind = useSignal(Object.keys(SNIPPETS)[0]);
  // What somebody has filled in stays, for another app too.
  const where = useSignal(null);
  useSignalEffect(() => {
    if (model.current.value) where.value ??= targetOf(model.current.value, model.relay.value, location.hostname);
  });
  const code = codeOf(kind.value, where.value, model);
  const put = (name) => ({ target }) => (where.value = { ...where.value, [name]: target.type === 'checkbox' ? target.checked : target.value });
  return h('section', { id: 'connect', class: 'card', 'aria-labelledby': 'connect-title' },
    h('h2', { id: 'connect-title' }, model.t('connect')),
    h('div', { class: 'where' },
      h(Field, { label: model.t('snippet') },
        h('select', { id: 'snippet-kind', value: kind.value, onChange: ({ target }) => (kind.value = target.value) },
          Object.entries(SNIPPETS).map(([name, { title }]) => h('option', { value: name }, title)))),
      h(Field, { label: model.t('host') }, h('input', { id: 'snippet-host', value: where.value?.host, onInput: put('host'), ...EXACT })),
      h(Field, { label: model.t('port') }, h('input', { id: 'snippet-port', type: 'number', min: 1, max: 65_535, value: where.value?.port, onInput: put('port') })),
      h('label', { class: 'check' }, h('input', { id: 'snippet-tls', type: 'checkbox', checked: Boolean(where.value?.tls), onChange: put('tls') }), h('span', {}, model.t('tls')))),
    h(Snippet, { code, model }),
    h('p', { class: 'hint', hidden: !code.includes('YOUR-SECRET') }, model.t('secretNote')));
}

/** '' until there is an app. */
function codeOf(kind, where, model) {
  const app = model.current.value;
  if (!app || !where) return '';
  const { host, port, tls, prefix } = where;
  return SNIPPETS[kind].code({ id: app.id, key: app.key, host: cleanHost(host) || 'localhost', port: Number(port) || 443, tls, prefix });
}

function Snippet({ code, model }) {
  const text = useRef(null);
  const said = useSignal('copy');
  const timer = useRef(0);
  const copy = async () => {
    const done = await navigator.clipboard?.writeText(code).then(() => true, () => false);
    // Without TLS, on any address but localhost, a page may not write there by itself.
    if (!done) getSelection().selectAllChildren(text.current);
    said.value = done ? 'copied' : 'copyByHand';
    clearTimeout(timer.current);
    timer.current = setTimeout(() => (said.value = 'copy'), COPIED_MS);
  };
  return h('div', { class: 'snippet' },
    h('pre', { id: 'snippet', class: 'code', tabIndex: 0, role: 'group', 'aria-label': model.t('connect'), ref: text }, code),
    h('button', { id: 'copy', type: 'button', class: 'plain', onClick: copy }, model.t(said.value)));
}
