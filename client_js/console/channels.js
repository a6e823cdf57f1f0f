/**
 * The occupied channels; each searches for what happened to it.
 */

import { h } from 'preact';

export function Channels({ model }) {
  const channels = model.channels.value;
  const { channels: all, occupied } = model.present.value;
  const note = channels.length ? model.t('firstChannels', { n: occupied.length, all: model.format(all) }) : model.t('noChannels');
  return h('section', { id: 'occupied', class: 'card', 'aria-labelledby': 'occupied-title' },
    h('h2', { id: 'occupied-title' }, model.t('occupied')),
    h('ul', { id: 'channel-list', class: 'channels' }, channels.map((channel) => h(Channel, { key: channel.name, channel, model }))),
    h('p', { class: 'empty', hidden: channels.length > 0 && all <= occupied.length }, note));
}

function Channel({ channel: { name, subscriptions, users }, model }) {
  const counts = [model.t('subscribers', { n: subscriptions }), users !== null && model.t('users', { n: users })];
  return h('li', {},
    h('button', { type: 'button', title: model.t('only', { value: name }), onClick: () => model.search(name) }, name),
    h('span', {}, counts.filter(Boolean).join(' · ')));
}
