/**
 * Starts the console on its page.
 */

import { h, render } from 'preact';
import { openStorage } from '../kit/storage.js';
import { Model } from './model.js';
import { Page } from './page.js';

const model = new Model({ storage: openStorage('relay-console:'), languages: navigator.languages });

render(h(Page, { model }), document.body);
model.load();
addEventListener('online', () => model.hurry());
