/** Buttons and fields that several panes have. Know no state. */

import { h } from 'preact';
import { Icon } from './icon.js';

/** A labelled field. @param {{label: string, children: any}} props */
export function Field({ label, children }) {
  return h('label', { class: 'field' }, h('span', {}, label), children);
}

/** A choice. @param {{value: string, options: [string, string][], onChange: (value: string) => void}} props options: [value, label] */
export function Select({ value, options, onChange, ...more }) {
  return h('select', { ...more, value, onChange: (event) => onChange(event.currentTarget.value) },
    options.map(([each, label]) => h('option', { key: each, value: each, selected: each === value }, label)));
}

/** Something that is on or off. @param {{id: string, label: string, on: boolean, onChange: (on: boolean) => void}} props */
export function Switch({ id, label, on, onChange }) {
  return h('label', { class: 'switch' },
    h('span', {}, label), h('input', { id, type: 'checkbox', checked: on, onChange: (event) => onChange(event.currentTarget.checked, event.currentTarget) }));
}

/** A button that is a sign. @param {{icon: string, label: string}} props label: what it does, in words; `text`: shown beside the sign where there is room */
export function IconButton({ icon, label, text, class: more = '', children, ...rest }) {
  return h('button', { type: 'button', class: `quiet act ${more}`, title: label, 'aria-label': label, ...rest },
    h(Icon, { name: icon }), text && h('span', { class: 'label' }, text), children);
}

/** A count that catches the eye; who listens has it in words elsewhere. */
export function Badge({ count }) {
  return count ? h('span', { class: 'badge', 'aria-hidden': 'true' }, String(count)) : null;
}
