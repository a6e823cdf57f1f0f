"""Which app an upgrade to WebSocket is for: the address that Pusher's clients connect to (A1), around the handshake of wire/.

Must not know sockets.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.protocol.session import SUPPORTED_PROTOCOLS
from relay.wire.handshake import Opening, asks_for_websocket, parse_opening
from relay.wire.http import parse_query

# Targets that are remembered: the clients of an app ask for the same one (bench/, scenario "connections").
_KNOWN_TARGETS: Final = 256
# Where somebody looks for WebSockets: a path that ends as theirs does.
_WANTED: Final = re.compile(r"[^?]*app/[^/?]+(?:\?.*)?")
# Characters of a path that are told again.
_SHOWN: Final = 60
# What some clients offer, and then fail without: the versions of the Pusher protocol that are served. It changes nothing:
# what the address says of the version counts.
_SUBPROTOCOLS: Final = frozenset(b"pusher-channels-protocol-%d" % version for version in SUPPORTED_PROTOCOLS)


class Upgrade(Struct, frozen=True):
    """A valid request to switch to WebSocket: where to, and the handshake."""

    app_key: str
    protocol: str | None
    """The version of the Pusher protocol that the client asks for."""
    opening: Opening
    misplaced: str | None = None
    """What is wrong with the path, where it is not one of WebSockets: the client is to be told after the upgrade."""


def parse_upgrade(prefix: str, target: str, headers: Mapping[bytes, bytes]) -> Upgrade | None:
    """The upgrade that the request asks for, None when it asks for none. Raises BadUpgrade.

    `prefix` is the path before the app's key, "/app/". A path that only looks like that is upgraded too: to client
    libraries a refused upgrade means that WebSocket is blocked (A1), and a page cannot read why.
    """
    if not asks_for_websocket(headers):
        return None
    misplaced = None if target.startswith(prefix) else _misplaced(target, prefix)
    if misplaced == "":
        return None
    opening = parse_opening(headers, _SUBPROTOCOLS)
    app_key, protocol = _address_of(target, prefix)
    return Upgrade(app_key, protocol, opening, misplaced)


def _misplaced(target: str, prefix: str) -> str:
    """What is wrong with a target that is not below `prefix`; empty when it has nothing to do with WebSockets."""
    if _WANTED.fullmatch(target) is None:
        return ""
    path = target.partition("?")[0]
    if "//" in path:
        hint = ": a slash too many, wsPath ends without one"
    elif "/app/" not in path:
        hint = ": a slash is missing, wsPath begins with one"
    else:
        hint = ", see wsPath"
    return f"WebSockets are at {prefix}KEY, not at {path[:_SHOWN]}{hint}"


@lru_cache(maxsize=_KNOWN_TARGETS)
def _address_of(target: str, prefix: str) -> tuple[str, str | None]:
    """The app's key and the protocol version in a target."""
    path, _, query = target.partition("?")
    return unquote(path.removeprefix(prefix)), parse_query(query).get("protocol")
