/** In a row of the lists: the group that the chat is for. */

import { h } from 'preact';

export function GroupMark({ ticket: { group_name: name } }) {
  return name ? h('span', { class: 'group', dir: 'auto' }, name) : null;
}
