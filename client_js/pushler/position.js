/**
 * How far a channel has been heard, so that its client can go on from there on the next connection.
 *
 * Ids are "EPOCH.MS-SEQ" (docs/protocol.md, A13). Within an epoch they grow from event to event; a new epoch means that the relay
 * has lost what it remembered, and ids of two epochs say nothing about each other. Knows its channel as the one that
 * `pushler:gap` is told to. Not: messages, and what is under way.
 */

const ID = /^(.+)\.(\d+)-(\d+)$/;

export class Position {
  /** Id of the last event, or where the relay says that the channel stands; '' while we know neither. */
  since = '';

  constructor(channel) {
    this._channel = channel;
  }

  /**
   * The relay has confirmed the channel: take up its position, unless what we missed is about to follow.
   *
   * @param {object} answer {position, recovered}; without either the relay remembers nothing of this channel
   */
  confirm({ position = '', recovered }) {
    if (!this.since || !recovered) this._jump(position);
  }

  /**
   * An event has come.
   * @param {string} [id] undefined: one that the relay does not remember
   * @returns {boolean} false: it was heard before
   */
  advance(id) {
    const [, epoch, ms, seq] = ID.exec(id) ?? [];
    const [, lastEpoch, lastMs, lastSeq] = ID.exec(this.since) ?? [];
    if (!epoch) return true;
    if (epoch === lastEpoch && (ms - lastMs || seq - lastSeq) <= 0) return false;
    if (lastEpoch && epoch !== lastEpoch) this._jump(id);
    this.since = id;
    return true;
  }

  /** Events after the last one may be missing, and will not come. */
  _jump(id) {
    const { since } = this;
    this.since = id;
    if (since) this._channel._emit('pushler:gap', { channel: this._channel.name, since });
  }
}
