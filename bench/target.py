"""The server that is measured, and everything that is signed for it.

Signs by itself instead of asking relay/: the generator must work against any server, and must not share a mistake with ours.
"""

import hashlib
import hmac
import json
import time
from typing import Final

from msgspec import Struct

from bench.uplink import Uplink

# A request that says nothing keeps its connection (RFC 9112 9.3).
_KEEP: Final = ""
_CLOSE: Final = "Connection: close\r\n"


class Target(Struct, frozen=True):
    """A Pusher-compatible server on this machine, or one node of it with the others beside it.

    `pid` is the node's process, None where CPU and memory are not to be read; `redis_pid` is what the nodes share, and
    `uplink` what the last of them reaches it through, where a scenario wants to cut that.
    """

    host: str
    port: int
    app_id: str
    key: str
    secret: str
    pid: int | None = None
    others: tuple["Target", ...] = ()
    redis_pid: int | None = None
    uplink: Uplink | None = None

    @property
    def nodes(self) -> tuple["Target", ...]:
        """This one and the others."""
        return self, *self.others

    def node(self, index: int) -> "Target":
        """The node that serves whoever has this number: what connects or publishes goes to the nodes in turn."""
        return self.nodes[index % len(self.nodes)]

    def channel_auth(self, socket_id: str, channel: str, channel_data: str | None = None) -> str:
        """The `auth` of a subscription to a private or presence channel."""
        text = f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"
        return f"{self.key}:{self._sign(text)}"

    def trigger(self, event: str, channel: str, data: str, *, keep_alive: bool = True) -> bytes:
        """A whole signed HTTP request that publishes one event."""
        body = json.dumps({"name": event, "channels": [channel], "data": data}).encode()
        path = f"/apps/{self.app_id}/events"
        query = (
            f"auth_key={self.key}&auth_timestamp={int(time.time())}&auth_version=1.0"
            f"&body_md5={hashlib.md5(body, usedforsecurity=False).hexdigest()}"
        )
        signature = self._sign(f"POST\n{path}\n{query}")
        head = (
            f"POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{_KEEP if keep_alive else _CLOSE}\r\n"
        )
        return head.encode() + body

    def _sign(self, text: str) -> str:
        return hmac.digest(self.secret.encode(), text.encode(), "sha256").hex()
