/**
 * One connection to the relay that keeps coming back: handshake, liveness, reconnecting.
 *
 * Knows WebSocket and time. Not: channels, authorisation, user handlers. It tells its sink:
 *   onState(state, info)  'connecting' | 'connected' | 'reconnecting' | 'disconnected'
 *   onDown(info)          an established connection is gone ({code, reason, reconnecting})
 *   onMessage(message)    everything that is not about the connection itself
 *   onError(error)        {code, message, channel?}
 */

import { closeAction, decode, encode, NEVER, reconnectDelay, socketUrl } from './protocol.js';

/** Silence after which we ask whether the relay is there, milliseconds; the relay may ask for less. */
export const ACTIVITY_TIMEOUT_MS = 120_000;
/** Time for the answer, milliseconds; then the connection counts as lost. */
export const PONG_TIMEOUT_MS = 30_000;
/** The same when the browser says that the network has just changed. */
export const PROBE_TIMEOUT_MS = 4_000;
/** From the attempt to the relay's greeting, milliseconds. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** A connection that lived this long starts the back-off from the beginning, milliseconds. */
export const STABLE_AFTER_MS = 5_000;

const NO_STATUS = 1006;
const PONG_MISSING = 4201;
/** "At once", as the relay's own code for it. */
const RENEWED = 4200;

export class Connection {
  state = 'initialized';
  socketId = null;
  _socket = null;
  _attempt = 0;
  _retryTimer = null;
  _handshakeTimer = null;
  _livenessTimer = null;
  _stableTimer = null;

  constructor(options, sink) {
    this._options = options;
    this._sink = sink;
    this._onNetwork = () => this._networkChanged();
  }

  /** Start, unless it is under way. After a permanent close this is the way to try again. */
  open() {
    if (this._socket || this._retryTimer) return;
    this._attempt = 0;
    this._listen('addEventListener');
    this._connect();
  }

  /** Stop for good, until open(). */
  close() {
    const wasUp = this.state === 'connected';
    this._listen('removeEventListener');
    this._drop();
    this._finish(wasUp, { code: 1000, reason: '', reconnecting: false });
  }

  /** Go on with a new socket. */
  renew() {
    if (this.state === 'connected') this._lost(RENEWED, 'a new connection was needed');
  }

  /** @returns {boolean} whether it could be handed to the socket */
  send(text) {
    if (this._socket?.readyState !== 1) return false;
    this._socket.send(text);
    return true;
  }

  _connect() {
    this._retryTimer = null;
    this._setState('connecting', { attempt: this._attempt });
    if (this.state !== 'connecting') return;
    try {
      this._attach(new this._options.WebSocket(socketUrl(this._options)));
    } catch (error) {
      this._sink.onError({ code: null, message: String(error) });
      this._lost(NO_STATUS, String(error));
    }
  }

  _attach(socket) {
    this._socket = socket;
    this._handshakeTimer = setTimeout(() => this._lost(NO_STATUS, 'no greeting'), HANDSHAKE_TIMEOUT_MS);
    // An old socket may still speak after we have left it.
    const ifCurrent = (act) => (event) => {
      if (this._socket === socket) act(event);
    };
    socket.onmessage = ifCurrent((event) => this._receive(event.data));
    socket.onclose = ifCurrent((event) => this._lost(event.code || NO_STATUS, event.reason));
    socket.onerror = ifCurrent(() => this._sink.onError({ code: null, message: 'the connection failed' }));
  }

  _receive(text) {
    const message = decode(text);
    if (!message) return this._sink.onError({ code: null, message: 'the relay sent something unreadable' });
    this._watchLiveness();
    switch (message.event) {
      case 'pusher:connection_established':
        return this._greeted(message.data);
      case 'pusher:ping':
        return this.send(encode('pusher:pong'));
      case 'pusher:pong':
        return undefined;
      case 'pusher:error':
        return this._refused(message);
      default:
        return this._sink.onMessage(message);
    }
  }

  _greeted(data) {
    clearTimeout(this._handshakeTimer);
    this.socketId = data.socket_id;
    this._activityMs = Math.min(this._options.activityTimeout, data.activity_timeout * 1000 || Infinity);
    this._stableTimer = setTimeout(() => {
      this._attempt = 0;
    }, STABLE_AFTER_MS);
    this._watchLiveness();
    this._setState('connected', { socketId: this.socketId });
  }

  _refused({ data, channel }) {
    const error = { code: data?.code ?? null, message: data?.message ?? String(data), channel };
    this._sink.onError(error);
    // Before the greeting an error is the answer to our handshake, and some relays do not close after it.
    if (!this.socketId) this._lost(error.code ?? NO_STATUS, error.message);
  }

  /** Anything received is a sign of life; so the timer starts anew. */
  _watchLiveness() {
    clearTimeout(this._livenessTimer);
    if (this.socketId) this._livenessTimer = setTimeout(() => this._ping(this._options.pongTimeout), this._activityMs);
  }

  _ping(timeout) {
    clearTimeout(this._livenessTimer);
    this.send(encode('pusher:ping'));
    this._livenessTimer = setTimeout(() => this._lost(PONG_MISSING, 'no answer to a ping'), timeout);
  }

  _networkChanged() {
    if (this.state === 'connected') this._ping(Math.min(PROBE_TIMEOUT_MS, this._options.pongTimeout));
    else if (this._retryTimer && globalThis.navigator?.onLine !== false) {
      clearTimeout(this._retryTimer);
      this._connect();
    }
  }

  _lost(code, reason = '') {
    const wasUp = this.state === 'connected';
    this._drop();
    if (closeAction(code) === NEVER) {
      this._listen('removeEventListener');
      return this._finish(wasUp, { code, reason, reconnecting: false });
    }
    const delay = reconnectDelay(code, this._attempt, this._options.random);
    this._attempt += 1;
    this._retryTimer = setTimeout(() => this._connect(), delay);
    if (wasUp) this._sink.onDown({ code, reason, reconnecting: true });
    // A handler may have closed us.
    if (this._retryTimer) this._setState('reconnecting', { code, reason, delay, attempt: this._attempt });
    return undefined;
  }

  _finish(wasUp, info) {
    if (this.state === 'disconnected') return;
    this._setState('disconnected', info);
    if (wasUp || info.code !== 1000) this._sink.onDown(info);
  }

  _drop() {
    const socket = this._socket;
    this._socket = null;
    this.socketId = null;
    clearTimeout(this._handshakeTimer);
    clearTimeout(this._livenessTimer);
    clearTimeout(this._stableTimer);
    clearTimeout(this._retryTimer);
    this._retryTimer = null;
    if (!socket) return;
    // `ws` throws an unhandled error when an attempt is cut without a listener.
    socket.onerror = () => {};
    socket.close();
  }

  _setState(state, info) {
    this.state = state;
    this._sink.onState(state, info);
  }

  _listen(method) {
    for (const name of ['online', 'offline']) globalThis[method]?.(name, this._onNetwork);
  }
}
