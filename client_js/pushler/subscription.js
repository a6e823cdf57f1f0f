/**
 * One channel's subscription: whether it is joined, what is under way for it, and how far it has been heard.
 *
 * Asks for the authorisation, subscribes, and takes the relay's answers as the channel hands them on. Not: handlers, members,
 * and when there is a connection (the client says `join` and `idle`).
 */

import { authorize } from './auth.js';
import { Position } from './position.js';

// What a subscription can be, beside asking for its authorisation or waiting to ask again: then it is that try, an object of its own.
/** Not joined and nothing under way. */
const IDLE = 0;
/** Subscribe is sent, the relay has not confirmed. */
const SENT = 1;
const SUBSCRIBED = 2;
/** Refused, or ended by the application; tried again on the next connection or the next subscribe(). */
const REFUSED = 3;

export class Subscription {
  _state = IDLE;

  constructor(channel, client) {
    this._channel = channel;
    this._client = client;
    // Null for a client that does not resume. Others ask every server: those that do not know the question pass over it
    // (soketi 1.6.1 was tried, Reverb's source read).
    this._position = client._options.resume === false ? null : new Position(channel);
  }

  get _isJoined() {
    return this._state === SUBSCRIBED;
  }

  /** Begin, if there is a connection and nothing has begun. */
  _join() {
    if (this._client.socketId && (this._state === IDLE || this._state === REFUSED)) this._ask(0);
  }

  /** Tell the relay that we leave. */
  _leave() {
    if (this._state === SENT || this._isJoined) this._client._send('pusher:unsubscribe', { channel: this._channel.name });
    this._idle();
  }

  /** The channel is left, or the connection gone: no answer counts any more. */
  _idle() {
    this._state = IDLE;
    clearTimeout(this._retryTimer);
  }

  /** The relay has confirmed. Returns false when it means an earlier subscription of this name. */
  _confirm() {
    if (this._state !== SENT) return false;
    this._state = SUBSCRIBED;
    return true;
  }

  /** The relay has refused, or the application has ended it. */
  _refuse() {
    this._state = REFUSED;
  }

  async _ask(attempt) {
    const { _channel: channel, _client: client } = this;
    // An answer counts only for the try that asked.
    const asking = (this._state = {});
    try {
      const answer = channel.kind === 'public' ? {} : await authorize(client._options, channel.name, client.socketId);
      if (this._state === asking) this._send(answer);
    } catch (error) {
      if (this._state === asking) this._failed(error, attempt);
    }
  }

  _send({ auth, channel_data: channelData }) {
    const { name, members } = this._channel;
    if (channelData) members?._join(channelData);
    this._state = SENT;
    this._client._send('pusher:subscribe', { channel: name, auth, channel_data: channelData, since: this._position?.since });
  }

  _failed(error, attempt) {
    const retryIn = error.isTemporary ? this._client._authDelay(attempt) : null;
    if (retryIn) this._retryTimer = setTimeout(() => this._ask(attempt + 1), retryIn);
    else this._refuse();
    this._channel._emit('pushler:subscription_error', { type: 'AuthError', error: error.message, status: error.status ?? 0, retryIn });
  }
}
