/** The first column: the lists, one at a time where there are several. */

import { h } from 'preact';
import { lists } from '../slots.js';

export function Lists({ desk }) {
  const { key, List } = lists.find((list) => list.key === desk.list.value) ?? lists[0];
  return h('nav', { class: 'lists', 'aria-label': desk.t('lists'), onKeyDown: walk },
    lists.length > 1 && h('div', { class: 'tabs' }, lists.map((list) => h(Tab, { key: list.key, desk, list, chosen: list.key === key }))),
    h(List, { desk }));
}

/** Arrows go from row to row, without opening one. */
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.altKey || !event.target.matches('.row')) return;
  const rows = [...event.currentTarget.querySelectorAll('.row')];
  event.preventDefault();
  rows[rows.indexOf(event.target) + step]?.focus();
}

function Tab({ desk, list, chosen }) {
  return h('button', { type: 'button', class: 'tab', 'aria-pressed': chosen, onClick: () => (desk.list.value = list.key) }, desk.t(list.word));
}
