/**
 * Entry of dist/widget.js, the script tag of other people's pages: one widget a page, as soon as
 * there is a body. The tag's own address tells where the support API is.
 */

import { mount } from './loader.js';
import css from './widget.css';

const tag = document.currentScript;
const options = { base: new URL(tag.src).origin, lang: tag.dataset.lang, css };

function start() {
  // A page may carry the tag twice, or run it again after a client-side navigation.
  if (!document.getElementById('pushdesk-widget')) mount(options);
}

if (document.body) start();
else document.addEventListener('DOMContentLoaded', start);
