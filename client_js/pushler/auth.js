/**
 * Asks the application's own server whether we may join a private or presence channel, and who we are.
 *
 * Knows the form of that request and its answer. Not: the socket, channels, when to ask again.
 */

/** After this time without an answer the request counts as failed, milliseconds. */
export const AUTH_TIMEOUT_MS = 15_000;

/** Why there is no signature. `status` 0: no answer at all. */
export class AuthError extends Error {
  constructor(status, message) {
    super(message);
    this.name = 'AuthError';
    this.status = status;
  }

  /** Worth asking again with the same question? A refusal (4xx) is not. */
  get isTemporary() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/**
 * @param {object} options authEndpoint, auth {headers, params, credentials}, headersProvider, fetch
 * @param {string} channelName
 * @param {string} socketId
 * @returns {Promise<{auth: string, channel_data?: string}>} rejects with AuthError
 */
export function authorize(options, channelName, socketId) {
  return ask(options, options.authEndpoint, { channel_name: channelName, socket_id: socketId });
}

/**
 * @param {object} options userAuthEndpoint, and as above
 * @param {string} socketId
 * @returns {Promise<{auth: string, user_data: string}>} rejects with AuthError
 */
export function authenticate(options, socketId) {
  return ask(options, options.userAuthEndpoint, { socket_id: socketId });
}

async function ask({ auth = {}, headersProvider, fetch }, endpoint, fields) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), AUTH_TIMEOUT_MS);
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      credentials: auth.credentials ?? 'same-origin',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        ...auth.headers,
        ...headersProvider?.(),
      },
      body: new URLSearchParams({ ...auth.params, ...fields }).toString(),
      signal: stop.signal,
    });
    return await readAnswer(response);
  } catch (error) {
    throw error instanceof AuthError ? error : new AuthError(0, `no answer from ${endpoint}`);
  } finally {
    clearTimeout(timer);
  }
}

async function readAnswer(response) {
  if (response.status !== 200) throw new AuthError(response.status, `refused with status ${response.status}`);
  const answer = await response.json().catch(() => null);
  if (typeof answer?.auth !== 'string') throw new AuthError(200, 'the answer has no "auth" text');
  return answer;
}
