/**
 * One JSON request to the support API, with a time limit and errors that say what to do.
 *
 * Knows HTTP. Not: paths, fields, who is asking.
 */

/** After this time an unanswered request counts as failed, milliseconds. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** An answer that is not a success. `status` 0: there was no answer. */
export class HttpError extends Error {
  constructor(status, { code = '', message = '', field, retryAfterMs } = {}) {
    super(message || `status ${status}`);
    Object.assign(this, { name: 'HttpError', status, code, field, retryAfterMs });
  }
}

/** Could the same request succeed later without a change? */
export function isTemporary(error) {
  const { status } = error;
  return status === 0 || status === 408 || status === 429 || status >= 500;
}

/**
 * @param {string} url
 * @param {{body?: object, headers?: object, credentials?: string, keepalive?: boolean}} [options] with a body it is a POST;
 *   keepalive: it goes out even when the page is left
 * @returns {Promise<any>} the JSON answer; rejects with HttpError only
 */
export async function request(url, { body, headers, credentials = 'same-origin', keepalive = false } = {}) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), REQUEST_TIMEOUT_MS);
  try {
    const response = await fetch(url, {
      method: body ? 'POST' : 'GET',
      headers: { ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
      cache: 'no-store',
      credentials,
      keepalive,
      signal: stop.signal,
    });
    if (!response.ok) throw await readError(response);
    return await response.json();
  } catch (error) {
    throw error instanceof HttpError ? error : new HttpError(0, { message: String(error) });
  } finally {
    clearTimeout(timer);
  }
}

async function readError(response) {
  const answer = await response.json().catch(() => ({}));
  const retryAfterMs = Number(response.headers.get('Retry-After')) * 1000 || undefined;
  return new HttpError(response.status, { ...answer?.error, retryAfterMs });
}
