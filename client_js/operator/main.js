/**
 * Starts the panel on its page: joins controller, desk, components and alerts.
 *
 * How the panel is made
 *   controller.js, state.js, chats.js, hand_over.js …  what happens; pure or without a page, tested by Node
 *   desk.js      the state as signals, what only the page knows, and what components may do
 *   app.js       which pane is shown, keys everywhere;  panes/  one file per pane;  parts/  what several panes have
 *   slots.js     what the panes are put together from;  words/  all texts;  styles/  by subject
 *
 * How a part is added
 *   1. What it knows of the desk's API: a call in api.js; what it keeps: a field of state.js with an action, or, where no other
 *      part needs it, a signal of its own. The call belongs into controller.js or a file beside it, not into a component.
 *   2. Its component, in panes/ or parts/: a function of {desk, …} that returns `h(…)`. It reads signals (`desk.state.value`,
 *      `desk.ticket.value`), so it is drawn anew when they change. What people wrote is a child, never markup. Words by
 *      `desk.t('key')`, in words/en.js and words/ru.js. A style in styles/, with the tokens of tokens.css; no style attribute: the
 *      page's policy forbids it.
 *   3. One line in slots.js, which says what each slot gives: a section of the visitor's pane, a kind of message, a tool below
 *      the field, a list, an item of the top bar or of the menu, a pane of its own with an address.
 *   4. A key: a line in COMMANDS of keys.js and what it does in app.js; the help sheet shows it by itself.
 */

import { h, render } from 'preact';
import { openSharedStorage } from '../kit/storage.js';
import { PushlerClient } from '../pushler/index.js';
import { Alerts } from './alerts.js';
import { operatorApi } from './api.js';
import { App, listenToKeys } from './app.js';
import { Controller } from './controller.js';
import { Desk } from './desk.js';
import { Reach } from './reach.js';

/** How often the operator tells that they are here, milliseconds. */
const HEARTBEAT_MS = 20_000;

const storage = openSharedStorage('pushdesk-operator:');
const alerts = new Alerts({ title: 'Pushdesk', onChange: () => desk && (desk.soundLocked.value = alerts.soundLocked) });
alerts.sound = storage.get('sound') ?? true;
alerts.desktop = storage.get('desktop') ?? false;

let desk = null;

const reach = new Reach((isThere) => controller.reached(isThere));
const controller = new Controller({
  api: operatorApi('', reach),
  storage,
  Client: PushlerClient,
  ticker: startTicker,
  render: (state) => desk?.render(state),
  notify(kind, ticket, watched) {
    const title = { assigned: 'noteAssigned', queued: 'noteQueued', message: 'noteMessage' }[kind];
    alerts.call({
      key: `${kind} ${ticket.event ?? ticket.ticket_id}`,
      watches: watched,
      title: desk.t(title, { name: ticket.visitor_name }),
      body: ticket.message ?? '',
      tag: `ticket-${ticket.ticket_id}`,
      open: () => desk.select(ticket.ticket_id),
    });
  },
  isVisible: () => document.visibilityState === 'visible',
});

desk = new Desk({ controller, alerts, storage });
document.body.replaceChildren();
render(h(App, { desk }), document.body);
listenToKeys(desk);
controller.load();

document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && controller.wake());
addEventListener('pagehide', () => controller.closing.finishAll());
addEventListener('online', () => controller.wake());

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
