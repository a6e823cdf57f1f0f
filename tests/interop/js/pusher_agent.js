// Carries out a test's commands with an unmodified pusher-js, in Node or in a page, and reports what it tells.
// Knows no test: what is right is decided in Python.

const PROTOCOL_EVENTS = new Set(['pusher:pong', 'pusher:ping', 'pusher:error']);

export function pusherCommands(Pusher, report) {
  let pusher;

  return {
    connect({ key, options }) {
      pusher = new Pusher(key, options);
      pusher.connection.bind('state_change', ({ previous, current }) => report({ kind: 'state', previous, current }));
      pusher.connection.bind('error', (error) => report({ kind: 'error', error: plain(error) }));
      pusher.connection.bind('message', (message) => {
        if (PROTOCOL_EVENTS.has(message.event)) report({ kind: 'protocol', event: message.event, data: message.data });
      });
    },
    subscribe({ channel }) {
      const subscribed = pusher.subscribe(channel);
      subscribed.bind_global((event, data) => report({ kind: 'event', channel, event, data: plain(data) }));
    },
    unsubscribe({ channel }) {
      pusher.channel(channel).unbind_global();
      pusher.unsubscribe(channel);
    },
    // A handler of one event gets the sender's user id on presence channels; a handler of all events does not.
    listen({ channel, event }) {
      pusher.channel(channel).bind(event, (data, metadata) =>
        report({ kind: 'heard', channel, event, data: plain(data), user_id: metadata?.user_id ?? null }));
    },
    trigger({ channel, event, data }) {
      return pusher.channel(channel).trigger(event, data);
    },
    members({ channel }) {
      const { members, count, me } = pusher.channel(channel).members;
      return { members, count, me };
    },
    socketId: () => pusher.connection.socket_id,
    state: () => pusher.connection.state,
    disconnect: () => pusher.disconnect(),
  };
}

// What survives a trip through JSON; an Error's own fields are not enumerable.
export function plain(value) {
  if (value instanceof Error) return { name: value.name, message: value.message, ...value };
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}
