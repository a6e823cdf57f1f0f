"""Messages from a client (A2, A5, A10): bytes → Subscribe | Unsubscribe | SignIn | ClientEvent | Ping | Pong.

Checks the shape only; whether a command is allowed is the session's business.
"""

from typing import Final

from msgspec import Raw, Struct

from relay.protocol.errors import MessageRefused
from relay.wire.decoding import Malformed, decoder

_CLIENT_PREFIX: Final = "client-"


class Subscribe(Struct, frozen=True, gc=False):
    """pusher:subscribe. Some clients give an empty `auth` where none is needed; `channel_data` is the raw signed string.

    `since` is of a client that can resume (A13): the id of the last event that it knows of the channel, empty while it knows
    none.
    """

    channel: str
    auth: str | None = None
    channel_data: str | None = None
    since: str | None = None


class Unsubscribe(Struct, frozen=True, gc=False):
    """pusher:unsubscribe."""

    channel: str


class SignIn(Struct, frozen=True, gc=False):
    """pusher:signin (A11). `user_data` is the raw signed string."""

    auth: str
    user_data: str


class ClientEvent(Struct, frozen=True, gc=False):
    """A client-… event. `data` is the JSON exactly as it came."""

    name: str
    channel: str
    data: bytes


class Ping(Struct, frozen=True, gc=False):
    """pusher:ping: the client wants a pong."""


class Pong(Struct, frozen=True, gc=False):
    """pusher:pong: the answer to our ping."""


Command = Subscribe | Unsubscribe | SignIn | ClientEvent | Ping | Pong

_PING: Final = Ping()
_PONG: Final = Pong()


class _Envelope(Struct):
    event: str
    channel: str | None = None
    data: Raw = Raw(b"null")


_decode_envelope = decoder(_Envelope)
_decode_subscribe = decoder(Subscribe)
_decode_unsubscribe = decoder(Unsubscribe)
_decode_sign_in = decoder(SignIn)
_decode_text = decoder(str)


def parse(message: bytes | bytearray) -> Command:
    """The command in one text message. Raises MessageRefused, with a text that names what was expected."""
    try:
        envelope = _decode_envelope(message)
        return _client_event(envelope) if envelope.event.startswith(_CLIENT_PREFIX) else _command(envelope)
    except Malformed as error:
        raise MessageRefused(f"Invalid message: {error}") from None


def _command(envelope: _Envelope) -> Command:
    match envelope.event:
        case "pusher:subscribe":
            return _decode_subscribe(_unwrapped(envelope.data))
        case "pusher:unsubscribe":
            return _decode_unsubscribe(_unwrapped(envelope.data))
        case "pusher:signin":
            return _decode_sign_in(_unwrapped(envelope.data))
        case "pusher:ping":
            return _PING
        case "pusher:pong":
            return _PONG
        case name:
            raise MessageRefused(f"Unknown event {name[:200]!r}: a client's own events begin with {_CLIENT_PREFIX!r}")


def _client_event(envelope: _Envelope) -> ClientEvent:
    if envelope.channel is None:
        raise MessageRefused("Invalid message: a client event names its channel")
    return ClientEvent(envelope.event, envelope.channel, bytes(envelope.data))


def _unwrapped(data: Raw) -> Raw | str:
    """The object in `data`; some clients send it as a string of JSON (A2)."""
    return _decode_text(data) if bytes(data)[:1] == b'"' else data
