/**
 * The page: what stands where. What clients and back ends sent is written only as text.
 */

import { h } from 'preact';
import { Channels } from './channels.js';
import { ConnectForm } from './connect_form.js';
import { Happenings } from './happenings.js';
import { texts } from './i18n.js';
import { TestForm } from './test_form.js';

const NUMBERS = ['connections', 'channels', 'subscriptions', 'published', 'client_events'];
/** Where the links of a narrow page lead: section → its text. */
const PLACES = { happenings: 'happens', occupied: 'occupied', test: 'test', connect: 'connect' };

export function Page({ model }) {
  return [
    h(Top, { model }),
    h('nav', { class: 'jump', 'aria-label': model.t('goTo') },
      Object.entries(PLACES).map(([id, text]) => h('a', { href: `#${id}` }, model.t(text)))),
    h('main', {},
      h(Numbers, { model }),
      h(Happenings, { model }),
      h('div', { class: 'side' }, h(Channels, { model }), h(TestForm, { model }), h(ConnectForm, { model }))),
  ];
}

function Top({ model }) {
  return h('header', { class: 'top' },
    h('h1', {}, model.t('title')),
    h('label', { class: 'inline' }, h('span', {}, model.t('app')), h(AppChoice, { model })),
    h(Connection, { model }),
    h('select', { id: 'lang', 'aria-label': model.t('language'), value: model.lang.value, onChange: ({ target }) => model.setLang(target.value) },
      Object.keys(texts).map((lang) => h('option', { value: lang }, lang.toUpperCase()))));
}

function AppChoice({ model }) {
  return h('select', { id: 'app', value: model.app.value, onChange: ({ target }) => model.choose(target.value) },
    model.apps.value.map(({ id, is_enabled }) => h('option', { value: id }, is_enabled ? id : model.t('disabled', { id }))));
}

function Connection({ model }) {
  const [connection, reason] = [model.connection.value, model.reason.value];
  return h('div', { class: 'status' },
    h('span', { id: 'connection', class: 'connection', role: 'status', 'data-state': connection },
      reason ? model.t('lostBecause', { reason }) : model.t(connection)),
    h('button', { id: 'retry', type: 'button', class: 'plain', hidden: connection !== 'lost', onClick: () => model.hurry() }, model.t('retryNow')));
}

function Numbers({ model }) {
  const present = model.present.value;
  const written = (name) => {
    const text = model.format(present[name]);
    return name === 'subscriptions' && present.is_partial ? model.t('atLeast', { n: text }) : text;
  };
  return h('dl', { id: 'numbers', class: model.connection.value === 'lost' ? 'numbers stale' : 'numbers' },
    NUMBERS.map((name) => h('div', {}, h('dt', {}, model.t(name)), h('dd', { id: `number-${name}` }, written(name)))));
}
