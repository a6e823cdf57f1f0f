"""The framing of pusher-js's HTTP transports (G), which is SockJS's: one frame a line.

Must not know requests, sessions or time.
"""

from collections.abc import Iterable
from typing import Annotated, Final

from msgspec import Meta
from orjson import dumps

from relay.wire.decoding import decoder
from relay.wire.halves import json_bytes

OPEN: Final = b"o\n"
HEARTBEAT: Final = b"h\n"
# What answers the client's own ping: a heartbeat would be answered with another ping, for ever.
PONG: Final = b"a[]\n"

# Messages of one request. They are made in one turn of the event loop, and a body of the greatest size could hold 350,000.
# pusher-js sends each in a request of its own.
MAX_MESSAGES: Final = 4_096

# A message may be passed on; what it must be is looked at when it is read.
_Messages = Annotated[list[str], Meta(max_length=MAX_MESSAGES)]
_decode_messages = decoder(_Messages, passes_on=("",))


def messages_frame(messages: Iterable[bytes]) -> bytes:
    """Messages (JSON texts) for the client, in their order."""
    return b"a" + dumps([message.decode() for message in messages]) + b"\n"


def close_frame(code: int, reason: str) -> bytes:
    """The end of the session: the client takes it for a close with this code."""
    return b"c" + dumps([code, reason]) + b"\n"


def parse_messages(body: bytes) -> list[bytes]:
    """The messages that a client sends in one request; none is its ping. Raises Malformed."""
    return [json_bytes(message) for message in _decode_messages(body)]
