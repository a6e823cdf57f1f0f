/**
 * The members of a presence channel. Knows nothing of messages and connections.
 */

/** Who is in a presence channel. A member is {id, info}. */
export class Members {
  map = new Map();
  myId = null;

  get count() {
    return this.map.size;
  }

  get me() {
    return this.get(this.myId);
  }

  get(id) {
    return this.map.get(String(id)) ?? null;
  }

  each(callback) {
    this.map.forEach((member) => callback(member));
  }

  /** Who we are, as the authorisation said it. */
  _join(channelData) {
    this.myId = String(JSON.parse(channelData).user_id);
  }

  _reset(hash) {
    this.map = new Map(Object.entries(hash ?? {}).map(([id, info]) => [id, { id, info }]));
  }

  /** Somebody has come or gone. Returns the member; null: one that was not here has gone. */
  _change(event, { user_id: given, user_info: info }) {
    const id = String(given);
    if (event.endsWith('added')) this.map.set(id, { id, info });
    const member = this.get(id);
    if (event.endsWith('removed')) this.map.delete(id);
    return member;
  }
}
