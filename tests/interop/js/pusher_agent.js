// Carries out a test's commands with an unmodified pusher-js, in Node or in a page, and reports what it tells.
// Knows no test: what is right is decided in Python.

const PROTOCOL_EVENTS = new Set(['pusher:pong', 'pusher:ping', 'pusher:error', 'pusher:signin_success']);

export function pusherCommands(Pusher, report) {
  let pusher;
  const handlers = {};

  return {
    connect({ key, options }) {
      pusher = new Pusher(key, options);
      for (const name of ['connecting', 'connected', 'disconnected']) {
        pusher.connection.bind(name, () => report({ kind: 'bound state', name }));
      }
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
    // Bind in each way that there is, or take it back; `of` is a channel, without one it is the client, of all channels.
    bind({ of, event, name }) {
      handlers[name] = (...values) => report({ kind: 'bound', name, data: plain(values.at(event ? 0 : 1)) });
      const emitter = of ? pusher.channel(of) : pusher;
      if (event) emitter.bind(event, handlers[name]);
      else emitter.bind_global(handlers[name]);
    },
    unbind({ of, event, name }) {
      const emitter = of ? pusher.channel(of) : pusher;
      if (event) emitter.unbind(event, handlers[name]);
      else emitter.unbind_global(handlers[name]);
    },
    unbindAll: ({ of }) => void (of ? pusher.channel(of) : pusher).unbind_all(),
    allChannels: () => pusher.allChannels().map(({ name }) => name),
    connectAgain: () => pusher.connect(),
    trigger({ channel, event, data }) {
      return pusher.channel(channel).trigger(event, data);
    },
    members({ channel }) {
      const { members, count, me } = pusher.channel(channel).members;
      return { members, count, me };
    },
    eachMember({ channel }) {
      const all = [];
      pusher.channel(channel).members.each((member) => all.push(plain(member)));
      return all;
    },
    getMember: ({ channel, id }) => pusher.channel(channel).members.get(id),
    subscriptionCount: ({ channel }) => pusher.channel(channel).subscriptionCount,
    signin() {
      pusher.user.bind_global((event, data) => report({ kind: 'user', event, data: plain(data) }));
      for (const name of ['online', 'offline']) {
        pusher.user.watchlist.bind(name, ({ user_ids }) => report({ kind: 'watchlist', name, user_ids }));
      }
      pusher.signin();
    },
    // Let the runtime do nothing else for a while, as a page that computes does.
    hang({ seconds }) {
      const end = Date.now() + seconds * 1000;
      while (Date.now() < end);
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
