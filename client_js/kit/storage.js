/**
 * The browser's storage that never throws: where it is switched off or full, memory stands in
 * for the life of the page.
 */

/** @param {string} prefix keeps servers (and roles) that share one page's storage apart */
export function openStorage(prefix) {
  const memory = new Map();
  const local = attempt(() => globalThis.localStorage);

  return {
    prefix,
    /** The stored value, or null. */
    get(name) {
      const text = attempt(() => local.getItem(prefix + name)) ?? memory.get(name);
      return attempt(() => JSON.parse(text)) ?? null;
    },
    /** null removes. */
    set(name, value) {
      const text = JSON.stringify(value);
      memory.delete(name);
      if (value === null) return attempt(() => local.removeItem(prefix + name));
      return attempt(() => local.setItem(prefix + name, text) ?? true) ?? memory.set(name, text);
    },
    /** One value as {get, set}. */
    slot(name) {
      return { get: () => this.get(name), set: (value) => this.set(name, value) };
    },
  };
}

/** The same, where a page has to know what its other tabs do. @param {string} prefix */
export function openSharedStorage(prefix) {
  return {
    ...openStorage(prefix),
    /** Call `changed` whenever another tab has written the value. Returns what ends that. */
    watch(name, changed) {
      const hear = ({ key }) => key === prefix + name && changed();
      globalThis.addEventListener?.('storage', hear);
      return () => globalThis.removeEventListener?.('storage', hear);
    },
  };
}

function attempt(act) {
  try {
    return act();
  } catch {
    return undefined;
  }
}
