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
    trigger: ({ channels, event, data, params }) => outcome(pusher.trigger(channels, event, data, params)),
    triggerBatch: ({ batch }) => outcome(pusher.triggerBatch(batch)),
    get: ({ path, params }) => outcome(pusher.get({ path, params })),
    sendToUser: ({ user, event, data }) => outcome(pusher.sendToUser(user, event, data)),
    terminateUserConnections: ({ user }) => outcome(pusher.terminateUserConnections(user)),
    authenticateUser: ({ socketId, user }) => pusher.authenticateUser(socketId, user),
    webhook({ headers, rawBody }) {
      const webhook = pusher.webhook({ headers, rawBody });
      const isValid = webhook.isValid();
      return { isValid, events: isValid ? webhook.getEvents() : null };
    },
    authorizeChannel: ({ socketId, channel, member }) => pusher.authorizeChannel(socketId, channel, member),
  };
}
