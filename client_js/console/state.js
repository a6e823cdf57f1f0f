/**
 * What the page knows, as one frozen value, and how it changes. Pure: no DOM, no network, no clock.
 */

/** Entries that are kept, the newest first; and that wait while the list is paused. */
export const ENTRIES = 1000;

/** Kinds of entries, in the groups that can be switched off. Notes of the page itself are always shown. */
export const GROUPS = {
  connections: ['connected', 'disconnected'],
  subscriptions: ['subscribed', 'unsubscribed'],
  users: ['signed_in'],
  events: ['published'],
  client: ['client_event'],
  errors: ['connection_refused', 'subscription_refused', 'message_refused', 'request_refused', 'webhook_failed'],
};

const GROUP_OF = Object.fromEntries(Object.entries(GROUPS).flatMap(([group, kinds]) => kinds.map((kind) => [kind, group])));

/** The group of a kind; 'note' for what is none of the relay's. */
export const groupOf = (kind) => GROUP_OF[kind] ?? 'note';

/** Fields that a search looks into. */
const SEARCHED = ['channel', 'event', 'socket_id', 'user_id', 'data', 'reason', 'path', 'url', 'address', 'origin', 'exclude'];

const NOTHING = { connections: 0, channels: 0, subscriptions: 0, is_partial: false, published: 0, client_events: 0, occupied: [] };

export function initial() {
  return {
    apps: [], app: '', relay: null,
    connection: 'connecting', reason: '',
    present: NOTHING, entries: [], held: [], paused: false,
    groups: [...Object.keys(GROUPS)], text: '', next: 1,
  };
}

/** One more entry; while paused it waits. */
export function add(state, entry) {
  const list = state.paused ? 'held' : 'entries';
  return { ...state, next: state.next + 1, [list]: [{ ...entry, id: state.next }, ...state[list]].slice(0, ENTRIES) };
}

export function pause(state) {
  return { ...state, paused: true };
}

export function resume(state) {
  return { ...state, paused: false, held: [], entries: [...state.held, ...state.entries].slice(0, ENTRIES) };
}

/** Forget what happened. */
export function clear(state) {
  return { ...state, entries: [], held: [] };
}

/** Watch another app: nothing of the earlier one stays. */
export function choose(state, app) {
  return { ...clear(state), app, present: NOTHING };
}

export function toggleGroup(state, group) {
  const without = state.groups.filter((one) => one !== group);
  return { ...state, groups: without.length < state.groups.length ? without : [...without, group] };
}

/** The entries that the filter lets through. */
export function shown(state) {
  const groups = new Set([...state.groups, 'note']);
  const text = state.text.trim().toLowerCase();
  return state.entries.filter((entry) => groups.has(groupOf(entry.kind)) && (!text || holds(entry, text)));
}

/** The occupied channels that the filter's text lets through. */
export function shownChannels(state) {
  const text = state.text.trim().toLowerCase();
  const found = state.present.occupied.filter(({ name }) => name.toLowerCase().includes(text));
  // Something else is searched for: a socket id, a word of the data.
  return found.length ? found : state.present.occupied;
}

function holds(entry, text) {
  return groupOf(entry.kind) === 'note' || SEARCHED.some((field) => entry[field]?.toLowerCase().includes(text));
}
