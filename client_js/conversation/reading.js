/**
 * How far both sides have read a conversation, as values.
 *
 * The desk keeps a pointer for each side, the seq up to which it has read: fields of the ticket, `visitor_read_seq` and
 * `operator_read_seq`, and `message:read` {ticket_id, reader, seq} when one moves. They never go back: what was read has been
 * read. A page says what came on its screen by POST /read {ticket_id, seq}, answered by {ticket}. A desk without these fields
 * is asked nothing, and nothing is shown. Pure; knows no page, network or clock.
 */

/** Fields of a ticket that never go back: its newest message, and how far each side has read. */
export const GROWING = ['last_seq', 'visitor_read_seq', 'operator_read_seq'];

/** ✓: the desk has an own message; ✓✓: the other side, which has read up to `read`, has seen it; '' where that is not known. */
export function readMark(seq, read) {
  return read === undefined ? '' : seq > read ? ' ✓' : ' ✓✓';
}
