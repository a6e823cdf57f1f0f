/** Where the operator writes: the field with the chat's draft, the tools below it, and the way to send. */

import { h } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { Composer } from '../../conversation/composer.js';
import { isTooLong } from '../../conversation/limits.js';
import { composerTools } from '../slots.js';
import { Icon } from './icon.js';

/** @param {{desk: object, ticketId: number, log: {current: Element}, readOnly: boolean}} props readOnly: to be copied only */
export function Reply({ desk, ticketId, log, readOnly }) {
  const input = useRef(null);
  const composer = useRef(null);
  const error = useSignal(false);
  const noting = readOnly ? null : desk.state.value.noting[ticketId];
  const live = useRef(null);
  live.current = { ticketId, readOnly, noting };
  const send = (event) => {
    event.preventDefault();
    if (live.current.noting) return desk.controller.notes.write(live.current.ticketId, input.current.value);
    if (live.current.readOnly || !desk.controller.send(live.current.ticketId, input.current.value)) return;
    composer.current.clear();
    input.current.focus();
  };
  useLayoutEffect(() => {
    composer.current = new Composer(input.current, {
      log: log.current,
      send,
      changed: (text) => (error.value = isTooLong(text)),
      typed: (text) => text.trim() && !live.current.noting && desk.controller.typing(live.current.ticketId),
    });
    return () => composer.current.stop();
  }, []);
  const written = desk.state.value.drafts[ticketId] ?? 0;
  useLayoutEffect(() => composer.current.open(draftsOf(desk, noting).slot(ticketId)), [ticketId, written, Boolean(noting)]);

  const tooLong = error.value && !readOnly;
  const wrong = tooLong ? 'tooLong' : noting?.error;
  const placeholder = desk.t(noting ? 'noteField' : 'message');
  return h('form', { id: 'reply-form', class: readOnly ? 'read-only' : noting ? 'noting' : '', onSubmit: send },
    h('p', { id: 'reply-error', class: 'error', role: 'alert', hidden: !wrong }, wrong ? desk.t(wrong) : ''),
    h('div', { class: 'field-box' },
      h('textarea', {
        id: 'reply',
        ref: input,
        rows: 2,
        dir: 'auto',
        readOnly,
        placeholder,
        title: desk.t('hint'),
        'aria-label': placeholder,
        'aria-invalid': tooLong,
        'aria-describedby': 'reply-error',
      }),
      !readOnly && h('div', { class: 'tools' },
        composerTools.map(({ key, Tool }) => h(Tool, { key, desk, ticketId, composer: inserter(input, composer) })),
        h('button', { class: 'main send' }, h(Icon, { name: 'send' }), h('span', {}, desk.t(noting ? 'noteSave' : 'send'))))));
}

/** A note that is half-written is no half-written answer. */
function draftsOf({ controller }, noting) {
  return noting ? controller.notes.drafts : controller.chats.drafts;
}

/** What tools may do with the field. */
function inserter(input, composer) {
  return {
    text: () => input.current.value,
    put: (text) => composer.current.put(text),
    /** At the cursor, in place of what is selected. */
    insert(text) {
      input.current.setRangeText(text, input.current.selectionStart, input.current.selectionEnd, 'end');
      composer.current.put(input.current.value);
      input.current.focus();
    },
  };
}
