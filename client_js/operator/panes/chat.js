/** The middle column: the open chat, one's own or a waiting one that is looked at. Knows no network. */

import { h } from 'preact';
import { useLook } from '../look.js';
import { useComputed, useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { WAITING } from '../../conversation/thread.js';
import { ENDED, KEPT, LOOK, TALK } from '../desk.js';
import { Badge, IconButton } from '../parts/controls.js';
import { Avatar } from '../parts/avatar.js';
import { Log } from '../parts/log.js';
import { Reply } from '../parts/reply.js';
import { nameOf } from '../people.js';
import { chatActions, chatLines } from '../slots.js';
import { PastChat } from './past.js';
import { unreadElsewhere } from '../state.js';

export function Chat({ desk }) {
  const past = desk.past.shown.value;
  const ticket = desk.ticket.value;
  return h('section', { class: 'chat', 'aria-labelledby': ticket && 'chat-title', 'aria-label': ticket ? undefined : desk.t('chat') },
    past ? h(PastChat, { key: past.ticketId, desk, shown: past }) : ticket ? h(Open, { desk, ticket }) : h(Nothing, { desk }));
}

/** No chat is open. */
function Nothing({ desk }) {
  const { wanted } = desk.state.value;
  return h('div', { class: 'nothing' },
    wanted !== null && h(IconButton, { id: 'back', icon: 'back', label: desk.t('back'), text: desk.t('back'), class: 'back', onClick: () => desk.goBack() }),
    h('p', { class: 'empty' }, desk.t('pick')),
    h('p', { class: 'empty keys-hint' }, h('kbd', {}, '?'), ' ', desk.t('keys')));
}

function Open({ desk, ticket }) {
  const log = useRef(null);
  const mode = desk.mode.value;
  const id = ticket.ticket_id;
  const seen = useLook(desk, ticket, mode);
  const thread = mode === LOOK ? lookedAt(ticket, seen) : desk.thread.value;
  return h('div', { class: 'open' },
    h(Head, { desk, ticket, mode }),
    chatLines.map(({ key, Line }) => h(Line, { key, desk, ticket, thread, mode })),
    h(Log, { desk, thread, ticketId: id, box: log, quiet: mode === KEPT }),
    h('p', { id: 'typing', class: 'typing' }, mode === TALK && thread?.typing ? desk.t('typing', { name: titleOf(desk, ticket) }) : ''),
    mode !== TALK && h(Bar, { desk, id, mode }),
    (mode === TALK || mode === KEPT) && h(Reply, { desk, ticketId: id, log, readOnly: mode === KEPT }));
}

function Head({ desk, ticket, mode }) {
  const id = ticket.ticket_id;
  const name = titleOf(desk, ticket);
  return h('div', { class: 'chat-top' },
    h(Back, { desk }),
    h(Avatar, { name, of: desk.visitorOf(ticket) }),
    h('div', { class: 'names' },
      h('h2', { id: 'chat-title', tabIndex: -1, dir: 'auto' }, name),
      h('p', { class: 'about' }, [`№ ${id}`, ticket.visitor_email].filter(Boolean).join(' · '))),
    chatActions.map(({ key, Action }) => h(Action, { key, desk, ticket, mode })),
    mode === TALK && h(IconButton, { id: 'transfer-ticket', icon: 'transfer', label: desk.t('transfer'), text: desk.t('transfer'), onClick: () => desk.controller.handOver.open(id) }),
    mode === TALK && h(IconButton, { id: 'close-ticket', icon: 'check', label: desk.t('close'), text: desk.t('close'), onClick: () => desk.closeTicket() }),
    h(IconButton, {
      id: 'details',
      icon: 'details',
      label: desk.t('details'),
      'aria-expanded': desk.details.value,
      onClick: () => desk.toggleDetails(),
    }));
}

/** On a phone the open chat hides the others. */
function Back({ desk }) {
  const elsewhere = useComputed(() => unreadElsewhere(desk.state.value));
  const count = elsewhere.value;
  const label = desk.t('back') + (count ? `, ${desk.t('unread', { n: count })}` : '');
  return h(IconButton, { id: 'back', icon: 'back', label, class: 'back', onClick: () => desk.goBack() }, h(Badge, { count }));
}

/** What stands where one writes, when the chat is not mine, or not any more. */
function Bar({ desk, id, mode }) {
  const copied = useSignal(false);
  const copy = async () => {
    const input = document.querySelector('#reply');
    input.select();
    await navigator.clipboard.writeText(input.value);
    copied.value = true;
  };
  return h('div', { id: 'chat-bar', class: 'bar end' },
    h('p', {}, { [LOOK]: desk.t('looking'), [KEPT]: desk.t('keptText') }[mode] ?? ''),
    mode === LOOK && h('button', { id: 'take', type: 'button', class: 'main', disabled: desk.state.value.taking !== null, onClick: () => desk.take(id) }, desk.t('takeThis')),
    mode === ENDED && h('button', { id: 'reopen', type: 'button', class: 'quiet', onClick: () => desk.controller.handOver.reopen(id) }, desk.t('reopen')),
    mode === KEPT && navigator.clipboard && h('button', { id: 'copy-unsent', type: 'button', class: 'quiet', onClick: copy }, desk.t(copied.value ? 'copied' : 'copy')),
    (mode === ENDED || mode === KEPT) && h('button', { id: 'dismiss', type: 'button', class: 'main', onClick: () => desk.dismiss() }, desk.t('dismiss')));
}

function titleOf(desk, ticket) {
  return nameOf(ticket, (word) => desk.t(word));
}

/** A waiting chat as it is read before it is taken; until the history is here, its first message, which the list has. */
function lookedAt({ message, created_at, visitor_name }, seen) {
  if (seen) return { status: WAITING, loaded: true, messages: seen, pending: [] };
  const first = { id: 'first', seq: 1, sender_type: 'visitor', sender_name: visitor_name, content: message ?? '', created_at };
  return { status: WAITING, loaded: true, messages: [first], pending: [] };
}
