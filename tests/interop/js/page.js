// Runs an agent in a page: the test calls `window.agent.COMMAND(args)` and exposes `window.report`.

import { echoCommands } from './echo_agent.js';
import { pusherCommands } from './pusher_agent.js';

const { Pusher, report } = window;
const kind = new URLSearchParams(location.search).get('kind');

if (kind === 'echo') {
  const { default: Echo } = await import('/packages/laravel-echo/dist/echo.js');
  window.agent = echoCommands(Echo, Pusher, report);
} else {
  window.agent = pusherCommands(Pusher, report);
}
