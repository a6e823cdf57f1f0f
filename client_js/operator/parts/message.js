/** One message of the open chat. What people wrote is only ever text. */

import { h } from 'preact';
import { linkParts } from '../../conversation/links.js';
import { systemText } from '../../conversation/message_view.js';
import { SENDING } from '../../conversation/outbox.js';
import { readMark } from '../../conversation/reading.js';
import { mayRetry } from '../../conversation/refusal.js';
import { messageKinds } from '../slots.js';
import { clockText, wholeText } from '../times.js';
import { Avatar } from './avatar.js';

/**
 * @param {object} props
 *   message      stored, or pending with a `state`
 *   ticketId
 *   first, last  of its group: a name stands above the first, the time below the last
 */
export function Message({ desk, message, ticketId, first, last }) {
  if (message.sender_type === 'system') return h(System, { desk, message });
  if (message.sender_type === 'note') return h(Note, { desk, message });
  const { side, name, title } = speakerOf(desk, message);
  const classes = ['message', side, first && 'first', last && 'last', message.state && 'pending', isSought(desk, ticketId, message) && 'sought'];
  return h('div', { class: classes.filter(Boolean).join(' '), 'data-seq': message.seq },
    side === 'visitor' && first && h(Avatar, { name, of: desk.visitor.value, small: true }),
    // For the eyes: who listens has the name before each message.
    title && first && h('span', { class: 'meta by', 'aria-hidden': 'true', dir: 'auto' }, title),
    h(Body, { desk, message, name }),
    (last || message.state) && h(Meta, { desk, message, ticketId }));
}

/** The address names it. */
function isSought(desk, ticketId, { seq }) {
  const route = desk.route.value;
  return seq !== undefined && route.ticketId === ticketId && route.message === seq;
}

/** side: for the style; name: who is said to speak; title: a colleague's name, to stand above. What is on its way is mine. */
function speakerOf(desk, { id, sender_type: side, sender_id: sender, sender_name: given }) {
  const own = !id || (side === 'operator' && sender === String(desk.me.value.operator_id));
  if (own) return { side: 'operator', name: desk.t('you'), title: '' };
  return { side, name: given || desk.t(side === 'operator' ? 'colleague' : 'visitor'), title: side === 'operator' ? given : '' };
}

function Body({ desk, message, name }) {
  // Isolated: the direction of a message is that of its own first letter.
  const spoken = h('bdi', { class: 'spoken' }, `${name}: `);
  const kind = messageKinds.find(({ fits }) => fits(message));
  const time = wholeText(message.created_at, desk.locale.value);
  if (kind) return h('div', { class: 'body', title: time }, spoken, h(kind.Body, { desk, message }));
  return h('p', { dir: 'auto', title: time }, spoken, linkParts(message.content).map((part, index) => h(Part, { key: index, ...part })));
}

/** A link opens beside the chat, and does not say where it was clicked. Its address is read from left to right in any sentence. */
function Part({ text, href, title }) {
  return href ? h('a', { href, title, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, text) : text;
}

function Meta({ desk, message, ticketId }) {
  const { state, refusal } = message;
  const stuck = state && state !== SENDING;
  // The day stands in its own line.
  const text = state ? desk.t(stuck ? refusal : state, message) : clockText(message.created_at, desk.locale.value) + markOf(desk, message);
  return h('span', { class: `meta${stuck ? ' stuck' : ''}` }, text,
    stuck && mayRetry(refusal) && h('button', { type: 'button', class: 'retry', onClick: () => desk.controller.retry(ticketId, message.client_id) }, desk.t('retry')));
}

/** For operators alone, and it says so. */
function Note({ desk, message: { content, sender_name: name, created_at: time } }) {
  return h('div', { class: 'note' },
    h('span', { class: 'meta' }, desk.t('noteBy', { name }), ' · ', clockText(time, desk.locale.value)),
    h('p', { dir: 'auto', title: wholeText(time, desk.locale.value) }, linkParts(content).map((part, index) => h(Part, { key: index, ...part }))));
}

/** Nobody said it: a line between the messages. */
function System({ desk, message }) {
  return h('div', { class: 'message system' },
    h('p', { dir: 'auto' }, systemText(message, (...words) => desk.t(...words))), h('span', { class: 'meta' }, clockText(message.created_at, desk.locale.value)));
}

/** Of what operators wrote: whether the visitor has read it. */
function markOf(desk, { seq, sender_type: side }) {
  return side === 'operator' ? readMark(seq, desk.thread.value?.ticket?.visitor_read_seq) : '';
}
