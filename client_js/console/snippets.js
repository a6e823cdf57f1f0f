/**
 * Code that connects to an app, to be copied. Pure. The secret never comes here: a placeholder stands for it.
 */

const SECRET = 'YOUR-SECRET';

/**
 * @typedef {object} Target
 * @property {string} id      of the app
 * @property {string} key     of the app
 * @property {string} host
 * @property {number} port
 * @property {boolean} tls
 * @property {string} prefix  before every path, or ''
 */

/** Name → {title, lines(target)}, in the order in which they are offered. */
export const SNIPPETS = {
  pusherjs: { title: 'pusher-js', code: pusherJs },
  echo: { title: 'Laravel Echo', code: echo },
  pushler: { title: 'PushlerClient (script)', code: pushler },
  python: { title: 'Python (relay.client)', code: python },
  node: { title: 'Node.js (pusher)', code: nodeServer },
  php: { title: 'PHP (pusher-php-server)', code: phpServer },
};

/** Where clients can reach the relay, guessed: its own host, unless that is no address to connect to. */
export function targetOf(app, relay, hostname) {
  const isWildcard = ['0.0.0.0', '::', ''].includes(relay.host);
  return { id: app.id, key: app.key, host: isWildcard ? hostname : relay.host, port: relay.port, tls: relay.is_tls, prefix: relay.path_prefix };
}

/** The host as it may stand in code: nothing but a name or an address. */
export function cleanHost(text) {
  return text.trim().replace(/^\w+:\/\//, '').replace(/[^\w.:[\]-].*$/, '');
}

const text = JSON.stringify;
const noPrefix = (prefix) => `// This SDK knows no path prefix: give it an address that works without ${prefix}.\n`;
const bracketed = (host) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host);
const urlOf = ({ tls, host, port, prefix }) => `${tls ? 'https' : 'http'}://${bracketed(host)}:${port}${prefix}`;

function pusherJs(target) {
  const { key, host, port, tls, prefix } = target;
  const [wsPort, httpPort] = tls ? ['wssPort', 'httpsPort'] : ['wsPort', 'httpPort'];
  return `import Pusher from "pusher-js";

const pusher = new Pusher(${text(key)}, {
  cluster: "",
  wsHost: ${text(bracketed(host))}, ${wsPort}: ${port},
  // Where WebSocket is blocked:
  httpHost: ${text(bracketed(host))}, ${httpPort}: ${port},${prefix && `
  wsPath: ${text(prefix)}, httpPath: ${text(prefix)},`}
  forceTLS: ${tls},
});

pusher.subscribe("my-channel").bind("my-event", (data) => {
  console.log(data);
});
`;
}

function echo({ key, host, port, tls, prefix }) {
  return `import Echo from "laravel-echo";
import Pusher from "pusher-js";

window.Pusher = Pusher;
window.Echo = new Echo({
  broadcaster: "reverb",
  key: ${text(key)},
  wsHost: ${text(bracketed(host))}, ${tls ? 'wssPort' : 'wsPort'}: ${port},${prefix && `
  wsPath: ${text(prefix)},`}
  forceTLS: ${tls},
  enabledTransports: ["ws", "wss"],
});

window.Echo.channel("my-channel").listen(".my-event", (data) => {
  console.log(data);
});
`;
}

function pushler({ key, host, port, tls, prefix }) {
  return `<!-- support_api/static/pushler.js: on your own site, or the support desk's /client_js/pushler.js -->
<script src="/client_js/pushler.js"
        data-ws-host=${text(bracketed(host))} data-ws-port="${port}" data-force-tls="${tls}"></script>
<script>
  const client = new PushlerClient({ appKey: ${text(key)}${prefix && `, wsPath: ${text(prefix)}`} });
  client.subscribe("my-channel").on("my-event", (data) => {
    console.log(data);
  });
</script>
`;
}

function python(target) {
  return `import asyncio
from relay.client import PushlerClient


async def main():
    async with PushlerClient(${text(target.key)}, "${SECRET}", url=${text(urlOf(target))}) as client:
        await client.trigger("my-channel", "my-event", {"message": "Hello"})


asyncio.run(main())
`;
}

function nodeServer({ id, key, host, port, tls, prefix }) {
  return `import Pusher from "pusher";
${prefix && noPrefix(prefix)}
const pusher = new Pusher({
  appId: ${text(id)}, key: ${text(key)}, secret: "${SECRET}",
  host: ${text(bracketed(host))}, port: "${port}", useTLS: ${tls},
});

await pusher.trigger("my-channel", "my-event", { message: "Hello" });
`;
}

function phpServer({ id, key, host, port, tls, prefix }) {
  const quoted = (value) => `'${value.replace(/['\\]/g, '\\$&')}'`;
  return `<?php
require 'vendor/autoload.php';
${prefix && noPrefix(prefix)}
$pusher = new Pusher\\Pusher(${quoted(key)}, '${SECRET}', ${quoted(id)}, [
    'host' => ${quoted(bracketed(host))}, 'port' => ${port}, 'scheme' => '${tls ? 'https' : 'http'}', 'useTLS' => ${tls},
]);

$pusher->trigger('my-channel', 'my-event', ['message' => 'Hello']);
`;
}
