/**
 * Building and patching nodes without innerHTML: what clients and back ends send is always text.
 *
 * Knows the DOM. Not: what is shown.
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
  else if (name in node && name !== 'list') node[name] = value;
  else if (value !== undefined && value !== false) node.setAttribute(name, value);
}

/** Set text only when it differs: live regions speak at each change. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Make the children of `parent` be the nodes of `items`, in order, keeping nodes by key.
 *
 * @param {Element} parent
 * @param {any[]} items
 * @param {(item: any) => string|number} keyOf
 * @param {(item: any, node: Element|undefined) => Element} render makes the node or brings it up to date
 */
export function keyed(parent, items, keyOf, render) {
  const known = (parent._nodes ??= new Map());
  const next = new Map();
  // First: what is left then stands in its order, and new nodes go between.
  const keys = new Set(items.map(keyOf));
  for (const [key, node] of known) if (!keys.has(key)) node.remove();
  let place = parent.firstChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = render(item, known.get(key));
    next.set(key, node);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  parent._nodes = next;
}
