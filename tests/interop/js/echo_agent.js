// Carries out a test's commands with an unmodified Laravel Echo on top of pusher-js, and reports what it tells.

import { plain } from './pusher_agent.js';

export function echoCommands(Echo, Pusher, report) {
  let echo;
  const notified = {};
  // `how` is Echo's own word for a kind of channel: channel, private, encryptedPrivate or join.
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
    // Echo's short form: subscribe to a public channel and listen, in one.
    listenAtOnce({ name, event }) {
      echo.listen(name, event, (data) => report({ kind: 'event', name, event, data: plain(data) }));
    },
    listenToAll({ how, name }) {
      target({ how, name }).listenToAll((event, data) => report({ kind: 'any event', name, event, data: plain(data) }));
    },
    // All of them: Echo wraps a callback of listenToAll, and does not find it again.
    stopListeningToAll: ({ how, name }) => void target({ how, name }).stopListeningToAll(),
    stopListeningForWhisper: ({ how, name, event }) => void target({ how, name }).stopListeningForWhisper(event),
    stopListeningForNotification({ how, name }) {
      target({ how, name }).stopListeningForNotification(notified[name]);
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
      notified[name] = (data) => report({ kind: 'notification', name, data: plain(data) });
      target({ how, name }).notification(notified[name]);
    },
    leave: ({ name }) => echo.leave(name),
    leaveChannel: ({ name }) => echo.leaveChannel(name),
    leaveAllChannels: () => echo.leaveAllChannels(),
    watchStatus: () => void echo.connector.onConnectionChange((status) => report({ kind: 'status', status })),
    connectionStatus: () => echo.connectionStatus(),
    connectAgain: () => echo.connector.pusher.connect(),
    signin() {
      const { connection, user } = echo.connector.pusher;
      user.bind_global((event, data) => report({ kind: 'user', event, data: plain(data) }));
      connection.bind('message', ({ event }) => event === 'pusher:signin_success' && report({ kind: 'signed in' }));
      echo.connector.signin();
    },
    socketId: () => echo.socketId(),
    disconnect: () => echo.disconnect(),
  };
}
