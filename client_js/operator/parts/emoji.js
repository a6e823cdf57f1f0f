/** Emoji of the system's own font, to be put into the text. Knows no network. */

import { h } from 'preact';
import { useSignal } from '@preact/signals';
import { IconButton } from './controls.js';

/** What people who help others write. */
const EMOJI = [...'😀😄😊🙂😉😍🤗🤔😅😂😇😌😎🥳😔😟😢😮😳🙄😴🤝👍👎👌🙏👏💪👋🙌✌️❤️💙💚🎉✨🔥⭐✅❌❗❓💡📌📎📦🚚💳🧾🔒🔑⏰📅📞📧🏠🛠️']
  .filter((character) => character !== '\ufe0f');

/** @param {{desk: object, composer: {insert(text: string): void}}} props */
export function Emoji({ desk, composer }) {
  const open = useSignal(false);
  const put = (emoji) => {
    open.value = false;
    composer.insert(emoji);
  };
  const leave = (event) => {
    if (event.key !== 'Escape' || !open.value) return;
    event.stopPropagation();
    open.value = false;
    event.currentTarget.querySelector('button').focus();
  };
  const away = ({ currentTarget, relatedTarget }) => {
    if (!currentTarget.contains(relatedTarget)) open.value = false;
  };
  return h('div', { class: 'emoji', onKeyDown: leave, onFocusOut: away },
    h(IconButton, { icon: 'emoji', label: desk.t('emoji'), 'aria-expanded': open.value, onClick: () => (open.value = !open.value) }),
    open.value && h('div', { class: 'emoji-box', role: 'group', 'aria-label': desk.t('emoji') },
      EMOJI.map((emoji) => h('button', { key: emoji, type: 'button', onClick: () => put(emoji) }, emoji))));
}
