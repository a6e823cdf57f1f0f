/**
 * The whole page: which screen and which pane is shown, what keys do everywhere, and what is spoken.
 */

import { h } from 'preact';
import { isComposing } from '../conversation/composer.js';
import { TALK } from './desk.js';
import { commandOf } from './keys.js';
import { Chat } from './panes/chat.js';
import { Help } from './panes/help.js';
import { Lists } from './panes/lists.js';
import { Login } from './panes/login.js';
import { Notices } from './panes/notices.js';
import { Top } from './panes/top.js';
import { Transfer } from './panes/transfer.js';
import { Undo } from './panes/undo.js';
import { Visitor } from './panes/visitor.js';
import { panes } from './slots.js';
import { LOGIN, WORK } from './state.js';

/** @param {{desk: object}} props see desk.js */
export function App({ desk }) {
  const screen = desk.screen.value;
  return h('div', { id: 'panel' },
    screen === LOGIN && h(Login, { desk }),
    screen === WORK && h(Work, { desk }),
    screen !== LOGIN && screen !== WORK && h(Loading, { desk }),
    h(Spoken, { desk }));
}

function Loading({ desk }) {
  return h('p', { class: 'loading' }, desk.t(desk.state.value.connection === 'reconnecting' ? 'reconnecting' : 'loading'));
}

function Work({ desk }) {
  const { pane, rest } = desk.route.value;
  const { Pane } = panes.find(({ key }) => key === pane) ?? {};
  return h('div', { class: 'screen' },
    h(Top, { desk }),
    h(Notices, { desk }),
    h(Undo, { desk }),
    Pane ? h('main', { class: 'pane' }, h(Pane, { desk, rest })) : h(Columns, { desk }),
    h(Transfer, { desk }),
    h(Help, { desk }));
}

function Columns({ desk }) {
  const { current, wanted } = desk.state.value;
  const classes = ['work', (current ?? wanted) !== null && 'has-chat', current !== null && desk.details.value && 'has-details'];
  return h('main', { class: classes.filter(Boolean).join(' ') }, h(Lists, { desk }), h(Chat, { desk }), h(Visitor, { desk }));
}

/** What is new is spoken from here; the log itself is silent, so history is not read out. */
function Spoken({ desk }) {
  return h('div', { class: 'spoken', 'aria-live': 'polite' }, desk.spoken.value.map(({ key, text }) => h('p', { key }, text)));
}

/** What keys do wherever the focus is. @param {object} desk */
export function listenToKeys(desk) {
  const actions = actionsOf(desk);
  addEventListener('keydown', (event) => {
    const { screen, transfer } = desk.state.value;
    if (screen !== WORK || transfer || desk.shown.value === 'help' || isComposing(event) || event.defaultPrevented) return;
    if (event.key === 'Escape') return goBack(desk);
    const act = actions[commandOf(event, { writing: isWriting(event.target), letters: desk.letters.value, mac: desk.mac })];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function actionsOf(desk) {
  const talking = (act) => () => desk.mode.value === TALK && act(desk.current.value);
  return {
    next: () => desk.step(1),
    previous: () => desk.step(-1),
    longest: () => desk.selectLongest(),
    take: () => desk.queue.value.length && desk.take(desk.queue.value[0].ticket_id),
    reply: () => desk.current.value !== null && desk.focusChat(),
    transfer: talking((id) => desk.controller.handOver.open(id)),
    note: talking((id) => desk.toggleNote(id)),
    close: talking(() => desk.closeTicket()),
    undo: () => desk.state.value.closing.length && desk.undoClose(desk.state.value.closing.at(-1)),
    details: () => desk.toggleDetails(),
    search: () => document.querySelector('#search').focus(),
    help: () => (desk.shown.value = 'help'),
  };
}

/** Escape: back by one step. */
function goBack(desk) {
  const { current, wanted } = desk.state.value;
  if (desk.details.value) desk.details.value = false;
  else if ((current ?? wanted) !== null) desk.goBack();
}

function isWriting(target) {
  return target.matches?.('input, textarea, select');
}
