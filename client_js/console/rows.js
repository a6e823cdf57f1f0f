/**
 * An entry as words: what a row says in its one line, and the fields of it when it is open. Pure.
 */

import { compact } from './json.js';
import { groupOf } from './state.js';

/** Characters of the data that a closed row shows. */
const PREVIEW = 300;

/** In this order; `data` stands below them. */
const FIELDS = [
  'channel', 'event', 'socket_id', 'user_id', 'reason', 'code', 'status', 'method', 'path', 'url', 'count',
  'recipients', 'subscribers', 'exclude', 'address', 'origin',
];

/** Fields whose value is worth a search for everything else about it. */
export const SEARCHABLE = new Set(['channel', 'socket_id', 'user_id']);

/** {kind, group, title, about}: `title` is what it is about, `about` what else is worth a line. */
export function describe(entry, t) {
  const [title, ...about] = (SAYS[entry.kind] ?? SAYS.note)(entry, t);
  const kind = t(entry.kind === 'published' ? 'published_kind' : groupOf(entry.kind) === 'note' ? 'note' : entry.kind);
  return { kind, group: groupOf(entry.kind), title, about: about.filter(Boolean).join(' · ') };
}

/** [name, text] of the fields that an entry has. */
export function fieldsOf(entry) {
  return FIELDS.filter((name) => entry[name] !== undefined).map((name) => [name, String(entry[name])]);
}

const user = (id, t) => id !== undefined && t('user', { id });
const preview = (data) => compact(data).slice(0, PREVIEW);

const SAYS = {
  connected: ({ socket_id, origin, address }) => [socket_id, origin, address],
  disconnected: ({ socket_id, code, reason }, t) => [socket_id, reason, code !== 0 && t('code', { n: code })],
  subscribed: ({ channel, socket_id, user_id, subscribers }, t) => [channel, socket_id, user(user_id, t), t('subscribers', { n: subscribers })],
  unsubscribed: ({ channel, socket_id, user_id, subscribers }, t) =>
    [channel, socket_id, user(user_id, t), subscribers ? t('subscribers', { n: subscribers }) : t('vacated')],
  signed_in: ({ user_id, socket_id }, t) => [t('user', { id: user_id }), socket_id],
  published: ({ channel, event, data, recipients }, t) => [`${event} → ${channel}`, t('recipients', { n: recipients }), preview(data)],
  client_event: ({ channel, event, data, recipients, socket_id }, t) =>
    [`${event} → ${channel}`, socket_id, t('recipients', { n: recipients }), preview(data)],
  connection_refused: ({ reason, code, origin, address }, t) => [reason, t('code', { n: code }), origin, address],
  subscription_refused: ({ channel, reason, socket_id }) => [`${channel}: ${reason}`, socket_id],
  message_refused: ({ reason, code, socket_id }, t) => [reason, code !== undefined && t('code', { n: code }), socket_id],
  request_refused: ({ method, path, status, reason, address }) => [`${status} ${method} ${path}`, reason, address],
  webhook_failed: ({ url, reason, count, is_given_up }, t) => [url, reason, t('events', { n: count }), t(is_given_up ? 'givenUp' : 'willRetry')],
  missed: ({ count }, t) => [t('missedNote', { n: count })],
  gap: (_entry, t) => [t('gapNote')],
  note: ({ kind }) => [kind],
};
