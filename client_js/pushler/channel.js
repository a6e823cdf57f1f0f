/**
 * One channel as user code sees it: its handlers, whether it is joined, its members.
 *
 * Knows what messages of its own channel mean to those who listen. Not: sockets, reconnecting, and what is under way for its
 * subscription (subscription.js).
 */

import { ensureClientEvent } from './client_event.js';
import { Emitter } from './emitter.js';
import { Members } from './members.js';
import { channelKind, publicName } from './protocol.js';
import { Subscription } from './subscription.js';

/** The relay's word for a subscription that only a new connection may have. */
const REVOKED = 'Revoked';

export class Channel extends Emitter {
  constructor(name, client) {
    super();
    this.name = name;
    this.kind = channelKind(name);
    this.members = this.kind === 'presence' ? new Members() : null;
    this._client = client;
    this._subscription = new Subscription(this, client);
  }

  get subscribed() {
    return this._subscription._isJoined;
  }

  unsubscribe() {
    if (this._client.channel(this.name) === this) this._client.unsubscribe(this.name);
  }

  /**
   * Send a client event to the other subscribers.
   * @returns {boolean} false when the channel is not joined at the moment: nothing was sent
   */
  trigger(event, data) {
    ensureClientEvent(this, event);
    return this.subscribed && this._client._send(event, data, this.name);
  }

  /** Whether an event was heard before: nobody is to be told of it then. */
  _isDouble({ id }) {
    return this._subscription._position?.advance(id) === false;
  }

  _receive({ event, data, user_id: userId }) {
    switch (event) {
      case 'pusher_internal:subscription_succeeded':
        return this._confirm(data ?? {});
      case 'pusher:subscription_error':
        return this._refused(data);
      case 'pusher_internal:unsubscribed':
        return this._ended();
      case 'pusher_internal:member_added':
      case 'pusher_internal:member_removed':
        return this._emit(publicName(event), this.members?._change(event, data));
      default:
        return this._emit(publicName(event), data, userId === undefined ? undefined : { userId });
    }
  }

  _confirm(data) {
    if (!this._subscription._confirm()) return;
    this.members?._reset(data.presence?.hash);
    this._emit('pushler:subscription_succeeded', this.members ?? {});
    if (this.subscribed) this._subscription._position?.confirm(data);
  }

  /** The application has taken the channel from us; whether we get it back, its server says when we subscribe again. */
  _ended() {
    if (!this.subscribed) return;
    this._subscription._refuse();
    this._emit('pushler:unsubscribed', {});
  }

  /** What was lost since this connection is there can only be joined by a new one. */
  _refused(error) {
    const needsNewConnection = error.type === REVOKED;
    this._subscription._refuse();
    this._emit('pushler:subscription_error', needsNewConnection ? { ...error, retryIn: 0 } : error);
    if (needsNewConnection) this._client._renew();
  }
}
