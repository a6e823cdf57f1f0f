/**
 * Why a message has not been stored, as the key of a text, and what its author can do about it.
 *
 * Knows the answers of the support API. Not: the words; they are the widget's and the panel's.
 */

import { isTemporary } from '../kit/http.js';

/** The server was not reached, or could not take it; it is tried again by itself. */
export const UNREACHED = 'retrying';
/** Over the server's rate limit; it is tried again after the time that the server said. */
export const TOO_MANY = 'tooMany';
/** The conversation is over: only a new one can take the text. */
export const ENDED = 'failedClosed';
export const NO_ACCESS = 'failedAccess';
export const TOO_LONG = 'failedLong';
/** Any other refusal; the server's own words say which. */
export const REFUSED = 'failed';

/** @param {import('../kit/http.js').HttpError} error the answer to a message */
export function refusalOf(error) {
  const { status, code, field } = error;
  if (status === 429) return TOO_MANY;
  if (isTemporary(error)) return UNREACHED;
  if (code === 'ticket_closed') return ENDED;
  if (status === 401 || status === 403 || status === 404) return NO_ACCESS;
  return status === 413 || field === 'content' ? TOO_LONG : REFUSED;
}

/** Can it help that the author has the same text sent again now? */
export function mayRetry(refusal) {
  return refusal === UNREACHED || refusal === REFUSED;
}
