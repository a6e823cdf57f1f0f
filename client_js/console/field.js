/**
 * A field with its label, for the two forms.
 */

import { h } from 'preact';

/** @param {{label: string, note?: object}} props; its children are the field; `note` stands beside the label */
export function Field({ label, note, children }) {
  return h('label', { class: 'field' }, h('span', {}, label, note), children);
}

/** Of fields that hold code: no help with their spelling, no guesses. */
export const EXACT = { spellcheck: false, autocomplete: 'off' };
