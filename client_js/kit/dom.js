/**
 * Building and patching nodes without innerHTML: what people, clients and back ends send is always text.
 *
 * Knows the DOM. Not: what is shown. The relay's console has a copy, which `make bundle` writes.
 */

/**
 * A node with properties, `aria-…`/`data-…` attributes, `on…` handlers and children.
 * @param {string} tag
 * @param {object} [props]
 * @param {...(Node|string|null|false)} children
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProp(node, name, value);
  node.append(...children.filter((child) => child !== null && child !== false));
  return node;
}

function setProp(node, name, value) {
  if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
  // `list` can only be read.
  else if (name in node && name !== 'list') node[name] = value;
  else if (value !== undefined && value !== false) node.setAttribute(name, value);
}

/** Set text only when it differs: live regions speak at each change. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Say at a field what is wrong with it: in `note`, which has an id. No text: nothing is. */
export function markField(input, note, text) {
  setText(note, text);
  input.setAttribute('aria-invalid', Boolean(text));
  input.setAttribute('aria-describedby', note.id);
}

/**
 * Make the children of `parent` be the nodes of `items`, in order, keeping nodes by key. A node that
 * is moved loses the focus: what may stay stays, and the node with the focus always does.
 *
 * @param {Element} parent has no other children
 * @param {any[]} items
 * @param {(item: any) => string|number} keyOf
 * @param {(item: any, node: Element|undefined) => Element} render makes the node or brings it up to date
 */
export function keyed(parent, items, keyOf, render) {
  const known = parent._nodes;
  parent._nodes = new Map();
  for (const item of items) parent._nodes.set(keyOf(item), render(item, known?.get(keyOf(item))));
  const nodes = new Set(parent._nodes.values());
  for (const node of [...parent.children]) if (!nodes.has(node)) node.remove();
  arrange(parent, nodes);
}

function arrange(parent, nodes) {
  const focused = parent.getRootNode().activeElement;
  let place = parent.firstChild;
  for (const node of nodes) {
    // The others go round the one with the focus.
    while (place && place !== node && node.contains(focused)) {
      const next = place.nextSibling;
      parent.append(place);
      place = next;
    }
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
}

/** Is a scrolled box at (or near) its end? */
export function atEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < 60;
}
