"""How long an HTTP server waits for its clients, whichever of ours it is."""

from typing import Final

# For a request, or a part of it, to arrive completely. Seconds.
REQUEST_TIMEOUT: Final = 10.0

# For the next request on a connection: longer than proxies and SDKs keep theirs. Seconds.
KEEPALIVE: Final = 75.0
