/**
 * What the panel is put together from. A new part is a file of its own and one line here; main.js says how.
 */

import { Emoji } from './parts/emoji.js';
import { GroupMark } from './parts/group_mark.js';
import { TransferNote } from './parts/transfer_note.js';
import { NoteSwitch } from './parts/note_switch.js';
import { Archive, Results, SearchField } from './panes/archive.js';
import { Earlier } from './panes/earlier.js';
import { Inbox } from './panes/inbox.js';
import { Contact, Facts } from './panes/visitor_sections.js';

/**
 * Panes that take the place of the three columns: {key, word, Pane({desk, rest})}. Their address is `#/KEY/…`, `rest` what
 * follows; desk.go(panePath(KEY, …)) leads there.
 */
export const panes = [];

/** Lists of the first column: {key, word, List({desk})}; with more than one they are chosen by tabs. `word`: key of a text. */
export const lists = [
  { key: 'inbox', word: 'inbox', List: Inbox },
  { key: 'archive', word: 'archive', List: Archive },
  { key: 'results', word: 'results', List: Results },
];

/** Sections of the visitor's pane: {key, Section({desk, ticket, thread})}; one that has nothing to show draws null. */
export const visitorSections = [
  { key: 'contact', Section: Contact },
  { key: 'facts', Section: Facts },
  { key: 'earlier', Section: Earlier },
];

/** In the head of the open chat: {key, Action({desk, ticket, mode})}; mode: TALK, LOOK, ENDED or KEPT of desk.js. */
export const chatActions = [];

/** Below the head of the open chat, over its whole width: {key, Line({desk, ticket, thread, mode})}; null where there is nothing. */
export const chatLines = [{ key: 'handed', Line: TransferNote }];

/** In a row of the lists, beside the count: {key, Mark({desk, ticket})}. */
export const rowMarks = [{ key: 'group', Mark: GroupMark }];

/** What stands in a message's place, the first that fits: {key, fits(message), Body({desk, message})}. Else its text. */
export const messageKinds = [];

/** Below the field where one writes: {key, Tool({desk, ticketId, composer})}; composer.insert(text) writes at the cursor. */
export const composerTools = [{ key: 'emoji', Tool: Emoji }, { key: 'note', Tool: NoteSwitch }];

/** In the top bar before my status: {key, Item({desk})}. */
export const topItems = [{ key: 'search', Item: SearchField }];

/** In the menu, before the log-out: {key, Item({desk})}. */
export const menuItems = [];
