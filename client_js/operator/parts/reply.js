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
  const live = useRef(null);
  live.current = { ticketId, readOnly };
  const send = (event) => {
    event.preventDefault();
    if (live.current.readOnly || !desk.controller.send(live.current.ticketId, input.current.value)) return;
    composer.current.clear();
    input.current.focus();
  };
  useLayoutEffect(() => {
    composer.current = new Composer(input.current, {
      log: log.current,
      send,
      changed: (text) => (error.value = isTooLong(text)),
      typed: (text) => text.trim() && desk.controller.typing(live.current.ticketId),
    });
    return () => composer.current.stop();
  }, []);
  const written = desk.state.value.drafts[ticketId] ?? 0;
  useLayoutEffect(() => composer.current.open(desk.controller.chats.drafts.slot(ticketId)), [ticketId, written]);

  const tooLong = error.value && !readOnly;
  return h('form', { id: 'reply-form', class: readOnly ? 'read-only' : '', onSubmit: send },
    h('p', { id: 'reply-error', class: 'error', role: 'alert', hidden: !tooLong }, tooLong ? desk.t('tooLong') : ''),
    h('div', { class: 'field-box' },
      h('textarea', {
        id: 'reply',
        ref: input,
        rows: 2,
        dir: 'auto',
        readOnly,
        placeholder: desk.t('message'),
        title: desk.t('hint'),
        'aria-label': desk.t('message'),
        'aria-invalid': tooLong,
        'aria-describedby': 'reply-error',
      }),
      !readOnly && h('div', { class: 'tools' },
        composerTools.map(({ key, Tool }) => h(Tool, { key, desk, ticketId, composer: inserter(input, composer) })),
        h('button', { class: 'main send' }, h(Icon, { name: 'send' }), h('span', {}, desk.t('send'))))));
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
