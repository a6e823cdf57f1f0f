/**
 * Keeps the widget's node in the page, whatever the page does to its body: client-side navigation
 * and morphing throw out what they do not know.
 *
 * Knows the page's outermost nodes. Not: what the node shows.
 */

/**
 * @param {Element} node has an id
 * @param {() => void} returned is called when the node stands in the page again: focus and scroll positions are gone then
 * @returns {() => void} ends it and takes the node out
 */
export function keepInPage(node, returned) {
  let frame = null;
  const isInPlace = () => node.parentNode === document.body && document.getElementById(node.id) === node;
  const observer = new MutationObserver(() => {
    // Not at once: a script that takes it out each time it sees it must not hold up the page. But before anybody sees it.
    if (!isInPlace()) frame ??= requestAnimationFrame(look);
  });

  function look() {
    frame = null;
    removeCopies(node);
    if (document.body && node.parentNode !== document.body) {
      document.body.append(node);
      returned();
    }
    // Children only, not what is below: a page may change as much as it likes.
    for (const parent of [document, document.documentElement, document.body]) {
      if (parent) observer.observe(parent, { childList: true });
    }
  }

  look();
  return () => {
    observer.disconnect();
    cancelAnimationFrame(frame);
    node.remove();
  };
}

/** Pages that were kept as markup come back with a copy of the node, which is dead. */
function removeCopies(node) {
  let found;
  while ((found = document.getElementById(node.id)) && found !== node) found.remove();
}
