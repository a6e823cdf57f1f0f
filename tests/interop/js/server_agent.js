// Carries out a test's commands with an unmodified `pusher` of npm, the official SDK for servers.

export function serverCommands(Pusher) {
  let pusher;
  // The answer of the HTTP API, or what the SDK makes of a refusal.
  const outcome = async (request) => {
    try {
      const response = await request;
      return { status: response.status, body: await response.json() };
    } catch (error) {
      return { error: error.name, message: error.message, status: error.status ?? null, body: error.body ?? null };
    }
  };

  return {
    configure: ({ options }) => void (pusher = new Pusher(options)),
    configureByUrl: ({ url }) => void (pusher = Pusher.forURL(url)),
    trigger: ({ channels, event, data, params }) => outcome(pusher.trigger(channels, event, data, params)),
    triggerBatch: ({ batch }) => outcome(pusher.triggerBatch(batch)),
    post: ({ path, body }) => outcome(pusher.post({ path, body })),
    createSignedQueryString: (options) => pusher.createSignedQueryString(options),
    get: ({ path, params }) => outcome(pusher.get({ path, params })),
    sendToUser: ({ user, event, data }) => outcome(pusher.sendToUser(user, event, data)),
    terminateUserConnections: ({ user }) => outcome(pusher.terminateUserConnections(user)),
    authenticateUser: ({ socketId, user }) => pusher.authenticateUser(socketId, user),
    webhook({ headers, rawBody, extraTokens }) {
      const webhook = pusher.webhook({ headers, rawBody });
      if (!webhook.isValid(extraTokens)) return { isValid: false };
      return { isValid: true, events: webhook.getEvents(), time: webhook.getTime().getTime(), data: webhook.getData() };
    },
    // The older name of authorizeChannel.
    authenticate: ({ socketId, channel, member }) => pusher.authenticate(socketId, channel, member),
    authorizeChannel: ({ socketId, channel, member }) => pusher.authorizeChannel(socketId, channel, member),
  };
}
