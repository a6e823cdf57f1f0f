// Runs an agent in Node: node node.mjs KIND PACKAGE. Reads commands from standard input, one JSON object a line:
// {id, command, args}; prints {reply: id, result | failure} and {report: …}, one JSON object a line.

import { createInterface } from 'node:readline';

import { echoCommands } from './echo_agent.js';
import { pusherCommands } from './pusher_agent.js';
import { serverCommands } from './server_agent.js';

const print = (value) => process.stdout.write(JSON.stringify(value) + '\n');
const report = (what) => print({ report: what });
const load = async (name) => (await import(name)).default;

const [kind, packageName] = process.argv.slice(2);
const library = await load(packageName);
const commands = {
  pusher: () => pusherCommands(library, report),
  echo: async () => echoCommands(library, await load('pusher-js'), report),
  server: () => serverCommands(library),
};
const agent = await commands[kind]();

// Stop reading, and so end as soon as the library has nothing left to do by itself.
agent.detach = () => process.stdin.destroy();

const lines = createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { id, command, args } = JSON.parse(line);
  try {
    print({ reply: id, result: (await agent[command](args)) ?? null });
  } catch (error) {
    print({ reply: id, failure: String(error.stack ?? error) });
  }
});
process.stdin.on('end', () => process.exit(0));
