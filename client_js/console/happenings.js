/**
 * What happens: the filter, and the entries that it lets through.
 */

import { h } from 'preact';
import { Entry } from './entry.js';
import { ENTRIES, groupOf, GROUPS } from './state.js';

export function Happenings({ model }) {
  return h('section', { id: 'happenings', class: 'card', 'aria-labelledby': 'happens-title' },
    h('div', { class: 'head' }, h('h2', { id: 'happens-title' }, model.t('happens')), h(Count, { model })),
    h(Toolbar, { model }), h(Waiting, { model }), h(Entries, { model }));
}

const withoutNotes = (entries) => entries.filter(({ kind }) => groupOf(kind) !== 'note').length;

function Count({ model }) {
  const all = withoutNotes(model.entries.value);
  return h('span', { id: 'count', class: 'count' }, all ? model.t('shownOf', { n: withoutNotes(model.list.value), all }) : '');
}

function Toolbar({ model }) {
  const paused = model.paused.value;
  return h('div', { class: 'toolbar' },
    h('div', { class: 'line' },
      h('input', {
        id: 'search', type: 'search', placeholder: model.t('searchHint'), 'aria-label': model.t('search'), spellcheck: false, autocomplete: 'off',
        value: model.text.value, onInput: ({ target }) => model.search(target.value),
      }),
      h('button', { id: 'pause', type: 'button', class: 'plain', 'aria-pressed': String(paused), onClick: () => model.togglePause() }, model.t(paused ? 'resume' : 'pause')),
      h('button', { id: 'clear', type: 'button', class: 'plain', onClick: () => model.clear() }, model.t('clear'))),
    h('fieldset', { class: 'chips' },
      h('legend', { class: 'spoken' }, model.t('kinds')),
      Object.keys(GROUPS).map((group) => h(Chip, { key: group, group, model }))));
}

function Chip({ group, model }) {
  return h('label', { class: 'chip', 'data-group': group },
    h('input', { id: `show-${group}`, type: 'checkbox', checked: model.groups.value.includes(group), onChange: () => model.toggleGroup(group) }),
    h('span', {}, model.t(`group_${group}`)));
}

function Waiting({ model }) {
  const [paused, { length: n }] = [model.paused.value, model.held.value];
  // Spoken once: a live region that counts would never be silent.
  return h('p', { id: 'waiting', class: 'waiting', role: 'status', 'aria-live': n ? 'off' : 'polite', hidden: !paused },
    paused ? model.t(n < ENTRIES ? 'waiting' : 'waitingMany', { n }) : '');
}

function Entries({ model }) {
  const list = model.list.value;
  return h('div', { class: 'scroll', tabIndex: 0, role: 'group', 'aria-labelledby': 'happens-title' },
    h('p', { class: 'empty', hidden: list.length > 0 }, model.t(model.entries.value.length ? 'nothingFits' : 'nothing')),
    h('ol', { id: 'entries', class: 'entries' }, list.map((entry) => h(Entry, { key: entry.id, entry, model }))));
}
