/** The visitor's other chats, each of which can be opened. */

import { h } from 'preact';
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { chatPath } from '../routes.js';
import { shortText } from '../times.js';

export function Earlier({ desk, ticket: { ticket_id: id, status } }) {
  const others = useSignal([]);
  useEffect(() => {
    let wanted = true;
    others.value = [];
    // Without an answer there is nothing to show, and the chat itself says what is wrong.
    desk.controller.api.chat(id).then((chat) => wanted && (others.value = chat.others.tickets), () => {});
    return () => (wanted = false);
  }, [id, status]);
  if (!others.value.length) return null;
  return h('section', { class: 'facts earlier' },
    h('h3', {}, desk.t('otherChats')),
    h('ul', {}, others.value.map((each) => h(Other, { key: each.ticket_id, desk, ticket: each }))));
}

function Other({ desk, ticket: { ticket_id: id, created_at: time, message } }) {
  const open = (event) => {
    event.preventDefault();
    desk.select(id);
  };
  return h('li', {}, h('a', { href: chatPath(id), onClick: open },
    h('span', { class: 'when' }, shortText(time, desk.locale.value)), ' ', h('span', { class: 'text', dir: 'auto' }, message)));
}
