/**
 * Entry of widget.js, the script tag of other people's pages: one widget per page, as soon as
 * there is a body. The tag's own address says where the support API is.
 */

import { mount } from './loader.js';
import css from './widget.css';

const ADDRESS = /\/client_js\/([\w.-]+\/)?widget\.js([?#]|$)/;

/** Modules, and scripts that an optimiser of the page runs, are not told which tag is theirs. */
function ownTag() {
  const running = document.currentScript;
  const tag = [running, ...[...document.scripts].reverse()].find((script) => ADDRESS.test(script?.src));
  if (tag ?? running?.src) return tag ?? running;
  throw new Error('Pushdesk: this page has no script tag with an address that ends in /client_js/widget.js');
}

const tag = ownTag();
const start = () => mount({ base: new URL(tag.src).origin, lang: tag.dataset.lang, group: tag.dataset.group, css });

if (document.body) start();
else document.addEventListener('DOMContentLoaded', start);
