/** A dialog over the page: takes the focus, gives it back, and is left with Escape or beside the box. Knows no state. */

import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';

/**
 * @param {object} props
 *   open      is it shown
 *   labelId   id of its heading
 *   onEscape  () → back by one step
 *   onLeave   () → it is not wanted any more
 *   onClosed  (from) after it has gone; from: what had the focus before
 */
export function Dialog({ open, id, labelId, onEscape, onLeave, onClosed, children }) {
  const box = useRef(null);
  const from = useRef(null);
  useLayoutEffect(() => {
    if (open && !box.current.open) {
      from.current = document.activeElement;
      box.current.showModal();
    } else if (!open && box.current.open) {
      box.current.close();
      onClosed?.(from.current);
    }
  });
  const cancel = (event) => {
    event.preventDefault();
    onEscape();
  };
  return h('dialog', {
    ref: box,
    id,
    'aria-labelledby': labelId,
    onCancel: cancel,
    // The browser may close it by itself, at a second Escape for example.
    onClose: () => open && !box.current.open && onLeave(),
    onClick: ({ target }) => target === box.current && onLeave(),
  }, open && children);
}
