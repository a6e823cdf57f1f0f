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

  _reset(hash) {
    this.map = new Map(Object.entries(hash ?? {}).map(([id, info]) => [id, { id, info }]));
  }

  _add(id, info) {
    const member = { id: String(id), info };
    this.map.set(member.id, member);
    return member;
  }

  _remove(id) {
    const member = this.get(id);
    this.map.delete(String(id));
    return member;
  }
}
