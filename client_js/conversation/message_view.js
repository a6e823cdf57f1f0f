/**
 * One message as a node, in the widget and in the panel. What people wrote is only ever text.
 *
 * Knows a message's fields. Not: the log it stands in.
 */

import { h, setText } from '../kit/dom.js';
import { linkParts } from './links.js';
import { SENDING } from './outbox.js';
import { readMark } from './reading.js';
import { mayRetry } from './refusal.js';

/** Keys of the texts for the codes of the system's messages. */
const SYSTEM_TEXTS = { transferred: 'systemTransferred', returned: 'systemReturned', reopened: 'systemReopened', still_there: 'systemStillThere', closed_in_silence: 'systemClosedInSilence' };

/**
 * @param {object} message  stored, or pending with a `state`
 * @param {Element|undefined} known  its node of the last time
 * @param {{side: string, name: string, title: string, locale: string, t: Function, retry: Function}} context
 *   side: sender's type, for the style; name: who is said to speak; title: a name to stand above;
 *   read: of one's own messages, up to which seq the other side has read, if that is known
 */
export function messageNode(message, known, { side, name, title = '', read, locale, t, retry }) {
  if (message.sender_type === 'system') return known ?? systemNode(message, locale, t);
  const node = known ?? newNode(message, side, name);
  const { state, refusal } = message;
  const stuck = state && state !== SENDING;
  node.classList.toggle('pending', Boolean(state));
  setText(node._meta, state ? t(stuck ? refusal : state, message) : timeText(message.created_at, locale) + readMark(message.seq, read));
  setText(node._title, title);
  const again = stuck && mayRetry(refusal);
  if (again && !node._retry) {
    node._retry = h('button', { type: 'button', className: 'retry', onclick: () => retry(message.client_id) }, t('retry'));
    node.append(node._retry);
  } else if (!again && node._retry) {
    node._retry.remove();
    node._retry = null;
  }
  return node;
}

/** What happened to the conversation, in the reader's language; of what this page does not know, in the site's. */
export function systemText({ code, params, content }, t) {
  const key = SYSTEM_TEXTS[code];
  return key ? t(key, params) : content;
}

/** The key that a message keeps from its first appearance to the confirmed row. */
export function messageKey(message) {
  return message.client_id ?? message.id;
}

/** Hours and minutes; with the day when it was not today. */
export function timeText(text, locale) {
  const date = new Date(text);
  const day = date.toDateString() === new Date().toDateString() ? {} : { day: 'numeric', month: 'short' };
  return date.toLocaleString(locale, { ...day, hour: '2-digit', minute: '2-digit' });
}

/** Nobody said it: a line between the messages. */
function systemNode(message, locale, t) {
  const meta = h('span', { className: 'meta' }, timeText(message.created_at, locale));
  return h('div', { className: 'message system' }, h('p', { dir: 'auto' }, systemText(message, t)), meta);
}

function newNode(message, side, name) {
  const meta = h('span', { className: 'meta' });
  // For the eyes: who listens has the name before each message.
  const title = h('div', { className: 'meta', 'aria-hidden': true, dir: 'auto' });
  // Isolated: the direction of a message is that of its own first letter.
  const body = h('p', { dir: 'auto' }, h('bdi', { className: 'spoken' }, `${name}: `), ...linkParts(message.content).map(partNode));
  const node = h('div', { className: `message ${side}` }, title, body, meta);
  node._meta = meta;
  node._title = title;
  return node;
}

/** A link opens beside the chat, and does not say where it was clicked. Its address is read from left to right in any sentence. */
function partNode({ text, href, title = '' }) {
  return href ? h('a', { href, title, target: '_blank', rel: 'noopener noreferrer nofollow', dir: 'ltr' }, text) : text;
}
