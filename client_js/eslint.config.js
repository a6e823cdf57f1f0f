import js from '@eslint/js';

const timers = { setTimeout: 'readonly', clearTimeout: 'readonly', setInterval: 'readonly', clearInterval: 'readonly', queueMicrotask: 'readonly' };
const common = { ...timers, console: 'readonly', crypto: 'readonly', fetch: 'readonly', URL: 'readonly', URLSearchParams: 'readonly', TextEncoder: 'readonly', AbortController: 'readonly' };
const page = Object.fromEntries(
  ['document', 'navigator', 'location', 'addEventListener', 'removeEventListener', 'history', 'focus', 'CSSStyleSheet', 'Notification', 'AudioContext', 'BroadcastChannel', 'Worker', 'postMessage', 'matchMedia', 'IntersectionObserver', 'ResizeObserver', 'MutationObserver', 'requestAnimationFrame', 'cancelAnimationFrame', 'getComputedStyle', 'getSelection', 'TextDecoderStream'].map((name) => [name, 'readonly']),
);
const node = { process: 'readonly', Buffer: 'readonly', global: 'readonly', EventTarget: 'readonly', Event: 'readonly', Response: 'readonly' };

/** Imports go one way. A restriction to the places that a folder's files may import from. */
const importsFrom = (...places) => ['error', { patterns: [{ regex: `^(?!${places.join('|')})`, message: 'docs/architecture.md says who may know whom.' }] }];

export default [
  { ignores: ['node_modules/'] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: 'module', globals: common },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'complexity': ['error', { max: 14, variant: 'modified' }],
      'consistent-return': 'off',
      'curly': ['error', 'multi-line'],
      'eqeqeq': 'error',
      'max-depth': ['error', 3],
      'max-lines': ['error', 420],
      'no-var': 'error',
      'no-unused-vars': ['error', { varsIgnorePattern: '^_', argsIgnorePattern: '^_' }],
      'no-implied-eval': 'error',
      'no-restricted-properties': [
        'error',
        ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'dangerouslySetInnerHTML'].map((property) => ({ property, message: 'Build nodes: text of people is only ever text.' })),
      ],
      'prefer-const': 'error',
    },
  },
  { files: ['pushler/**', 'kit/**', 'conversation/**'], languageOptions: { globals: { document: 'readonly' } } },
  { files: ['widget/**', 'operator/**', 'console/**', 'demo/**', 'conversation/{composer,message_view}.js'], languageOptions: { globals: page } },
  { files: ['pushler/**', 'kit/**'], rules: { 'no-restricted-imports': importsFrom('./') } },
  { files: ['conversation/**'], rules: { 'no-restricted-imports': importsFrom('./', '../kit/') } },
  { files: ['demo/demo.js'], languageOptions: { sourceType: 'script' } },
  { files: ['scripts/**', 'tests/**', 'eslint.config.js'], languageOptions: { globals: { ...node, ...page } } },
];
