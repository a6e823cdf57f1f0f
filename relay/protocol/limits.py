"""Every limit of the protocol, with its unit, its default and where the number comes from.

Must not know which app a limit belongs to: an app holds one `Limits` value.
"""

from typing import Annotated, Final

from msgspec import Meta, Struct

# B: a signed request is refused when its clock is further away than this. Seconds.
TIMESTAMP_TOLERANCE: Final = 600

# A3: how long a peer may take to answer a ping before it counts as gone. Seconds.
PONG_TIMEOUT: Final = 30

# A11: how long a connection of an app that wants authorised ones may go without any signature. Seconds.
AUTHORIZATION_TIMEOUT: Final = 30

Positive = Annotated[int, Meta(ge=1)]


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """What one app may do. Passing a limit is answered with the code that the comment names; nothing is cut off silently."""

    channel_name_length: Annotated[int, Meta(ge=1, le=200)] = 200
    """Characters. Hosted documents 164, its SDKs and other servers allow 200. 4009 in a subscription, 400 in the HTTP API."""

    event_name_length: Positive = 200
    """Characters. Hosted. 4301 in a client event, 400 in the HTTP API."""

    event_data_bytes: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_240
    """Bytes of UTF-8 in one event's data. Hosted: 10 KB; may be raised. 4301 in a client event, 413 in the HTTP API."""

    channels_per_publish: Positive = 100
    """Channels that one trigger may name. Hosted. 400."""

    events_per_batch: Positive = 10
    """Events in one batch. Hosted. 400."""

    presence_members: Positive = 100
    """Distinct users in one presence channel. Hosted. 4100 in the subscription error."""

    presence_member_bytes: Positive = 2_048
    """Bytes of channel_data. Hosted takes 1 KB, soketi and sockudo 2 KB. 4301 in the subscription error."""

    user_id_length: Positive = 128
    """Characters of any kind. Hosted. 4009 in the subscription error and for a sign-in, 400 in the HTTP API."""

    client_events_per_second: Positive = 10
    """Client events of one connection, also the size of a burst. Hosted. 4301."""

    client_events_per_channel: Annotated[int, Meta(ge=0)] = 0
    """Client events in one channel on this node, of all senders together, also the size of a burst; 0 for no limit. 4301."""

    messages_per_second: Annotated[int, Meta(ge=0)] = 100
    """Messages of one connection, whatever they are, beside its client events; 0 for no limit. Ours (decision 0011). Nothing
    is refused: what is over it is read later. A burst is `message_burst`."""

    subscriptions: Positive = 1_000
    """Channels that one connection may be subscribed to. Ours: bounds what one client can make us remember. 4100."""

    api_requests_per_second: Annotated[int, Meta(ge=0)] = 0
    """HTTP API requests of the app's back ends on this node, also the size of a burst; 0 for no limit. 429."""

    watchlist: Positive = 100
    """User ids that one signed-in user may watch; the first ones are kept. Hosted. 4302."""

    cache_ttl: Positive = 1_800
    """Seconds for which a cache channel remembers its last event. Hosted: up to 30 minutes."""

    cached_events: Positive = 5_000
    """Cache channels whose last event is remembered on this node; the oldest goes first. Ours: bounds memory."""

    history_bytes: Annotated[int, Meta(ge=1_048_576)] = 67_108_864
    """Bytes that the histories of all channels may take on this node (A13); the one that was quiet for longest goes first.
    Ours: bounds memory."""

    connections: Annotated[int, Meta(ge=0)] = 0
    """Open connections of the app on this node, 0 for no limit of its own. 4004 closes the one too many."""

    connections_per_address: Annotated[int, Meta(ge=0)] = 0
    """Of these, and of those whose socket still closes, from one IPv4 address or one /64 network of IPv6; 0 for no limit.
    4100 closes the one too many."""

    message_bytes: Annotated[int, Meta(ge=1_024, le=100_000_000)] = 65_536
    """Bytes of one WebSocket message from a client, after joining its fragments. RFC 6455 code 1009 closes the connection."""

    @property
    def message_rate(self) -> int:
        """Messages a second that are read of one connection; 0 for no limit."""
        return self.messages_per_second and self.messages_per_second + self.client_events_per_second

    @property
    def message_burst(self) -> int:
        """Messages of one connection that are read at once: it may leave all its channels and join as many others."""
        return self.message_rate + 2 * self.subscriptions
