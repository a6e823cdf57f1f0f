"""What a node does for the cluster, and what it holds. Called by the implementations of this folder; the node is above
them.

All calls return at once and do not raise. Names of apps and channels may be unknown to the node by now: then nothing
happens.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from relay.apps import App
from relay.protocol.session import Member
from relay.protocol.webhooks import WebhookEvent


class Receiver(Protocol):
    """What arrives at a node, in order."""

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None, /) -> None:
        """Hand a frame to the channel's subscribers here, but for `exclude`."""

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None, /) -> None:
        """A member is new in the cluster."""

    def member_removed(self, app_id: str, channel: str, user_id: str, /) -> None:
        """A member is nowhere in the cluster any more."""

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes], /) -> None:
        """All members, after a gap: clients are told what is different from what they know."""

    def count_told(self, app_id: str, channel: str, count: int, /) -> None:
        """Subscribers are to be told how many they are in the cluster."""

    def went_online(self, app_id: str, user_id: str, exclude: str | None, /) -> None:
        """A watched user is signed in somewhere; watchers are told but for the socket id `exclude`."""

    def went_offline(self, app_id: str, user_id: str, /) -> None:
        """A watched user is signed in nowhere any more."""

    def terminated(self, app_id: str, user_id: str, /) -> None:
        """See Commands.terminate."""

    def unsubscribed(self, app_id: str, user_id: str, channel: str | None, /) -> None:
        """See Commands.unsubscribe."""

    def reloaded(self) -> None:
        """See Commands.reload."""

    def observed(self, app_id: str, viewer: str, seconds: float, /) -> None:
        """See Commands.observe."""

    def shown(self, viewer: str, happening: bytes, /) -> None:
        """See Commands.show. Arrives at all nodes; the one that has the viewer shows it."""

    def missed(self, channels: Iterable[tuple[str, str]], /) -> None:
        """A gap: messages to these channels (app id, channel) were lost to this node for good, and no history had them.
        Called before what was sent behind the gap is delivered."""

    # What this node holds. Read when the cluster has to be told all of it anew, and by the roster of a node that is alone.

    def app_ids(self) -> Iterable[str]:
        """The apps served here."""

    def app(self, app_id: str, /) -> App | None:
        """The settings of an app; None when it is not served here."""

    def hit(self, app_id: str, limit: str, /) -> None:
        """A limit of the app was passed, by name: a figure for the metrics."""

    def connections_here(self, app_id: str, /) -> int:
        """Open connections."""

    def channels_here(self, app_id: str, /) -> Iterable[str]:
        """Channels with subscribers, in the order in which they were occupied."""

    def subscriptions_here(self, app_id: str, channel: str, /) -> int:
        """Subscribers of a channel; 0 when there are none."""

    def members_here(self, app_id: str, channel: str, /) -> Mapping[str, bytes]:
        """User id → user_info of the members who have a connection here."""

    def users_here(self, app_id: str, /) -> Collection[str]:
        """Users who are signed in."""


class Witness(Protocol):
    """Tells back ends (webhooks) of what happens in the cluster, each thing once; a relay of one node has its own, in the
    others the events go through Redis. Every call returns at once."""

    def happened(self, app_id: str, event: WebhookEvent, /) -> None:
        """Tell of an event."""

    def came(self, app_id: str, event: WebhookEvent, /) -> None:
        """Tell of a channel that got occupied or a member that was added, unless it was gone for a moment only."""

    def left(self, app_id: str, event: WebhookEvent, came_name: str, /) -> None:
        """Tell of a channel that was vacated or a member that was removed, if it does not come back within the grace."""
