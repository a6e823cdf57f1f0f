"""Channel names: which kind a name is, and what that kind allows (A5).

Must not know who is subscribed.
"""

import re
from enum import Enum
from functools import lru_cache
from typing import Final

from msgspec import Struct

from relay.protocol.errors import ProtocolError
from relay.protocol.limits import Limits

_SERVER_TO_USER: Final = "#server-to-user-"
_SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")


class Kind(Enum):
    """The families of channels; the value is the prefix of the name."""

    PRIVATE_ENCRYPTED_CACHE = "private-encrypted-cache-"
    PRIVATE_ENCRYPTED = "private-encrypted-"
    PRIVATE_CACHE = "private-cache-"
    PRIVATE = "private-"
    PRESENCE_CACHE = "presence-cache-"
    PRESENCE = "presence-"
    CACHE = "cache-"
    SERVER_TO_USER = _SERVER_TO_USER
    PUBLIC = ""


_PRESENCE: Final = frozenset({Kind.PRESENCE, Kind.PRESENCE_CACHE})
_OPEN: Final = frozenset({Kind.PUBLIC, Kind.CACHE, Kind.SERVER_TO_USER})
_CACHE: Final = frozenset({Kind.CACHE, Kind.PRIVATE_CACHE, Kind.PRIVATE_ENCRYPTED_CACHE, Kind.PRESENCE_CACHE})
_CLIENT_EVENTS: Final = _PRESENCE | {Kind.PRIVATE, Kind.PRIVATE_CACHE}


class ChannelRules(Struct, frozen=True, gc=False):
    """What a channel of this name asks for and allows."""

    name: str
    kind: Kind
    needs_auth: bool
    is_presence: bool
    is_cache: bool
    allows_client_events: bool

    @property
    def user_id(self) -> str | None:
        """Whose channel it is, on a server-to-user channel."""
        return self.name.removeprefix(_SERVER_TO_USER) if self.kind is Kind.SERVER_TO_USER else None


class InvalidChannelName(ProtocolError):
    """The name is too long, has a forbidden character, or is reserved."""


# A5: the characters of a name; the longest prefix that fits comes first. Names that begin with # are the server's own, and
# those of users hold whatever id was signed.
_NAME: Final = re.compile("(" + "|".join(kind.value for kind in Kind) + ")[-a-zA-Z0-9_=@,.;]*")
_BARE: Final = frozenset({Kind.PUBLIC.value, _SERVER_TO_USER})
# What follows from a prefix, worked out once: a subscription to a new name costs one match (bench/, scenario "connections").
_TRAITS: Final = {
    kind.value: (kind, kind not in _OPEN, kind in _PRESENCE, kind in _CACHE, kind in _CLIENT_EVENTS) for kind in Kind
}


@lru_cache(maxsize=8_192)
def rules_for(name: str) -> ChannelRules:
    """The rules of the channel `name`, whatever its length. Raises InvalidChannelName for a name that no client may use."""
    match = _NAME.fullmatch(name)
    if match is None or (match[1] == name and name in _BARE):
        if name.startswith(_SERVER_TO_USER) and name != _SERVER_TO_USER:
            return ChannelRules(name, *_TRAITS[_SERVER_TO_USER])
        raise InvalidChannelName(
            "A channel name holds one or more of the characters a-z A-Z 0-9 _ - = @ , . ; and nothing else"
        )
    return ChannelRules(name, *_TRAITS[match[1]])


def ensure_channel(name: str, limits: Limits) -> ChannelRules:
    """The rules of `name`, if it is not too long: as a name, or as the id of a user. Raises InvalidChannelName."""
    if len(name) > limits.channel_name_length or name[:1] == "#":
        _ensure_length(name, limits)
    return rules_for(name)


def _ensure_length(name: str, limits: Limits) -> None:
    if name.startswith(_SERVER_TO_USER):
        if len(name) - len(_SERVER_TO_USER) > limits.user_id_length:
            text = f"The id of a user is at most {limits.user_id_length} characters long"
            raise InvalidChannelName(text, limit="user_id_length")
    elif len(name) > limits.channel_name_length:
        text = f"A channel name is at most {limits.channel_name_length} characters long, this one has {len(name)}"
        raise InvalidChannelName(text, limit="channel_name_length")


def channel_of(user_id: str) -> str:
    """The name of the channel of what is sent to a user: to all who are signed in with this id, whatever it holds (A11)."""
    return f"{_SERVER_TO_USER}{user_id}"


def is_socket_id(text: str) -> bool:
    """Whether `text` looks like a socket id: two unsigned integers joined by a dot (A3)."""
    return _SOCKET_ID.fullmatch(text) is not None
