/** The dialog in which a chat is handed to a colleague or back to the queue. Writes people's words only as text. */

import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Avatar } from '../parts/avatar.js';
import { Field } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';
import { nameOf } from '../people.js';
import { isFull } from '../state.js';

/** Characters of a note; the desk takes no more. */
const MAX_NOTE = 4000;

export function Transfer({ desk }) {
  const { transfer, tickets } = desk.state.value;
  const { handOver } = desk.controller;
  // The focus goes back to where it was; with the chat gone, to the list.
  const closed = (from) => (desk.state.value.current === null || !from?.checkVisibility?.()) && desk.focusList();
  return h(Dialog, {
    id: 'transfer',
    labelId: 'transfer-title',
    open: Boolean(transfer),
    onEscape: () => (transfer.asking ? handOver.answer(false) : handOver.cancel()),
    onLeave: () => handOver.cancel(),
    onClosed: closed,
  }, transfer && h(Box, { desk, transfer, name: nameOf(tickets[transfer.ticketId], (word) => desk.t(word)) }));
}

function Box({ desk, transfer, name }) {
  const { asking, error } = transfer;
  const title = useRef(null);
  const asked = useRef(asking);
  useLayoutEffect(() => {
    if (asked.current === asking) return;
    asked.current = asking;
    (asking ? document.querySelector('#transfer-yes') : title.current).focus();
  });
  return [
    h('h2', { id: 'transfer-title', ref: title, tabIndex: -1, autofocus: true }, desk.t('transferOf', { name })),
    h('p', { class: 'error', role: 'alert' }, error ? desk.t(error) : ''),
    asking ? h(Question, { desk, transfer }) : h(Choice, { desk, transfer }),
  ];
}

function Choice({ desk, transfer: { colleagues, groups, busy, error, note: text } }) {
  const { handOver } = desk.controller;
  const note = colleagues ? desk.t(colleagues.length ? 'transferAbout' : 'noColleagues') : desk.t('loading');
  return h('div', { class: 'choices' },
    h('p', { class: 'about', role: 'status' }, error ? '' : note),
    h(Field, { label: desk.t('transferNote') },
      h('textarea', { id: 'transfer-note', rows: 2, maxLength: MAX_NOTE, dir: 'auto', value: text, onInput: ({ currentTarget }) => handOver.write(currentTarget.value) })),
    colleagues?.length > 0 && h('ul', { id: 'colleagues', 'aria-label': desk.t('colleagues') },
      colleagues.map((colleague) => h(Colleague, { key: colleague.operator_id, desk, colleague, busy }))),
    groups?.length > 0 && h('ul', { id: 'groups', 'aria-label': desk.t('groups') }, groups.map((group) => h(Group, { key: group.group_id, desk, group, busy }))),
    h('button', { id: 'transfer-queue', type: 'button', class: 'choice', disabled: busy, onClick: () => handOver.choose(null) },
      h('strong', {}, desk.t('toQueue')), h('span', { class: 'text' }, desk.t('toQueueAbout'))),
    h('button', { id: 'transfer-cancel', type: 'button', class: 'quiet', onClick: () => handOver.cancel() }, desk.t('cancel')));
}

function Colleague({ desk, colleague, busy }) {
  const { operator_id: id, name, is_online: online, active_tickets: n, max_tickets: max } = colleague;
  const full = isFull(colleague);
  const presence = online ? 'online' : 'offline';
  return h('li', {},
    h('button', { type: 'button', class: 'choice', 'data-operator': id, disabled: busy, onClick: () => desk.controller.handOver.choose(colleague) },
      h(Avatar, { name, of: id, small: true }),
      h('strong', { dir: 'auto' }, name),
      h('span', { class: `load${full ? ' full' : ''}` }, desk.t(full ? 'loadFull' : 'load', { n, max })),
      h('span', { class: 'presence', 'data-status': presence }, desk.t(presence))));
}

function Group({ desk, group, busy }) {
  return h('li', {},
    h('button', { type: 'button', class: 'choice', 'data-group': group.group_id, disabled: busy, onClick: () => desk.controller.handOver.chooseGroup(group) },
      h('strong', { dir: 'auto' }, group.name), h('span', { class: 'text' }, desk.t('toGroupAbout'))));
}

function Question({ desk, transfer: { asking, busy } }) {
  const { handOver } = desk.controller;
  return h('div', { class: 'question' },
    h('p', { id: 'transfer-sure' }, desk.t('overLimit', { name: asking.name, n: asking.active_tickets, max: asking.max_tickets })),
    h('div', { class: 'answers' },
      h('button', { id: 'transfer-yes', type: 'button', class: 'main', disabled: busy, 'aria-describedby': 'transfer-sure', onClick: () => handOver.answer(true) }, desk.t('transferYes')),
      h('button', { id: 'transfer-no', type: 'button', class: 'quiet', onClick: () => handOver.answer(false) }, desk.t('transferNo'))));
}
