/** What happened to chats without the operator's doing, told until it is put away. */

import { h } from 'preact';
import { IconButton } from '../parts/controls.js';

export function Notices({ desk }) {
  // The box is always there: what comes into it later is spoken.
  return h('div', { id: 'notices', role: 'status' },
    desk.state.value.notices.map((notice) => h(Notice, { key: notice.ticketId, desk, notice })));
}

function Notice({ desk, notice: { ticketId, key, values } }) {
  const read = () => {
    desk.controller.readNotice(ticketId);
    desk.focusList();
  };
  return h('div', { class: 'notice' },
    h('p', {}, desk.t(key, { ...values, visitor: values.visitor || desk.t('visitor') })),
    h(IconButton, { icon: 'close', label: desk.t('noticeRead'), onClick: read }));
}
