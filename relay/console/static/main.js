/**
 * Starts the console on its page: joins feed, state, view and the page's own events.
 */

import { Feed, reasonOf } from './feed.js';
import { chooseLang, translator } from './i18n.js';
import { add, choose, clear, initial, pause, resume, toggleGroup } from './state.js';
import { View } from './view.js';

/** How long to wait before the list of apps is asked for again, milliseconds. */
const RETRY_MS = 3000;

let state = initial();
let view = null;
let isDue = false;

const feed = new Feed({
  on: {
    open: () => update({ ...state, connection: 'live', reason: '' }),
    state: (present) => update({ ...state, present }),
    happened: (entry) => update(add(state, entry)),
    missed: ({ count }) => update(add(state, { kind: 'missed', at: Date.now(), count })),
    lost: (reason) => {
      const noted = state.connection === 'live' ? add(state, { kind: 'gap', at: Date.now() }) : state;
      update({ ...noted, connection: 'lost', reason });
    },
  },
});

const actions = {
  choose(app) {
    remember('app', app);
    update({ ...choose(state, app), connection: 'connecting', reason: '' });
    feed.open(app);
  },
  search: (text) => update({ ...state, text }),
  toggle: (group) => update(toggleGroup(state, group)),
  togglePause: () => update(state.paused ? resume(state) : pause(state)),
  clear: () => update(clear(state)),
  hurry: () => (state.app ? feed.hurry() : load()),
  send,
  setLang(lang) {
    remember('lang', lang);
    showIn(lang);
  },
};

showIn(chooseLang(remembered('lang'), ...navigator.languages));
load();
addEventListener('online', () => actions.hurry());

/** The apps; then the feed of the one that was watched last. */
async function load() {
  try {
    const response = await fetch('/apps');
    if (!response.ok) throw new Error(await reasonOf(response));
    const { apps, relay } = await response.json();
    update({ ...state, apps, relay });
    const before = remembered('app');
    actions.choose(apps.some(({ id }) => id === before) ? before : apps[0].id);
  } catch (error) {
    // fetch's own failures are TypeErrors, in words that are not for people.
    update({ ...state, connection: 'lost', reason: error instanceof TypeError ? '' : error.message });
    setTimeout(() => state.app || load(), RETRY_MS);
  }
}

/** Send a test event: null when it was sent, else the reason, '' when nobody answered. */
async function send(body) {
  try {
    const response = await fetch(`/events?app=${encodeURIComponent(state.app)}`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    return response.ok ? null : await reasonOf(response);
  } catch {
    return '';
  }
}

function update(next) {
  state = next;
  if (isDue) return;
  isDue = true;
  // However much happens, it is drawn once a frame.
  requestAnimationFrame(() => {
    isDue = false;
    view.render(state);
  });
}

function showIn(lang) {
  const written = new Map([...document.querySelectorAll('input[id], textarea[id], select[id]')].map((field) => [field.id, field]));
  const focused = document.activeElement?.id;
  const t = translator(lang);
  document.documentElement.lang = lang;
  document.title = t('title');
  const locale = navigator.languages.find((wish) => RegExp(`^${lang}(-[a-z\\d]+)*$`, 'i').test(wish)) ?? lang;
  view = new View({ lang, locale, t, actions });
  document.body.replaceChildren(...view.nodes);
  for (const [id, field] of written) {
    const now = document.getElementById(id);
    if (id.startsWith('test-') || id.startsWith('snippet-')) Object.assign(now, field.type === 'checkbox' ? { checked: field.checked } : { value: field.value });
  }
  view.render(state);
  if (focused) document.getElementById(focused)?.focus();
}

/** The browser may refuse to store: then nothing is remembered. */
function remember(name, value) {
  try {
    localStorage.setItem(`relay-console:${name}`, value);
  } catch {
    // As said.
  }
}

function remembered(name) {
  try {
    return localStorage.getItem(`relay-console:${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}
