/**
 * What a waiting chat says before somebody takes it. Its channel is for those who take part, so the history is read again while
 * it is looked at. Knows no page.
 */

import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { LOOK } from './desk.js';

/** The messages of the open chat while it waits and is only looked at; null until they are here. */
export function useLook(desk, { ticket_id: id }, mode) {
  const seen = useSignal({ id, messages: null });
  // Drawn anew with the slow clock.
  const tick = mode === LOOK ? desk.now.value : 0;
  useEffect(() => {
    if (mode === LOOK) read(desk, id, seen);
  }, [id, mode, tick]);
  return seen.value.id === id ? seen.value.messages : null;
}

async function read(desk, id, seen) {
  const after = seen.value.id === id ? (seen.value.messages?.at(-1)?.seq ?? 0) : 0;
  // Taken by somebody else, or no answer: the list says so, or the next reading brings it.
  const answer = await desk.controller.api.history(id, after).catch(() => null);
  if (!answer || desk.current.value !== id) return;
  const known = seen.value.id === id ? (seen.value.messages ?? []) : [];
  seen.value = { id, messages: [...known, ...answer.messages.filter(({ seq }) => seq > (known.at(-1)?.seq ?? 0))] };
}
