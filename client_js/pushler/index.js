/**
 * PushlerClient: connects by itself, joins channels, comes back after a loss.
 *
 * Joins connection, channels and authorisation; holds no protocol rule of its own.
 *
 *   const client = new PushlerClient({ appKey, authEndpoint: '/auth' });
 *   const channel = client.subscribe('private-ticket-1');   // also before `connected`
 *   channel.on('message:new', (data) => …);
 */

import { Channel } from './channel.js';
import { ACTIVITY_TIMEOUT_MS, Connection, PONG_TIMEOUT_MS } from './connection.js';
import { Emitter } from './emitter.js';
import { Members } from './members.js';
import { encode, reconnectDelay, repeatsRefusal } from './protocol.js';
import { SignIn } from './sign_in.js';

/** Values for options that a page gives once for all its clients (the script tag sets them). */
export const defaults = {};

/** The relay's own port, for plain connections. */
const RELAY_PORT = 6001;

export class PushlerClient extends Emitter {
  /**
   * @param {object} options
   *   appKey            required
   *   wsHost, wsPort, wsPath, forceTLS   where the relay is; default: the page's host and scheme
   *   authEndpoint      where private and presence channels are authorised (default /auth)
   *   userAuthEndpoint  where signin() is answered (default /user_auth)
   *   auth              {headers, params, credentials} of that request
   *   headersProvider   () => headers, asked anew for each request
   *   activityTimeout, pongTimeout       milliseconds
   *   autoConnect       false: wait for connect()
   *   resume            false: do not ask for what was missed between two connections
   *   WebSocket, fetch, random           to be replaced in Node and in tests
   *
   * Events: connecting, connected, reconnecting, disconnected, state_change, signed_in, error, message.
   */
  constructor(options) {
    super();
    this._options = withDefaults(options);
    this._channels = new Map();
    this._signIn = new SignIn(this);
    this._connection = new Connection(this._options, {
      onState: (state, info) => this._onState(state, info),
      onDown: (info) => this._emit('disconnected', info),
      onMessage: (message) => this._onMessage(message),
      onError: (error) => this._onError(error),
    });
    this._lastState = this.state;
    /** The channel whose subscription the last message refused. */
    this._refusedLast = null;
    // Later, so that handlers bound right after construction see everything.
    if (this._options.autoConnect !== false) queueMicrotask(() => this._autoConnect());
  }

  get state() {
    return this._connection.state;
  }

  /** Of the present connection; null without one. It changes with each reconnect. */
  get socketId() {
    return this._connection.socketId;
  }

  connect() {
    this._connection.open();
  }

  disconnect() {
    this._stopped = true;
    this._idleAll();
    this._connection.close();
  }

  /** Tell the relay on each connection who we are, by the word of the application's server. */
  signin() {
    this._signIn._begin();
  }

  channel(name) {
    return this._channels.get(name) ?? null;
  }

  /** Join a channel, now or as soon as there is a connection. A name always means one channel. */
  subscribe(name) {
    let channel = this.channel(name);
    if (!channel) {
      channel = new Channel(name, this);
      this._channels.set(name, channel);
    }
    channel._subscription._join();
    return channel;
  }

  unsubscribe(name) {
    const channel = this.channel(name);
    if (!channel) return;
    this._channels.delete(name);
    channel._subscription._leave();
  }

  _send(event, data, channel) {
    return this._connection.send(encode(event, data, channel));
  }

  _autoConnect() {
    if (!this._stopped) this.connect();
  }

  _onState(state, info) {
    const previous = this._lastState;
    this._lastState = state;
    if (state !== 'connected') this._idleAll();
    // `disconnected` goes out through onDown: it also comes when the connection will be back.
    if (state !== 'disconnected') this._emit(state, info);
    this._emit('state_change', { previous, current: state, ...info });
    if (state !== 'connected') return;
    this._signIn._again();
    this._joinAll();
  }

  _onMessage(message) {
    if (this.channel(message.channel)?._isDouble(message)) return;
    this._emit('message', message);
    this._refusedLast = message.event === 'pusher:subscription_error' ? message.channel : null;
    this._signIn._hear(message);
    this.channel(message.channel)?._receive(message);
  }

  _onError(error) {
    const isKnown = repeatsRefusal(error, this._refusedLast);
    this._refusedLast = null;
    if (isKnown) return;
    this._emit('error', error);
    this.channel(error.channel)?._emit('pushler:error', error);
  }

  /** The present connection may not join what it has lost. */
  _renew() {
    this._connection.renew();
  }

  /** Milliseconds until the application's server is asked again. */
  _authDelay(attempt) {
    return 500 + reconnectDelay(0, attempt, this._options.random);
  }

  _idleAll() {
    this._signIn._idle();
    for (const channel of this._channels.values()) channel._subscription._idle();
  }

  _joinAll() {
    for (const channel of this._channels.values()) channel._subscription._join();
  }
}

function withDefaults(given) {
  const options = { ...defaults, ...given };
  if (!options.appKey) throw new TypeError('PushlerClient needs an appKey');
  const page = globalThis.location;
  const tls = options.forceTLS ?? page?.protocol === 'https:';
  const WebSocket = options.WebSocket ?? globalThis.WebSocket;
  if (!WebSocket) throw new TypeError('there is no WebSocket here: pass one as the option "WebSocket"');
  return {
    authEndpoint: '/auth',
    userAuthEndpoint: '/user_auth',
    pongTimeout: PONG_TIMEOUT_MS,
    activityTimeout: ACTIVITY_TIMEOUT_MS,
    random: Math.random,
    fetch: (...args) => globalThis.fetch(...args),
    ...options,
    WebSocket,
    key: options.appKey,
    tls,
    host: options.wsHost ?? (page?.hostname || '127.0.0.1'),
    port: options.wsPort ?? (tls ? 443 : RELAY_PORT),
    path: options.wsPath ?? '',
  };
}

export { Channel, Members };
