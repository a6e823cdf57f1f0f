/** What is known of a visitor and of the open chat from the chat itself. */

import { h } from 'preact';
import { wholeText } from '../times.js';

/** A section with a heading and rows of a name and a value. @param {{title: string, rows: [string, any][]}} props rows without a value are left out */
export function Rows({ title, rows }) {
  const known = rows.filter(([, value]) => value);
  if (!known.length) return null;
  return h('section', { class: 'facts' },
    h('h3', {}, title),
    h('dl', {}, known.map(([name, value]) => [h('dt', {}, name), h('dd', { dir: 'auto' }, value)])));
}

export function Contact({ desk, ticket: { visitor_email: email } }) {
  const link = email && h('a', { href: `mailto:${encodeURIComponent(email).replace('%40', '@')}` }, email);
  return h(Rows, { title: desk.t('contact'), rows: [[desk.t('email'), link]] });
}

export function Facts({ desk, ticket, thread }) {
  const time = ticket.created_at && wholeText(ticket.created_at, desk.locale.value);
  const spoken = thread?.messages.filter(({ sender_type }) => sender_type !== 'system').length;
  return h(Rows, {
    title: desk.t('chat'),
    rows: [
      [desk.t('number'), `№ ${ticket.ticket_id}`],
      [desk.t('began'), time],
      [desk.t('group'), ticket.group_name],
      [desk.t('state'), ticket.status && desk.t(`ticket_${ticket.status}`)],
      [desk.t('history'), spoken ? String(spoken) : ''],
    ],
  });
}
