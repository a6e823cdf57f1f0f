/**
 * Starts the panel on its page: joins controller, view, alerts and the page's own events.
 */

import { PushlerClient } from '../pushler/index.js';
import { openStorage } from '../kit/storage.js';
import { Alerts } from './alerts.js';
import { operatorApi } from './api.js';
import { Controller } from './controller.js';
import { chooseLang, translator } from './i18n.js';
import { Reach } from './reach.js';
import { unreadTotal } from './state.js';
import { View } from './view.js';

/** How often the waiting times in the queue are written anew, milliseconds. */
const CLOCK_MS = 10_000;
/** How often the operator tells that they are here, milliseconds. */
const HEARTBEAT_MS = 20_000;

const storage = openStorage('pushdesk-operator:');
const alerts = new Alerts({ title: 'Pushdesk', onChange: () => view?.renderSound() });
alerts.sound = storage.get('sound') ?? true;
alerts.desktop = storage.get('desktop') ?? false;

let view = null;
let t = null;

const reach = new Reach((isThere) => controller.reached(isThere));
const controller = new Controller({
  api: operatorApi('', reach),
  storage,
  Client: PushlerClient,
  ticker: startTicker,
  render(state) {
    alerts.setCount(unreadTotal(state));
    view?.render(state);
  },
  notify(kind, ticket, watched) {
    const title = { assigned: 'noteAssigned', queued: 'noteQueued', message: 'noteMessage' }[kind];
    alerts.call({
      key: `${kind} ${ticket.event ?? ticket.ticket_id}`,
      watches: watched,
      title: t(title, { name: ticket.visitor_name }),
      body: ticket.message ?? '',
      tag: `ticket-${ticket.ticket_id}`,
      open: () => controller.select(ticket.ticket_id),
    });
  },
  isVisible: () => document.visibilityState === 'visible',
});

showIn(chooseLang(storage.get('lang'), ...navigator.languages));
controller.load();

setInterval(() => view.tick(), CLOCK_MS);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && controller.wake());
addEventListener('online', () => controller.wake());

function showIn(lang) {
  document.documentElement.lang = lang;
  t = translator(lang);
  view?.stop();
  view = new View({ lang, t, actions: controller, alerts, storage, setLang });
  document.body.replaceChildren(view.node);
  view.render(controller.state);
}

function setLang(lang) {
  storage.set('lang', lang);
  showIn(lang);
  view.focusLang();
}

function startTicker(onTick) {
  try {
    const worker = new Worker(workerUrl());
    worker.onmessage = () => onTick();
    return () => worker.terminate();
  } catch {
    const timer = setInterval(onTick, HEARTBEAT_MS);
    return () => clearInterval(timer);
  }
}

/** Under require-trusted-types-for a worker's address must come from a policy. */
function workerUrl() {
  const url = new URL('./ticker.js', import.meta.url).href;
  const policy = globalThis.trustedTypes?.createPolicy('pushdesk-ticker', { createScriptURL: () => url });
  return policy ? policy.createScriptURL('') : url;
}
