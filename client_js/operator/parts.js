/**
 * Small parts that several panes have. Knows no state.
 */

import { h } from '../kit/dom.js';
import { texts } from './i18n.js';

/** A labelled field. */
export function field(label, input) {
  return h('label', { className: 'field' }, h('span', {}, label), input);
}

/** The choice of the language. @param {{t: Function, lang: string, setLang: Function}} parts */
export function langSelect({ t, lang, setLang }) {
  const select = h('select', { 'aria-label': t('language'), className: 'lang', onchange: () => setLang(select.value) },
    ...Object.keys(texts).map((each) => h('option', { value: each, selected: each === lang }, each.toUpperCase())));
  return select;
}

/** A quiet button. */
export function quiet(id, label, act) {
  return h('button', { id, type: 'button', className: 'quiet', onclick: act }, label);
}

/** A quiet button that on a phone is a sign only. */
export function act(id, sign, label, onclick) {
  const icon = h('span', { className: 'icon', 'aria-hidden': 'true' }, sign);
  return h('button', { id, type: 'button', className: 'quiet act', title: label, 'aria-label': label, onclick }, icon, h('span', { className: 'label' }, label));
}

/** The name of a ticket's visitor as it is shown. */
export function nameOf(ticket, t) {
  return ticket?.visitor_name || t('visitor');
}
