/**
 * Puts the widget on a page, once, and takes it off again: joins view and controller, listens to the page.
 */

// First: what is compressed is smaller when the words come before what uses them.
import { chooseLang, translator } from './i18n.js';
import { PushlerClient } from '../pushler/index.js';
import { openStorage } from '../kit/storage.js';
import { visitorApi } from './api.js';
import { Controller } from './controller.js';
import { keepInPage } from './place.js';
import { View } from './view.js';

/**
 * @param {object} options
 *   base  origin of the support API
 *   lang  wished language; else the page's, else the browser's
 *   group number of the group of operators that the page's chats are for; without it they are for all
 *   css   text of widget.css; without it the file is linked from `base`
 * @returns {{mount(options?: object): void, destroy(): void}} the page's one widget, `window.Pushdesk`. Where it is there
 *   already nothing happens, except that it changes its language if the page or the tag wants another one now.
 *   `destroy` ends all of it: node, listeners, timers, connection. Chat and drafts stay in the browser for the next `mount`.
 */
export function mount(options) {
  // A page may carry the tag twice, or run it again after a client-side navigation.
  const widget = (globalThis.Pushdesk ??= onePerPage(options));
  widget.mount(options);
  return widget;
}

function onePerPage(first) {
  let shown = null;
  const destroy = () => {
    shown?.end();
    shown = null;
  };
  return {
    destroy,
    mount(options = first) {
      const lang = chooseLang(options.lang, document.documentElement.lang, ...navigator.languages);
      if (shown?.lang === lang) return;
      const wasOpen = shown?.controller.state.open;
      destroy();
      shown = show({ ...options, lang });
      if (wasOpen) shown.controller.open();
    },
  };
}

function show({ base, lang, group, css }) {
  const storage = openStorage(`pushdesk:${base}:`);
  const ended = new AbortController();
  let view = null;
  const isVisible = () => document.visibilityState === 'visible' && isOnPage(view.host);
  const controller = new Controller({
    api: visitorApi(base, storage.slot('token')),
    storage,
    group,
    Client: PushlerClient,
    render: (state) => view?.render(state),
    isVisible,
    isSeen: () => isVisible() && !view._scrolled,
    alone: (act) => alone(`${storage.prefix}start`, act),
  });
  view = new View({ lang, t: translator(lang), css, cssUrl: `${base}/client_js/widget.css`, actions: controller, ended: ended.signal });
  view.fill(controller.draft);
  view.render(controller.state);
  const takeOut = keepInPage(view.host, () => {
    view.returned();
    controller.seen();
  });
  listen(controller, storage, ended.signal);
  controller.load();
  const end = () => {
    ended.abort();
    controller.destroy();
    takeOut();
  };
  return { lang, controller, end };
}

/** Not taken out, and not hidden by the page. */
function isOnPage(node) {
  return node.isConnected && (node.checkVisibility?.() ?? true);
}

function listen(controller, storage, signal) {
  const on = (target, type, act) => target.addEventListener(type, act, { signal });
  const wake = () => controller.wake();
  on(document, 'visibilitychange', () => document.visibilityState === 'visible' && wake());
  on(globalThis, 'online', wake);
  on(globalThis, 'pageshow', (event) => event.persisted && wake());
  on(globalThis, 'storage', (event) => event.key === `${storage.prefix}ticket` && controller.storageChanged());
}

/** Do it while no other tab of this browser does. Pages without https have no locks: there it is done at once. */
async function alone(name, act) {
  let result = null;
  const begin = () => (result ??= act());
  await navigator.locks?.request(name, begin).catch(() => {});
  return begin();
}
