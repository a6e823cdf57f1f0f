/**
 * How messages stand below each other: in groups of what one person said at a stretch, with a line at each new day.
 *
 * Pure. Knows a message's fields. Not: how it is drawn.
 */

/** A longer pause begins a new group, milliseconds. */
export const PAUSE_MS = 5 * 60_000;

/**
 * @param {object[]} messages as they are seen, stored and pending ones
 * @param {string} me sender of the pending ones, and of those with this `sender_id`
 * @param {number|null} newFrom seq of the message before which a line says that what follows is new; not before the very first
 * @returns {({day: Date} | {fresh: true} | {message: object, first: boolean, last: boolean})[]} first, last: of its group
 */
export function grouped(messages, me, newFrom = null) {
  const isNew = (message) => newFrom !== null && message.seq === newFrom && message !== messages[0];
  const together = (one, next) => Boolean(one && next) && !isNew(next) && isTogether(one, next, me);
  const entries = [];
  messages.forEach((message, index) => {
    const [before, after] = [messages[index - 1], messages[index + 1]];
    if (!before || dayOf(before) !== dayOf(message)) entries.push({ day: new Date(message.created_at) });
    if (isNew(message)) entries.push({ fresh: true });
    entries.push({ message, first: !together(before, message), last: !together(message, after) });
  });
  return entries;
}

/**
 * Messages with the notes of operators among them, each behind the message that it was written after.
 * @param {object[]} notes of the API, by id
 */
export function withNotes(messages, notes) {
  const rest = notes.map((note) => ({ ...note, id: `note ${note.id}`, sender_type: 'note', sender_id: String(note.operator_id), sender_name: note.operator_name }));
  const before = (seq) => rest.splice(0, rest.findLastIndex(({ after_seq: after }) => seq === undefined || after < seq) + 1);
  return [...messages.flatMap((message) => [...before(message.seq), message]), ...rest];
}

function isTogether(one, next, me) {
  if (one.sender_type === 'system' || speakerOf(one, me) !== speakerOf(next, me) || dayOf(one) !== dayOf(next)) return false;
  return Date.parse(next.created_at) - Date.parse(one.created_at) < PAUSE_MS;
}

function speakerOf({ id, sender_type: type, sender_id: sender }, me) {
  if (!id) return `operator ${me}`;
  return type === 'visitor' ? type : `${type} ${sender}`;
}

function dayOf({ created_at: time }) {
  return new Date(time).toDateString();
}
