/**
 * What happened to chats without the operator's doing, told until it is put away. Knows no network.
 */

import { h, keyed, setText } from '../kit/dom.js';

export class NoticesView {
  /** @param {object} parts see view.js, and focusList: to the list of chats */
  constructor(parts) {
    Object.assign(this, parts);
    // The box is always there: what comes into it later is spoken.
    this.node = h('div', { id: 'notices', role: 'status' });
  }

  render({ notices }) {
    keyed(this.node, notices, ({ ticketId }) => ticketId, (notice, node) => this._notice(notice, node));
  }

  _notice({ ticketId, key, values }, known) {
    const node = known ?? this._newNotice(ticketId);
    const visitor = values.visitor || this.t('visitor');
    setText(node.firstChild, this.t(key, { ...values, visitor }));
    return node;
  }

  _newNotice(ticketId) {
    const close = h('button', { type: 'button', className: 'quiet', 'aria-label': this.t('noticeRead'), onclick: () => this._read(ticketId) }, '✕');
    return h('div', { className: 'notice' }, h('p'), close);
  }

  _read(ticketId) {
    this.actions.readNotice(ticketId);
    this.focusList();
  }
}
