/**
 * The lists at the side: one's own chats, and the queue, whose chats can be looked at and taken.
 *
 * Writes people's words only as text. Knows no network.
 */

import { CLOSED } from '../conversation/thread.js';
import { h, keyed, setText } from '../kit/dom.js';
import { durationText } from './i18n.js';
import { nameOf } from './parts.js';
import { GONE, lastText, myTickets, queueTickets, statusOf, unreadOf } from './state.js';

export class ListsView {
  /** @param {object} parts see view.js, and select: (ticketId) → open it and go there */
  constructor(parts) {
    Object.assign(this, parts);
    const { t } = this;
    this.mineCount = h('span', { className: 'count' });
    this.mine = h('ul', { id: 'my-tickets' });
    this.noMine = h('p', { className: 'empty' }, t('noChats'));
    this.queueCount = h('span', { className: 'count' });
    this.queue = h('ul', { id: 'queue' });
    this.noQueue = h('p', { className: 'empty' }, t('noQueue'));
    this.title = h('h2', { tabIndex: -1 }, t('mine'), this.mineCount);
    this.node = h('nav', { className: 'lists', 'aria-label': `${t('mine')}, ${t('queue')}` },
      this.title, this.mine, this.noMine,
      h('h2', {}, t('queue'), this.queueCount), this.queue, this.noQueue);
  }

  render(state) {
    const mine = myTickets(state);
    const queue = queueTickets(state);
    const focused = this.node.contains(document.activeElement);
    setText(this.mineCount, mine.length ? String(mine.length) : '');
    setText(this.queueCount, queue.length ? String(queue.length) : '');
    this.noMine.hidden = mine.length > 0;
    this.noQueue.hidden = queue.length > 0;
    keyed(this.mine, mine, (ticket) => ticket.ticket_id, (ticket, node) => this._mine(ticket, node, state));
    keyed(this.queue, queue, (ticket) => ticket.ticket_id, (ticket, node) => this._waiting(ticket, node, state));
    // The row with the focus has gone: the next key shall not begin at the top of the page.
    if (focused && !this.node.contains(document.activeElement)) this.focus();
  }

  /** Go to a chat's row; without one, or when it has gone, to the first. */
  focus(ticketId) {
    const row = this.node.querySelector(`[data-ticket="${ticketId}"].row`) ?? this.mine.querySelector('.row') ?? this.title;
    row.focus();
  }

  _mine(ticket, known, state) {
    const id = ticket.ticket_id;
    const node = known ?? this._newMine(id);
    const { name, text, badge, count, fresh, row } = node._parts;
    const unread = unreadOf(state, id);
    setText(name, nameOf(ticket, this.t));
    setText(text, this._textOf(ticket, state));
    fresh.hidden = !ticket.fresh;
    badge.hidden = !unread;
    setText(badge, String(unread));
    setText(count, unread ? this.t('unread', { n: unread }) : '');
    row.setAttribute('aria-current', String(state.current === id));
    node.classList.toggle('fresh', Boolean(ticket.fresh));
    node.classList.toggle('closed', ticket.access === GONE || statusOf(state, id) === CLOSED);
    return node;
  }

  _textOf(ticket, state) {
    const id = ticket.ticket_id;
    if (ticket.access === GONE) return this.t('goneShort');
    if (statusOf(state, id) === CLOSED) return this.t('closedShort');
    return state.threads[id]?.typing ? this.t('typingShort') : lastText(state, ticket);
  }

  _newMine(id) {
    const parts = {
      name: h('strong', { dir: 'auto' }),
      text: h('span', { className: 'text', dir: 'auto' }),
      fresh: h('span', { className: 'new' }, this.t('fresh')),
      // For the eyes; who listens has the count in words.
      badge: h('span', { className: 'badge', 'aria-hidden': 'true' }),
      count: h('span', { className: 'spoken' }),
    };
    const marks = h('span', { className: 'marks' }, parts.fresh, parts.badge, parts.count);
    parts.row = h('button', { type: 'button', className: 'row', onclick: () => this.select(id) }, parts.name, marks, parts.text);
    parts.row.dataset.ticket = id;
    return withParts(h('li', {}, parts.row), parts);
  }

  _waiting(ticket, known, state) {
    const id = ticket.ticket_id;
    const node = known ?? this._newWaiting(id);
    const { name, waits, text, row, take } = node._parts;
    setText(name, nameOf(ticket, this.t));
    setText(waits, this.t('waits', { time: durationText(Date.now() - Date.parse(ticket.created_at), this.lang) }));
    setText(text, ticket.message ?? '');
    row.setAttribute('aria-current', String(state.current === id && !state.tickets[id]));
    take.disabled = state.taking !== null;
    take.setAttribute('aria-label', this.t('takeOf', { name: name.textContent }));
    return node;
  }

  _newWaiting(id) {
    const parts = {
      name: h('strong', { dir: 'auto' }),
      waits: h('span', { className: 'waits' }),
      text: h('span', { className: 'text', dir: 'auto' }),
      take: h('button', { type: 'button', className: 'take', onclick: () => this.takeTicket(id) }, this.t('take')),
    };
    parts.row = h('button', { type: 'button', className: 'row', onclick: () => this.select(id) }, parts.name, parts.waits, parts.text);
    parts.row.dataset.ticket = id;
    return withParts(h('li', { className: 'waiting' }, parts.row, parts.take), parts);
  }
}

function withParts(node, parts) {
  node._parts = parts;
  return node;
}
