// The relay's console (relay/console/static): the same rules, and what a page has. Run there: `npm run check`.
import rules, { page } from './eslint.config.js';

const isForAll = ({ files }) => !files;

export default [
  ...rules.filter(isForAll),
  {
    languageOptions: {
      globals: { ...page, localStorage: 'readonly', getSelection: 'readonly', requestAnimationFrame: 'readonly', TextDecoderStream: 'readonly' },
    },
  },
];
