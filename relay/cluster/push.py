"""What nodes tell each other: a push's payload, an entry of the log, and the values in them. Pure.

A push is `id 0x00 kind exclude 0x00 body`, an entry of the log the same without the id, which the log gives it. `kind` is a
letter; `exclude` the socket id that is left out, or empty; `body` the finished frame for EVENT and CLIENT_EVENT, so that it
is encoded once in the cluster and handed on as it is, and msgpack for all others. An id is empty where nothing is logged.

Kinds that a node does not know are to be passed over: nodes of two versions run side by side while they are replaced.
"""

from typing import Final, TypeVar

import msgspec
from msgspec import Struct

EVENT: Final = b"e"
CLIENT_EVENT: Final = b"c"
MEMBER_ADDED: Final = b"a"
MEMBER_REMOVED: Final = b"r"
COUNT: Final = b"n"
ONLINE: Final = b"o"
OFFLINE: Final = b"f"
TERMINATE: Final = b"x"
UNSUBSCRIBE: Final = b"w"
CONTROL: Final = b"k"

KINDS: Final = frozenset(
    {EVENT, CLIENT_EVENT, MEMBER_ADDED, MEMBER_REMOVED, COUNT, ONLINE, OFFLINE, TERMINATE, UNSUBSCRIBE, CONTROL}
)

_END: Final = b"\0"


class Push(Struct, frozen=True, gc=False):
    """One message. `id` is the log's, b"1732510000000-0" for example, or empty."""

    id: bytes
    kind: bytes
    exclude: bytes
    body: bytes


class MemberAdded(Struct, frozen=True, array_like=True):
    """Body of MEMBER_ADDED: `info` is the member's user_info as JSON, `frame` what subscribers get."""

    user_id: str
    info: bytes
    frame: bytes


class MemberRemoved(Struct, frozen=True, array_like=True):
    """Body of MEMBER_REMOVED: `frame` is what subscribers get."""

    user_id: str
    frame: bytes


class Count(Struct, frozen=True, array_like=True):
    """Body of COUNT: subscriptions to the channel in the cluster."""

    total: int


class Unsubscribe(Struct, frozen=True, array_like=True):
    """Body of UNSUBSCRIBE: the topic's user loses this channel, or with None all that need a signature (decision 0014)."""

    channel: str | None


Body = TypeVar("Body", bound=Struct)

_encoder: Final = msgspec.msgpack.Encoder()


class BadPush(ValueError):
    """Bytes that no node of ours has written."""


def message(kind: bytes, body: bytes, exclude: bytes = b"") -> bytes:
    """A message without its id: what a node hands to a script, and what stands in the log."""
    return kind + exclude + _END + body


def push(message: bytes, id: bytes = b"") -> bytes:  # noqa: A002 - the field's word
    """The payload that is pushed: the message with its id in front. Scripts do the same."""
    return id + _END + message


def read_push(payload: bytes) -> Push:
    """What was pushed. Raises BadPush."""
    try:
        id_, head, body = payload.split(_END, 2)
    except ValueError:
        raise BadPush(payload[:100]) from None
    return Push(id_, head[:1], head[1:], body)


def read_entry(id_: bytes, message: bytes) -> Push:
    """What stands in the log under this id. Raises BadPush."""
    head, end, body = message.partition(_END)
    if not end:
        raise BadPush(message[:100])
    return Push(id_, head[:1], head[1:], body)


def body_of(value: Struct) -> bytes:
    """The body with this value."""
    return _encoder.encode(value)


def read_body(push: Push, shape: type[Body]) -> Body:
    """The value in a push's body. Raises BadPush."""
    try:
        return msgspec.msgpack.decode(push.body, type=shape)
    except msgspec.DecodeError as error:
        raise BadPush(push.body[:100]) from error
