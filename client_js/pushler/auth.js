/**
 * Asks the application's own server whether we may join a private or presence channel.
 *
 * Knows the form of that request and its answer. Not: the socket, channels, when to ask again.
 */

/** After this time without an answer the request counts as failed, milliseconds. */
export const AUTH_TIMEOUT_MS = 15_000;

/** Why a channel was not authorised. `status` 0: no answer at all. */
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
export async function authorize(options, channelName, socketId) {
  const { authEndpoint, auth = {}, headersProvider } = options;
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), AUTH_TIMEOUT_MS);
  try {
    const response = await options.fetch(authEndpoint, {
      method: 'POST',
      credentials: auth.credentials ?? 'same-origin',
      headers: {
        'Content-Type': 'application/x-www-form-urlencoded',
        ...auth.headers,
        ...headersProvider?.(),
      },
      body: new URLSearchParams({ ...auth.params, channel_name: channelName, socket_id: socketId }).toString(),
      signal: stop.signal,
    });
    return await readAnswer(response);
  } catch (error) {
    throw error instanceof AuthError ? error : new AuthError(0, `no answer from ${authEndpoint}`);
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
