/** Signs as outlines, drawn in the colour of their text. Knows no state. */

import { h } from 'preact';

const PATHS = {
  back: 'M15 5l-7 7 7 7',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  details: 'M4 5h16v14H4zM14.5 5v14',
  down: 'M12 5v14M6 13l6 6 6-6',
  emoji: 'M12 21a9 9 0 100-18 9 9 0 000 18zM8.5 14.5c1.8 2.2 5.2 2.2 7 0M9 9.5v.5M15 9.5v.5',
  menu: 'M5 7h14M5 12h14M5 17h14',
  more: 'M7 10l5 5 5-5',
  note: 'M5 4h14v10l-6 6H5zM13 20v-6h6',
  send: 'M4.5 12L20 4.5 15.5 20l-3.6-6.6zM20 4.5l-8.1 8.9',
  transfer: 'M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4',
};

/** @param {{name: string}} props key of PATHS; for the eyes only: its button has a name */
export function Icon({ name }) {
  return h('svg', { class: 'icon', viewBox: '0 0 24 24', 'aria-hidden': 'true' }, h('path', { d: PATHS[name] }));
}
