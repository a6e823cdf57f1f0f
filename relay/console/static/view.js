/**
 * The console on the page: builds its nodes once, then brings them up to date with the state.
 *
 * What clients and back ends sent is written only as text. Knows no network.
 */

import { h, keyed, setText } from './dom.js';
import { texts } from './i18n.js';
import { entryNode } from './entry_view.js';
import { ENTRIES, groupOf, GROUPS, shown, shownChannels } from './state.js';
import { ConnectForm, TestForm } from './forms.js';

const NUMBERS = ['connections', 'channels', 'subscriptions', 'published', 'client_events'];

export class View {
  /** @param {object} parts lang, locale, t, actions */
  constructor(parts) {
    Object.assign(this, parts);
    this.test = new TestForm(parts);
    this.connect = new ConnectForm(parts);
    this._buildHeader();
    this._buildNumbers();
    this._buildToolbar();
    this._buildHappenings();
    this._buildOccupied();
    this.nodes = [
      this.header,
      h('nav', { className: 'jump', 'aria-label': this.t('goTo') },
        ...[['happenings', 'happens'], ['occupied', 'occupied'], ['test', 'test'], ['connect', 'connect']]
          .map(([id, text]) => h('a', { href: `#${id}` }, this.t(text)))),
      h('main', {}, this.numbers, this.happenings, h('div', { className: 'side' }, this.occupied, this.test.node, this.connect.node)),
    ];
  }

  render(state) {
    const before = this._state ?? {};
    this._state = state;
    if (state.apps !== before.apps || state.app !== before.app) this._renderApps(state);
    if (state.connection !== before.connection || state.reason !== before.reason) this._renderConnection(state);
    if (state.present !== before.present || state.text !== before.text) this._renderPresent(state);
    this._renderToolbar(state);
    this._renderEntries(state, before);
    this.test.render(state);
    this.connect.render(state);
  }

  _buildHeader() {
    const { t, actions } = this;
    this.app = h('select', { id: 'app', onchange: () => actions.choose(this.app.value) });
    this.connection = h('span', { id: 'connection', className: 'connection', role: 'status' });
    this.retry = h('button', { id: 'retry', type: 'button', className: 'quiet', onclick: () => actions.hurry() }, t('retryNow'));
    const lang = h('select', { id: 'lang', 'aria-label': t('language'), onchange: () => actions.setLang(lang.value) },
      ...Object.keys(texts).map((name) => h('option', { value: name, selected: name === this.lang }, name.toUpperCase())));
    this.header = h('header', { className: 'top' },
      h('h1', {}, t('title')),
      h('label', { className: 'inline' }, h('span', {}, t('app')), this.app),
      h('div', { className: 'status' }, this.connection, this.retry),
      lang);
  }

  _buildNumbers() {
    this.values = {};
    this.numbers = h('dl', { id: 'numbers', className: 'numbers' }, ...NUMBERS.map((name) => {
      this.values[name] = h('dd', { id: `number-${name}` }, '–');
      return h('div', {}, h('dt', {}, this.t(name)), this.values[name]);
    }));
  }

  _buildToolbar() {
    const { t, actions } = this;
    this.search = h('input', {
      id: 'search', type: 'search', placeholder: t('searchHint'), 'aria-label': t('search'), spellcheck: false, autocomplete: 'off',
      oninput: () => actions.search(this.search.value),
    });
    this.boxes = {};
    const boxes = Object.keys(GROUPS).map((group) => {
      const box = (this.boxes[group] = h('input', { id: `show-${group}`, type: 'checkbox', onchange: () => actions.toggle(group) }));
      const label = h('label', { className: 'chip' }, box, h('span', {}, t(`group_${group}`)));
      label.dataset.group = group;
      return label;
    });
    this.pause = h('button', { id: 'pause', type: 'button', onclick: () => actions.togglePause() });
    this.clear = h('button', { id: 'clear', type: 'button', onclick: () => actions.clear() }, t('clear'));
    this.count = h('span', { id: 'count', className: 'count' });
    this.waiting = h('p', { id: 'waiting', className: 'waiting', role: 'status' });
    this.toolbar = h('div', { className: 'toolbar' },
      h('div', { className: 'line' }, this.search, this.pause, this.clear),
      h('fieldset', { className: 'chips' }, h('legend', { className: 'unseen' }, t('kinds')), ...boxes));
  }

  _buildHappenings() {
    this.entries = h('ol', { id: 'entries', className: 'entries' });
    this.empty = h('p', { className: 'empty' });
    this.scroll = h('div', { className: 'scroll', tabIndex: 0, role: 'group', 'aria-labelledby': 'happens-title' }, this.empty, this.entries);
    this.happenings = h('section', { id: 'happenings', className: 'card', 'aria-labelledby': 'happens-title' },
      h('div', { className: 'head' }, h('h2', { id: 'happens-title' }, this.t('happens')), this.count),
      this.toolbar, this.waiting, this.scroll);
  }

  _buildOccupied() {
    this.channelList = h('ul', { id: 'channel-list', className: 'channels' });
    this.channelsNote = h('p', { className: 'empty' });
    this.occupied = h('section', { id: 'occupied', className: 'card', 'aria-labelledby': 'occupied-title' },
      h('h2', { id: 'occupied-title' }, this.t('occupied')), this.channelList, this.channelsNote);
  }

  _renderApps({ apps, app }) {
    this.app.replaceChildren(...apps.map(({ id, is_enabled }) => h('option', { value: id }, is_enabled ? id : this.t('disabled', { id }))));
    this.app.value = app;
  }

  _renderConnection({ connection, reason }) {
    this.connection.dataset.state = connection;
    setText(this.connection, reason ? this.t('lostBecause', { reason }) : this.t(connection));
    this.retry.hidden = connection !== 'lost';
    this.numbers.classList.toggle('stale', connection === 'lost');
  }

  _renderPresent(state) {
    const { present } = state;
    for (const name of NUMBERS) setText(this.values[name], this._number(name, present));
    const channels = shownChannels(state);
    keyed(this.channelList, channels, ({ name }) => name, (channel, node) => this._channel(channel, node));
    this.channelsNote.hidden = channels.length > 0 && present.channels <= present.occupied.length;
    setText(this.channelsNote, channels.length ? this.t('firstChannels', { n: present.occupied.length, all: this._format(present.channels) }) : this.t('noChannels'));
  }

  _number(name, present) {
    const text = this._format(present[name]);
    return name === 'subscriptions' && present.is_partial ? this.t('atLeast', { n: text }) : text;
  }

  _format(number) {
    return new Intl.NumberFormat(this.locale).format(number);
  }

  _channel({ name, subscriptions, users }, known) {
    const node = known ?? h('li', {}, h('button', { type: 'button', title: this.t('only', { value: name }), onclick: () => this.actions.search(name) }, name), h('span'));
    const count = users === null ? this.t('subscribers', { n: subscriptions }) : `${this.t('subscribers', { n: subscriptions })} · ${this.t('users', { n: users })}`;
    setText(node.lastChild, count);
    return node;
  }

  _renderToolbar({ paused, held, groups, text }) {
    setText(this.pause, this.t(paused ? 'resume' : 'pause'));
    this.pause.setAttribute('aria-pressed', String(paused));
    for (const [group, box] of Object.entries(this.boxes)) box.checked = groups.includes(group);
    if (this.search.value !== text) this.search.value = text;
    this.waiting.hidden = !paused;
    // Spoken once: a live region that counts would never be silent.
    this.waiting.setAttribute('aria-live', held.length ? 'off' : 'polite');
    setText(this.waiting, paused ? this.t(held.length < ENTRIES ? 'waiting' : 'waitingMany', { n: held.length }) : '');
  }

  _renderEntries(state, before) {
    if (['entries', 'groups', 'text', 'connection'].every((part) => state[part] === before[part])) return;
    const list = shown(state);
    const open = (value) => this.actions.search(value);
    keyed(this.entries, list, ({ id }) => id, (entry, node) => node ?? entryNode(entry, { t: this.t, locale: this.locale, open }));
    this.empty.hidden = list.length > 0;
    setText(this.empty, this.t(state.entries.length ? 'nothingFits' : 'nothing'));
    const all = state.entries.filter(({ kind }) => groupOf(kind) !== 'note').length;
    const n = list.filter(({ kind }) => groupOf(kind) !== 'note').length;
    setText(this.count, all ? this.t('shownOf', { n, all }) : '');
  }
}
