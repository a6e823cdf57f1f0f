/**
 * Entry of pushler.js, a plain script tag: makes the global PushlerClient and takes the
 * relay's address from the tag (data-ws-host, data-ws-port, data-force-tls).
 */

import { defaults, PushlerClient } from './index.js';

const { wsHost, wsPort, forceTls } = document.currentScript?.dataset ?? {};
if (wsHost) defaults.wsHost = wsHost;
if (wsPort) defaults.wsPort = Number(wsPort);
if (forceTls !== undefined) defaults.forceTLS = forceTls !== 'false';

globalThis.PushlerClient = PushlerClient;
