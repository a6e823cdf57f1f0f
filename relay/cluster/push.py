"""What nodes tell each other: a message, the push and the log's entry that carry it, and the shapes of what is in it. Pure.

A message is `kind exclude 0x00 body`: `kind` a letter, `exclude` the socket id that is left out, or empty, `body` a frame or
msgpack. A push is a message with its id and 0x00 in front; in the log the entry has the id. An id is empty where nothing is
logged. Scripts (relay/cluster/redis/scripts) write the same.

Kinds that a node does not know are to be passed over: nodes of two versions run side by side while they are replaced.
"""

from typing import Final

from msgspec import msgpack

# Body: the finished frame, encoded once in the cluster; of an event with an id of its own the JSON, framed at each node.
EVENT: Final = b"e"
CLIENT_EVENT: Final = b"c"
MEMBER_ADDED: Final = b"a"
MEMBER_REMOVED: Final = b"r"
COUNT: Final = b"n"
# Without a body: the topic names the user.
ONLINE: Final = b"o"
OFFLINE: Final = b"f"
TERMINATE: Final = b"x"
UNSUBSCRIBE: Final = b"w"
CONTROL: Final = b"k"

# User id, and user_info as JSON.
MemberAdded = tuple[str, str]
# User id.
MemberRemoved = str
# Subscriptions to the channel in the cluster.
Count = int
# The channel that the topic's user loses, None for all that need a signature (decision 0014).
Unsubscribe = tuple[str | None]
# An order to all nodes and its arguments.
Control = list[object]

Body = MemberAdded | MemberRemoved | Count | Unsubscribe | Control

_END: Final = b"\0"
_encode: Final = msgpack.Encoder().encode


def message(kind: bytes, body: bytes = b"", exclude: str | None = None) -> bytes:
    """A message with a body that is bytes already: a frame, or none."""
    return b"%b%b\0%b" % (kind, exclude.encode() if exclude else b"", body)


def message_of(kind: bytes, body: Body, exclude: str | None = None) -> bytes:
    """A message with a value in its body."""
    return message(kind, _encode(body), exclude)


def push(message: bytes, entry_id: bytes = b"") -> bytes:
    """What is pushed."""
    return entry_id + _END + message


def split_push(payload: bytes) -> tuple[bytes, bytes]:
    """Id and message of a push. Raises ValueError if it is none."""
    entry_id, message = payload.split(_END, 1)
    return entry_id, message


def split_message(message: bytes) -> tuple[bytes, str | None, bytes]:
    """Kind, socket id that is left out, and body of a message. Raises ValueError if it is none."""
    head, body = message.split(_END, 1)
    return head[:1], head[1:].decode() or None, body
