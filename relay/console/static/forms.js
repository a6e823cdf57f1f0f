/**
 * The two forms of the console: the test event, and the code that connects to the app.
 *
 * Knows no network: a test event is sent by the actions that it is given.
 */

import { h, setText } from './dom.js';
import { isJson } from './json.js';
import { cleanHost, SNIPPETS, targetOf } from './snippets.js';

const EXAMPLE = '{\n  "message": "Hello"\n}';
/** How long a button says that it has copied, milliseconds. */
const COPIED_MS = 2000;

export class TestForm {
  constructor({ t, locale, actions }) {
    Object.assign(this, { t, locale, actions });
    this.channel = h('input', { id: 'test-channel', required: true, value: 'my-channel', list: 'known-channels', spellcheck: false, autocomplete: 'off' });
    this.event = h('input', { id: 'test-event', required: true, value: 'my-event', spellcheck: false, autocomplete: 'off' });
    this.exclude = h('input', { id: 'test-exclude', spellcheck: false, autocomplete: 'off', placeholder: '123.456' });
    this.data = h('textarea', { id: 'test-data', rows: 4, spellcheck: false, value: EXAMPLE, oninput: () => this._checkData() });
    this.data.setAttribute('aria-describedby', 'test-data-note');
    this.dataNote = h('span', { id: 'test-data-note', className: 'hint' });
    this.known = h('datalist', { id: 'known-channels' });
    this.button = h('button', { id: 'test-send', className: 'main' }, t('send'));
    this.sent = h('p', { id: 'test-sent', className: 'good', role: 'status' });
    this.error = h('p', { id: 'test-error', className: 'error', role: 'alert' });
    this.node = h('section', { id: 'test', className: 'card', 'aria-labelledby': 'test-title' },
      h('h2', { id: 'test-title' }, t('test')),
      h('form', { id: 'test-form', onsubmit: (event) => this._send(event) },
        field(t('channel'), this.channel), this.known,
        field(t('event'), this.event),
        field(t('data'), this.data, this.dataNote),
        field(t('exclude'), this.exclude),
        h('div', { className: 'line' }, this.button, this.sent), this.error));
    this._checkData();
  }

  render({ present }) {
    if (present === this._present) return;
    this._present = present;
    this.known.replaceChildren(...present.occupied.map(({ name }) => h('option', { value: name })));
  }

  _checkData() {
    setText(this.dataNote, this.t(isJson(this.data.value) ? 'dataIsJson' : 'dataIsText'));
  }

  async _send(event) {
    event.preventDefault();
    if (this.button.disabled) return;
    this.button.disabled = true;
    const exclude = this.exclude.value.trim();
    const body = { channel: this.channel.value.trim(), name: this.event.value.trim(), data: this.data.value, ...(exclude && { socket_id: exclude }) };
    const error = await this.actions.send(body);
    this.button.disabled = false;
    this.button.focus();
    setText(this.sent, error === null ? this.t('sent', { time: new Date().toLocaleTimeString(this.locale) }) : '');
    setText(this.error, error === null ? '' : this.t('notSent', { reason: error || this.t('unreachable') }));
  }
}

export class ConnectForm {
  constructor({ t }) {
    this.t = t;
    const change = () => this._write();
    this.kind = h('select', { id: 'snippet-kind', onchange: change },
      ...Object.entries(SNIPPETS).map(([name, { title }]) => h('option', { value: name }, title)));
    this.host = h('input', { id: 'snippet-host', spellcheck: false, autocomplete: 'off', oninput: change });
    this.port = h('input', { id: 'snippet-port', type: 'number', min: 1, max: 65_535, oninput: change });
    this.tls = h('input', { id: 'snippet-tls', type: 'checkbox', onchange: change });
    this.code = h('pre', { id: 'snippet', className: 'code', tabIndex: 0, role: 'group', 'aria-label': t('connect') });
    this.copy = h('button', { id: 'copy', type: 'button', onclick: () => this._copy() }, t('copy'));
    this.note = h('p', { className: 'hint' }, t('secretNote'));
    this.node = h('section', { id: 'connect', className: 'card', 'aria-labelledby': 'connect-title' },
      h('h2', { id: 'connect-title' }, t('connect')),
      h('div', { className: 'where' },
        field(t('snippet'), this.kind),
        field(t('host'), this.host), field(t('port'), this.port),
        h('label', { className: 'check' }, this.tls, h('span', {}, t('tls')))),
      h('div', { className: 'snippet' }, this.code, this.copy), this.note);
  }

  render({ apps, app, relay }) {
    const found = apps.find(({ id }) => id === app);
    if (!found || found === this._app) return;
    this._app = found;
    const target = targetOf(found, relay, location.hostname);
    this._prefix = target.prefix;
    // What somebody has filled in stays, for another app too.
    if (!this.host.value) {
      this.host.value = target.host;
      this.port.value = target.port;
      this.tls.checked = target.tls;
    }
    this._write();
  }

  _write() {
    if (!this._app) return;
    const { id, key } = this._app;
    const port = Number(this.port.value) || 443;
    const code = SNIPPETS[this.kind.value].code({ id, key, host: cleanHost(this.host.value) || 'localhost', port, tls: this.tls.checked, prefix: this._prefix });
    setText(this.code, code);
    this.note.hidden = !code.includes('YOUR-SECRET');
  }

  async _copy() {
    const done = await navigator.clipboard?.writeText(this.code.textContent).then(() => true, () => false);
    // Without TLS, on any address but localhost, a page may not write there by itself.
    if (!done) getSelection().selectAllChildren(this.code);
    setText(this.copy, this.t(done ? 'copied' : 'copyByHand'));
    clearTimeout(this._timer);
    this._timer = setTimeout(() => setText(this.copy, this.t('copy')), COPIED_MS);
  }
}

function field(label, input, note = null) {
  return h('label', { className: 'field' }, h('span', {}, label, note), input);
}
