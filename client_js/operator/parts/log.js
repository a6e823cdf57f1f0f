/**
 * What was said in the open chat, in groups and days. Stays at its end while that is in view; else says how much came below.
 */

import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useComputed } from '@preact/signals';
import { messageKey } from '../../conversation/message_view.js';
import { CLOSED, visibleMessages } from '../../conversation/thread.js';
import { atEnd } from '../../kit/dom.js';
import { grouped, withNotes } from '../groups.js';
import { unreadOf } from '../state.js';
import { dayText } from '../times.js';
import { Icon } from './icon.js';
import { Message } from './message.js';

/** So far from either end more is read, pixels. */
const NEAR = 300;

/** @param {{desk: object, thread: object, ticketId: number, box: {current: Element}, quiet: boolean, onTop?: () => void, onEnd?: () => void}} props box: gets the scrolled node; quiet: without a line at the end; onTop, onEnd: there is not much more to scroll */
export function Log({ desk, thread, ticketId, box, quiet, onTop, onEnd }) {
  const place = useRef({ ticketId: null, own: null, following: true, sought: null });
  const items = useRef(null);
  const route = desk.route.value;
  const sought = route.ticketId === ticketId ? route.message : null;
  useLayoutEffect(() => {
    follow(box.current, place.current, ticketId, thread);
    seek(box.current, place.current, ticketId, sought);
  });
  useLayoutEffect(() => keepEnd(box.current, items.current, place.current), []);
  const scroll = () => {
    place.current.following = atEnd(box.current);
    desk.controller.setScrolled(!place.current.following);
    if (box.current.scrollTop < NEAR) onTop?.();
    if (box.current.scrollHeight - box.current.scrollTop - box.current.clientHeight < NEAR) onEnd?.();
  };
  const newFrom = useComputed(() => desk.state.value.newFrom);
  const notes = useComputed(() => desk.state.value.notes);
  const entries = thread ? grouped(withNotes(visibleMessages(thread), notes.value[ticketId] ?? []), String(desk.me.value.operator_id), newFrom.value) : [];
  return h('div', { class: 'log-frame' },
    h('div', { id: 'log', ref: box, role: 'log', 'aria-live': 'off', 'aria-label': desk.t('history'), tabIndex: 0, onScroll: scroll },
      h('div', { ref: items, class: 'items' },
        entries.map((entry) => h(Entry, { key: keyOf(entry, ticketId), desk, ticketId, ...entry })),
        !quiet && h(Note, { desk, thread }))),
    h(Below, { desk, ticketId, go: () => toEnd(box.current) }));
}

function Entry({ desk, day, fresh, ticketId, message, first, last }) {
  if (fresh) return h('div', { class: 'day new-line' }, h('span', {}, desk.t('newLine')));
  if (day) return h('div', { class: 'day' }, h('span', {}, dayText(day, desk.now.value, desk.locale.value, (word) => desk.t(word))));
  return h(Message, { desk, message, ticketId, first, last });
}

/** The state of the whole, below the last message. */
function Note({ desk, thread }) {
  const text = noteText(desk, thread);
  return text ? h('p', { class: 'line' }, text) : null;
}

function noteText(desk, thread) {
  if (thread?.status === CLOSED) return desk.t(thread.ticket.closed_by === 'visitor' ? 'closedByVisitor' : 'closed');
  return thread?.loaded || thread?.messages.length ? '' : desk.t('loadingChat');
}

/** The end is out of view: the way there, and what has come since. */
function Below({ desk, ticketId, go }) {
  const scrolled = useComputed(() => desk.state.value.scrolled);
  const unread = useComputed(() => unreadOf(desk.state.value, desk.state.value.current));
  if (!scrolled.value || ticketId === null) return null;
  const text = unread.value ? desk.t('newBelow', { n: unread.value }) : desk.t('toEnd');
  return h('button', { id: 'below', type: 'button', class: `below${unread.value ? ' news' : ''}`, onClick: go }, h(Icon, { name: 'down' }), text);
}

function keyOf({ day, fresh, message }, ticketId) {
  if (fresh) return `${ticketId} new`;
  return day ? `${ticketId} ${day.toDateString()}` : `${ticketId} ${messageKey(message)}`;
}

/** Another chat, or something that I have just written: to the end. Else only who was there stays there. */
function follow(log, place, ticketId, thread) {
  const own = thread?.pending?.at(-1)?.client_id ?? null;
  const jumps = place.ticketId !== ticketId || (own !== null && own !== place.own);
  Object.assign(place, { ticketId, own, following: place.following || jumps });
  if (place.following) toEnd(log);
}

/** The message that the address names comes into view, once. */
function seek(log, place, ticketId, seq) {
  const wanted = seq && `${ticketId} ${seq}`;
  if (wanted === place.sought) return;
  const node = seq && log.querySelector(`[data-seq="${seq}"]`);
  if (wanted && !node) return;
  place.sought = wanted;
  if (!node) return;
  place.following = false;
  node.scrollIntoView({ block: 'center' });
}

/** Pictures that come late and a window that changes its size leave who is at the end there. */
function keepEnd(log, items, place) {
  const observer = new ResizeObserver(() => place.following && toEnd(log));
  observer.observe(log);
  observer.observe(items);
  return () => observer.disconnect();
}

function toEnd(log) {
  log.scrollTop = log.scrollHeight;
}
