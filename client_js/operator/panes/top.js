/** The top bar in one line: the connection, my state, and the menu with what is seldom changed. Knows no network. */

import { h } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { texts } from '../i18n.js';
import { Field, Select, Switch } from '../parts/controls.js';
import { Avatar } from '../parts/avatar.js';
import { Icon } from '../parts/icon.js';
import { menuItems, topItems } from '../slots.js';

const STATUSES = ['online', 'away', 'offline'];
const THEMES = ['system', 'light', 'dark'];
const MAX_LIMIT = 100;

export function Top({ desk }) {
  return h('header', { class: 'top' },
    h('h1', {}, h('span', { class: 'mark', 'aria-hidden': 'true' }, 'P'), h('span', { class: 'product' }, desk.t('product'))),
    h(Connection, { desk }),
    h(SoundLocked, { desk }),
    h('div', { class: 'top-items' },
      topItems.map(({ key, Item }) => h(Item, { key, desk })),
      h(MyStatus, { desk }),
      h(Menu, { desk })));
}

/** The choice of the language. */
export function LangSelect({ desk }) {
  return h(Select, {
    class: 'lang',
    'aria-label': desk.t('language'),
    value: desk.lang.value,
    options: Object.keys(texts).map((lang) => [lang, texts[lang].languageName]),
    onChange: (lang) => desk.setLang(lang),
  });
}

function Connection({ desk }) {
  const { connection, unheard } = desk.state.value;
  const shown = connection === 'connected' && unheard ? 'unheard' : connection;
  return h('span', { id: 'connection', class: 'connection', role: 'status', 'data-state': shown }, h('span', {}, desk.t(shown)));
}

/** The browser lets no page sound before a click on it. */
function SoundLocked({ desk }) {
  if (!desk.soundLocked.value) return null;
  return h('button', { id: 'sound-locked', type: 'button', class: 'hint', title: desk.t('soundLocked'), onClick: () => desk.alerts.unlockSound() },
    h('span', {}, desk.t('soundLocked')));
}

function MyStatus({ desk }) {
  const { status } = desk.state.value;
  return h('span', { class: 'my-status', 'data-status': status },
    h(Select, {
      id: 'my-status',
      'aria-label': desk.t('status'),
      value: status,
      options: STATUSES.map((each) => [each, desk.t(each)]),
      onChange: (each) => desk.controller.setStatus(each),
    }));
}

function Menu({ desk }) {
  const box = useRef(null);
  const open = desk.shown.value === 'menu';
  const leave = () => desk.shown.value === 'menu' && (desk.shown.value = null);
  useEffect(() => {
    const outside = ({ target }) => box.current?.contains(target) || leave();
    if (open) addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [open]);
  const escape = (event) => {
    if (event.key !== 'Escape' || !open) return;
    event.stopPropagation();
    leave();
    box.current.querySelector('#menu').focus();
  };
  const away = ({ currentTarget, relatedTarget }) => relatedTarget && !currentTarget.contains(relatedTarget) && leave();
  const { me } = desk.state.value;
  return h('div', { class: 'menu', ref: box, onKeyDown: escape, onFocusOut: away },
    h('button', {
      id: 'menu',
      type: 'button',
      class: 'quiet',
      'aria-expanded': open,
      'aria-controls': 'menu-box',
      'aria-label': desk.t('menuOf', { name: me.name }),
      onClick: () => (desk.shown.value = open ? null : 'menu'),
    }, h(Avatar, { name: me.name, of: me.operator_id, small: true }), h(Icon, { name: 'more' })),
    h('div', { id: 'menu-box', hidden: !open }, open && h(MenuBox, { desk })));
}

function MenuBox({ desk }) {
  const { me } = desk.state.value;
  return [
    h('p', { class: 'who' }, h('strong', { dir: 'auto' }, me.name), h('span', {}, me.email)),
    h(Field, { label: desk.t('limit') }, h(Limit, { desk })),
    h(AlertSwitch, { desk, name: 'sound' }),
    h(AlertSwitch, { desk, name: 'desktop' }),
    h(Field, { label: desk.t('language') }, h(LangSelect, { desk })),
    h(Field, { label: desk.t('theme') }, h(Select, {
      id: 'theme',
      value: desk.theme.value,
      options: THEMES.map((each) => [each, desk.t(`theme_${each}`)]),
      onChange: (theme) => desk.setTheme(theme),
    })),
    h('div', { class: 'menu-acts' },
      h('button', { id: 'keys', type: 'button', class: 'quiet', onClick: () => (desk.shown.value = 'help') }, desk.t('keys'), h('kbd', {}, '?')),
      menuItems.map(({ key, Item }) => h(Item, { key, desk })),
      h('button', { id: 'logout', type: 'button', class: 'quiet', onClick: () => desk.logout() }, desk.t('logout'))),
  ];
}

function Limit({ desk }) {
  const { maxTickets } = desk.state.value;
  const change = ({ currentTarget: input }) => {
    const limit = Math.round(Number(input.value));
    if (input.value !== '' && limit >= 0 && limit <= MAX_LIMIT) desk.controller.setLimit(limit);
    else input.value = maxTickets;
  };
  return h('input', { id: 'my-limit', type: 'number', min: 0, max: MAX_LIMIT, value: maxTickets ?? '', onChange: change });
}

/** @param {{name: 'sound'|'desktop'}} props of what alerts.js can do */
function AlertSwitch({ desk, name }) {
  const { alerts, storage } = desk;
  const change = async (on, box) => {
    if (name === 'desktop' && on) box.checked = await alerts.askForDesktop();
    alerts[name] = box.checked;
    storage.set(name, box.checked);
    desk.soundLocked.value = alerts.soundLocked;
  };
  return h(Switch, { id: `switch-${name}`, label: desk.t(name), on: alerts[name], onChange: change });
}
