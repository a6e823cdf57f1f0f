/**
 * One entry on the page: a line that opens to everything that is known about it.
 */

import { useSignal } from '@preact/signals';
import { h } from 'preact';
import { pretty } from './json.js';
import { describe, fieldsOf, SEARCHABLE } from './rows.js';

/** Uses a signal, the language's: so it is drawn anew for another entry or language, and not for each change of the list around it. */
export function Entry({ entry, model }) {
  const { kind, group, title, about } = describe(entry, (key, values) => model.t(key, values));
  const line = [
    h('time', { dateTime: new Date(entry.at).toISOString() }, timeText(entry.at, model.locale.value)),
    h('span', { class: 'kind' }, kind),
    h('span', { class: 'words', dir: 'auto' }, h('strong', {}, title), about && ' ', about && h('span', { class: 'about' }, about)),
  ];
  return h('li', { class: 'entry', 'data-kind': entry.kind, 'data-group': group },
    group === 'note' ? h('p', { class: 'summary' }, line) : h(Details, { line, entry, model }));
}

function Details({ line, entry, model }) {
  const opened = useSignal(false);
  // Most are never opened: what is inside is made when one is.
  return h('details', { onToggle: () => (opened.value = true) },
    h('summary', {}, line),
    opened.value && h(Inside, { entry, model }));
}

function Inside({ entry, model }) {
  const fields = [['at', new Date(entry.at).toLocaleString(model.locale.value)], ...fieldsOf(entry)];
  return h('div', { class: 'inside' },
    h('dl', { 'aria-label': model.t('fieldNames') }, fields.map(([name, value]) =>
      h('div', {}, h('dt', {}, model.t(`field_${name}`)), h('dd', { dir: 'auto' }, h(Value, { name, value, model }))))),
    entry.data !== undefined && h('pre', { class: 'data', tabIndex: 0, role: 'group', 'aria-label': model.t('dataTitle'), dir: 'auto' }, pretty(entry.data)),
    Boolean(entry.cut) && h('p', { class: 'hint' }, model.t('cut')));
}

function Value({ name, value, model }) {
  if (!SEARCHABLE.has(name)) return value;
  return h('button', { type: 'button', class: 'link', title: model.t('only', { value }), onClick: () => model.search(value) }, value);
}

/** The time of the day with milliseconds: in a log, the order is what matters. */
function timeText(at, locale) {
  const time = new Date(at);
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(time);
  return `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
