/**
 * Tells the relay on each connection who we are, by the word of the application's server.
 *
 * Knows that server's answer and when to ask it again. Not: when there is a connection (the client says `again` and `idle`).
 */

import { authenticate } from './auth.js';

export class SignIn {
  _isWanted = false;

  constructor(client) {
    this._client = client;
  }

  /** From now on, on this connection and each later one. */
  _begin() {
    if (this._isWanted) return;
    this._isWanted = true;
    this._ask(0);
  }

  /** There is a connection. */
  _again() {
    if (this._isWanted) this._ask(0);
  }

  /** The connection is gone: no answer counts any more. */
  _idle() {
    clearTimeout(this._timer);
  }

  _hear({ event, data }) {
    if (event === 'pusher:signin_success') this._client._emit('signed_in', JSON.parse(data.user_data));
  }

  async _ask(attempt) {
    const client = this._client;
    const { socketId } = client;
    if (!socketId) return;
    try {
      const { auth, user_data: userData } = await authenticate(client._options, socketId);
      if (client.socketId === socketId) client._send('pusher:signin', { auth, user_data: userData });
    } catch (error) {
      if (client.socketId === socketId) this._failed(error, attempt);
    }
  }

  _failed(error, attempt) {
    this._client._emit('error', { code: error.status, message: `not signed in: ${error.message}` });
    if (error.isTemporary) this._timer = setTimeout(() => this._ask(attempt + 1), this._client._authDelay(attempt));
  }
}
