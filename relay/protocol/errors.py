"""The catalogue of error codes (A12), grouped by what a client must do next, and the protocol's exceptions.

ProtocolError ── the peer broke a rule; `code` and `message` may be shown to it
├── Rejected            the connection must end with `code`
├── MessageRefused      this one message is refused, the connection stays
│   └── RateLimited     because it came too soon after the ones before it
└── SubscriptionRefused this one subscription is refused, the connection stays
"""

from enum import IntEnum
from typing import Final


class CloseCode(IntEnum):
    """Codes that end a connection. The hundreds tell the client what to do."""

    # 4000-4099: do not connect again unchanged.
    APP_NEEDS_TLS = 4000
    UNKNOWN_APP = 4001
    APP_DISABLED = 4003
    OVER_CONNECTION_LIMIT = 4004
    PATH_NOT_FOUND = 4005
    INVALID_VERSION = 4006
    UNSUPPORTED_PROTOCOL = 4007
    NO_PROTOCOL = 4008
    UNAUTHORIZED = 4009

    # 4100-4199: connect again after a pause.
    OVER_CAPACITY = 4100

    # 4200-4299: connect again at once.
    RECONNECT = 4200
    PONG_TIMEOUT = 4201
    INACTIVE = 4202


# 43xx: told in a pusher:error or a subscription error, the connection stays.
CLIENT_EVENT_REFUSED: Final = 4301
MEMBER_TOO_BIG: Final = 4301
LIMIT_REACHED: Final = 4100
NAME_REFUSED: Final = 4009
SIGN_IN_REFUSED: Final = 4009
WATCHLIST_CUT: Final = 4302
SIGNATURE_REFUSED: Final = 401


class ProtocolError(Exception):
    """The peer broke a rule of the protocol. `message` is for the peer, and never holds a secret; `limit` names the field of
    Limits that was passed, if it was one."""

    def __init__(self, message: str, code: int | None = None, *, limit: str | None = None) -> None:
        super().__init__(message, code)
        self.message = message
        self.code = code
        self.limit = limit

    def __str__(self) -> str:
        return self.message if self.code is None else f"{self.message} ({self.code})"


class Rejected(ProtocolError):
    """The connection cannot go on: it is told `message` and closed with `code`."""

    code: int

    def __init__(self, code: int, message: str, *, limit: str | None = None) -> None:
        super().__init__(message, code, limit=limit)


class MessageRefused(ProtocolError):
    """One message is refused with pusher:error; `channel` names where it belongs, if anywhere."""

    def __init__(
        self, message: str, code: int | None = None, channel: str | None = None, *, limit: str | None = None
    ) -> None:
        super().__init__(message, code, limit=limit)
        self.channel = channel


class RateLimited(MessageRefused):
    """The message came too soon after the ones before it."""


class SubscriptionRefused(ProtocolError):
    """One subscription is refused with pusher:subscription_error (A6): `kind` is its `type`, `code` its `status`."""

    code: int

    def __init__(self, channel: str, kind: str, message: str, status: int, *, limit: str | None = None) -> None:
        super().__init__(message, status, limit=limit)
        self.channel = channel
        self.kind = kind
