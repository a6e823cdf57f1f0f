"""Webhooks (D): what is told to a back end, the body that carries it, and its signature.

Must not know who is told, how, or when.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from relay.protocol import signatures
from relay.wire import halves

EventName = Literal[
    "channel_occupied",
    "channel_vacated",
    "member_added",
    "member_removed",
    "client_event",
    "cache_miss",
    "subscription_count",
]

# Who can make an event happen: strangers; who was let in, by joining and leaving; who was let in, as a member. Each has room
# of its own where events wait.
ANYBODY: Final = "anybody"
CHANNELS: Final = "channels"
MEMBERS: Final = "members"
CAUSES: Final = (ANYBODY, CHANNELS, MEMBERS)

# Channels that only who was let in by a signature makes happen anything in.
_AUTHORISED: Final = ("private-", "presence-", "#server-to-user-")
_OF_MEMBERS: Final = frozenset({"member_added", "member_removed", "client_event"})

# Seconds. A page that reloads leaves and comes back: within GRACE nobody is told. Several clients that miss the same cached
# event at once are told of once in MISS_INTERVAL.
GRACE: Final = 3.0
MISS_INTERVAL: Final = 3.0

KEY_HEADER: Final = "X-Pusher-Key"
SIGNATURE_HEADER: Final = "X-Pusher-Signature"
# Ours: what each event of the body is known by, so that one that is told once more can be passed over.
IDS_HEADER: Final = "X-Pushdesk-Webhook-Ids"


class WebhookEvent(Struct, frozen=True, omit_defaults=True):
    """Something that happened in a channel. Fields that an event does not have are left out."""

    name: EventName
    channel: str
    event: str | None = None
    data: str | None = None
    socket_id: str | None = None
    user_id: str | None = None
    subscription_count: int | None = None

    def fields(self) -> dict[str, object]:
        """The event as it stands in the body."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in values.items() if value is not None}


def cause_of(event: WebhookEvent) -> str:
    """Who can make such an event happen: ANYBODY; or somebody who was let in, by joining and leaving CHANNELS or as one of
    their MEMBERS."""
    if event.name in _OF_MEMBERS:
        return MEMBERS
    return CHANNELS if event.channel.startswith(_AUTHORISED) else ANYBODY


def body_of(events: Sequence[WebhookEvent], now: float) -> bytes:
    """The body that tells of `events`, oldest first; `now` is unix time in seconds."""
    return halves.dumps({"time_ms": int(now * 1_000), "events": [event.fields() for event in events]})


def headers_of(key: str, secret: str, body: bytes) -> dict[str, str]:
    """The headers of a request with this body. One SDK compares the content type to the letter."""
    return {
        "Content-Type": "application/json",
        KEY_HEADER: key,
        SIGNATURE_HEADER: signatures.sign(secret, body.decode()),
    }
