// Carries out a test's commands with an unmodified Laravel Echo on top of pusher-js, and reports what it tells.

import { plain } from './pusher_agent.js';

export function echoCommands(Echo, Pusher, report) {
  let echo;
  // `how` is Echo's own word for a kind of channel: channel, private or join.
  const target = ({ how, name }) => echo[how](name);

  return {
    connect({ key, options }) {
      echo = new Echo({ key, Pusher, ...options });
      echo.connector.pusher.connection.bind('state_change', ({ previous, current }) =>
        report({ kind: 'state', previous, current }));
    },
    open({ how, name }) {
      const channel = target({ how, name });
      channel.subscribed(() => report({ kind: 'subscribed', name }));
      channel.error((error) => report({ kind: 'refused', name, error: plain(error) }));
      if (how !== 'join') return;
      channel.here((users) => report({ kind: 'here', name, users: plain(users) }));
      channel.joining((user) => report({ kind: 'joining', name, user: plain(user) }));
      channel.leaving((user) => report({ kind: 'leaving', name, user: plain(user) }));
    },
    listen({ how, name, event }) {
      target({ how, name }).listen(event, (data) => report({ kind: 'event', name, event, data: plain(data) }));
    },
    stopListening({ how, name, event }) {
      target({ how, name }).stopListening(event);
    },
    listenForWhisper({ how, name, event }) {
      target({ how, name }).listenForWhisper(event, (data) => report({ kind: 'whisper', name, event, data: plain(data) }));
    },
    whisper({ how, name, event, data }) {
      target({ how, name }).whisper(event, data);
    },
    notification({ how, name }) {
      target({ how, name }).notification((data) => report({ kind: 'notification', name, data: plain(data) }));
    },
    leave: ({ name }) => echo.leave(name),
    socketId: () => echo.socketId(),
    disconnect: () => echo.disconnect(),
  };
}
