/** The first column: the lists, one at a time where there are several. */

import { h } from 'preact';
import { lists } from '../slots.js';

export function Lists({ desk }) {
  const { key, List } = lists.find((list) => list.key === desk.list.value) ?? lists[0];
  return h('nav', { class: 'lists', 'aria-label': desk.t('lists') },
    lists.length > 1 && h('div', { class: 'tabs' }, lists.map((list) => h(Tab, { key: list.key, desk, list, chosen: list.key === key }))),
    h(List, { desk }));
}

function Tab({ desk, list, chosen }) {
  return h('button', { type: 'button', class: 'tab', 'aria-pressed': chosen, onClick: () => (desk.list.value = list.key) }, desk.t(list.word));
}
