/**
 * One entry on the page: a line that opens to everything that is known about it.
 */

import { h } from './dom.js';
import { pretty } from './json.js';
import { describe, fieldsOf, SEARCHABLE } from './rows.js';

/** @param {object} parts t, locale, open(value): show only what holds the value */
export function entryNode(entry, { t, locale, open }) {
  const { kind, group, title, about } = describe(entry, t);
  const summary = h('summary', {},
    h('time', { dateTime: new Date(entry.at).toISOString() }, timeText(entry.at, locale)),
    h('span', { className: 'kind' }, kind),
    h('span', { className: 'words', dir: 'auto' }, h('strong', {}, title), about && ' ', about && h('span', { className: 'about' }, about)));
  const node = h('li', { className: 'entry' });
  node.dataset.kind = entry.kind;
  node.dataset.group = group;
  if (group === 'note') {
    node.append(h('p', { className: 'summary' }, ...summary.childNodes));
    return node;
  }
  const details = h('details', {}, summary);
  // Most are never opened: what is inside is made when one is.
  details.addEventListener('toggle', () => details.children.length > 1 || details.append(inside(entry, { t, locale, open })), { once: true });
  node.append(details);
  return node;
}

function inside(entry, { t, locale, open }) {
  const fields = [['at', new Date(entry.at).toLocaleString(locale)], ...fieldsOf(entry)];
  const rows = fields.map(([name, value]) => h('div', {}, h('dt', {}, t(`field_${name}`)), h('dd', { dir: 'auto' }, fieldValue(name, value, t, open))));
  return h('div', { className: 'inside' },
    h('dl', { 'aria-label': t('fieldNames') }, ...rows),
    entry.data !== undefined && h('pre', { className: 'data', tabIndex: 0, role: 'group', 'aria-label': t('dataTitle'), dir: 'auto' }, pretty(entry.data)),
    Boolean(entry.cut) && h('p', { className: 'hint' }, t('cut')));
}

function fieldValue(name, value, t, open) {
  if (!SEARCHABLE.has(name)) return value;
  return h('button', { type: 'button', className: 'link', title: t('only', { value }), onclick: () => open(value) }, value);
}

/** The time of the day with milliseconds: in a log, the order is what matters. */
function timeText(at, locale) {
  const time = new Date(at);
  const clock = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(time);
  return `${clock}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
