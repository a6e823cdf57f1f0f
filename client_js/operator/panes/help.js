/** The sheet of keys. */

import { h } from 'preact';
import { COMMANDS, FIXED, keyLabel, withAlt } from '../keys.js';
import { IconButton, Switch } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';

export function Help({ desk }) {
  const leave = () => (desk.shown.value = null);
  return h(Dialog, { id: 'help', labelId: 'help-title', open: desk.shown.value === 'help', onEscape: leave, onLeave: leave },
    h('div', { class: 'help-top' },
      h('h2', { id: 'help-title', tabIndex: -1, autofocus: true }, desk.t('keys')),
      h(IconButton, { id: 'help-close', icon: 'close', label: desk.t('helpClose'), onClick: leave })),
    h('dl', { class: 'keys' },
      FIXED.map(({ keys, word }) => h(Line, { key: word, text: desk.t(word), ways: [keys] })),
      COMMANDS.map((command) => h(Line, { key: command.word, text: desk.t(command.word), ways: waysOf(desk, command) }))),
    h(Switch, { id: 'letters', label: desk.t('letters'), on: desk.letters.value, onChange: (on) => desk.setLetters(on) }));
}

function waysOf(desk, command) {
  const alt = withAlt(desk.mac).includes(command) && ['Alt', keyLabel(command.alt)];
  return [desk.letters.value && [keyLabel(command.alone)], alt].filter(Boolean);
}

function Line({ text, ways }) {
  return h('div', {}, h('dt', {}, text),
    h('dd', {}, ways.map((keys) => h('span', { key: keys.join('+') }, keys.map((each) => h('kbd', { key: each }, each))))));
}
