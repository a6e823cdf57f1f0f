/**
 * While the widget's window covers a phone, the page behind it does not scroll.
 *
 * Knows the page's root and body. Not: when the window does that.
 */

const SIDES = ['overflow-x', 'overflow-y'];

/** What the style attributes said before: [style, name, value, priority]. */
let before = [];

export function lockPage(on) {
  if (on === before.length > 0) return;
  if (on) before = scrolling().flatMap(({ style }) => SIDES.map((side) => hide(style, side)));
  else for (const [style, ...rest] of before.splice(0)) style.setProperty(...rest);
}

function hide(style, side) {
  const said = [style, side, style.getPropertyValue(side), style.getPropertyPriority(side)];
  style.setProperty(side, 'hidden', 'important');
  return said;
}

/** A root that says nothing takes over what its body says; else each of them may scroll by itself. */
function scrolling() {
  const own = [document.documentElement, document.body].filter((node) => getComputedStyle(node).overflowY !== 'visible');
  return own.length ? own : [document.body];
}
