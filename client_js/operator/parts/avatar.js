/** Initials on a colour that stays the same for the same person. Knows no state. */

import { h } from 'preact';
import { hueOf, initialsOf } from '../people.js';

/** @param {{name: string, of: string|number, small?: boolean}} props of: what tells people with one name apart */
export function Avatar({ name, of, small = false }) {
  return h('span', { class: `avatar hue-${hueOf(of ?? name)}${small ? ' small' : ''}`, 'aria-hidden': 'true' }, initialsOf(name));
}
