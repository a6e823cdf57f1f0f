/**
 * The test event: what it is, and what became of it. The fields keep their own values.
 */

import { useSignal } from '@preact/signals';
import { h } from 'preact';
import { EXACT, Field } from './field.js';
import { isJson } from './json.js';

const EXAMPLE = '{\n  "message": "Hello"\n}';

export function TestForm({ model }) {
  const isText = useSignal(false);
  const sending = useSignal(false);
  const result = useSignal(null);
  const send = async (event) => {
    event.preventDefault();
    if (sending.value) return;
    sending.value = true;
    const reason = await model.send(eventOf(event.target.elements));
    sending.value = false;
    result.value = { reason, at: Date.now() };
  };
  const note = h('span', { id: 'test-data-note', class: 'hint' }, model.t(isText.value ? 'dataIsText' : 'dataIsJson'));
  return h('section', { id: 'test', class: 'card', 'aria-labelledby': 'test-title' },
    h('h2', { id: 'test-title' }, model.t('test')),
    h('form', { id: 'test-form', onSubmit: send },
      h(Field, { label: model.t('channel') }, h('input', { id: 'test-channel', name: 'channel', required: true, defaultValue: 'my-channel', list: 'known-channels', ...EXACT })),
      h(KnownChannels, { model }),
      h(Field, { label: model.t('event') }, h('input', { id: 'test-event', name: 'event', required: true, defaultValue: 'my-event', ...EXACT })),
      h(Field, { label: model.t('data'), note },
        h('textarea', { id: 'test-data', name: 'data', rows: 4, defaultValue: EXAMPLE, 'aria-describedby': 'test-data-note', ...EXACT, onInput: ({ target }) => (isText.value = !isJson(target.value)) })),
      h(Field, { label: model.t('exclude') }, h('input', { id: 'test-exclude', name: 'exclude', placeholder: '123.456', ...EXACT })),
      // Not disabled meanwhile: it would lose the focus.
      h('div', { class: 'line' }, h('button', { id: 'test-send', class: 'main', 'aria-disabled': String(sending.value) }, model.t('send')), h(Sent, { result, model })),
      h(NotSent, { result, model })));
}

/** The body of the request for what the fields hold. */
function eventOf({ channel, event, data, exclude }) {
  const socketId = exclude.value.trim();
  return { channel: channel.value.trim(), name: event.value.trim(), data: data.value, ...(socketId && { socket_id: socketId }) };
}

function KnownChannels({ model }) {
  return h('datalist', { id: 'known-channels' }, model.present.value.occupied.map(({ name }) => h('option', { value: name })));
}

function Sent({ result, model }) {
  const { reason, at } = result.value ?? {};
  const time = () => new Date(at).toLocaleTimeString(model.locale.value);
  return h('p', { id: 'test-sent', class: 'good', role: 'status' }, reason === null ? model.t('sent', { time: time() }) : '');
}

function NotSent({ result, model }) {
  const reason = result.value?.reason ?? null;
  return h('p', { id: 'test-error', class: 'error', role: 'alert' }, reason === null ? '' : model.t('notSent', { reason: reason || model.t('unreachable') }));
}
