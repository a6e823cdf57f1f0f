/**
 * Puts the widget on a page: reads the script tag, joins view and controller, listens to the page.
 */

import { PushlerClient } from '../pushler/index.js';
import { openStorage } from '../shared/storage.js';
import { visitorApi } from './api.js';
import { Controller } from './controller.js';
import { chooseLang, translator } from './i18n.js';
import { View } from './view.js';

/**
 * @param {object} options
 *   base  origin of the support API
 *   lang  wished language; else the page's, else the browser's
 *   css   text of widget.css; without it the file is linked from `base`
 */
export function mount({ base, lang: wish, css }) {
  const lang = chooseLang(wish, document.documentElement.lang, ...navigator.languages);
  const storage = openStorage(`pushdesk:${base}:`);
  let view = null;
  const controller = new Controller({
    api: visitorApi(base, storage.slot('token')),
    storage,
    Client: PushlerClient,
    render: (state) => view?.render(state),
    isVisible: () => document.visibilityState === 'visible',
  });
  view = new View({ lang, t: translator(lang), css, cssUrl: `${base}/client_js/widget.css`, actions: controller });
  view.fill(controller.draft);
  view.render(controller.state);
  document.body.append(view.host);
  listen(controller, storage);
  controller.load();
  return controller;
}

function listen(controller, storage) {
  const wake = () => controller.wake();
  document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake());
  addEventListener('online', wake);
  addEventListener('pageshow', (event) => event.persisted && wake());
  addEventListener('storage', (event) => event.key === `${storage.prefix}ticket` && controller.storageChanged());
}
