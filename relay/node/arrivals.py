"""What arrives at a node from the cluster, in its order, and what the node holds: see relay.cluster.receiver.Receiver.

Here clients are told of others. An app that is not served any more gets nothing. Must not know who may do what.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from relay.apps import App
from relay.node.channel import Channel
from relay.node.connection import Connection
from relay.node.namespace import Namespace
from relay.node.presence import Presence
from relay.node.recall import concerned, recall_resuming
from relay.protocol import events
from relay.protocol.session import Member
from relay.wire.frames import text_frame

_NO_MEMBERS: Mapping[str, bytes] = {}


class Viewers:
    """What the console takes from other nodes; this one takes nothing."""

    def observed(self, app_id: str, viewer: str, seconds: float) -> None:
        """See Receiver."""

    def shown(self, viewer: str, happening: bytes) -> None:
        """See Receiver."""


class Arrivals:
    """Of one node. `on_reload` is called when all nodes are to read their settings anew, `on_gap` with the connections that
    missed something for good."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self._namespaces = namespaces
        self.viewers = Viewers()
        self.on_reload: Callable[[], None] = lambda: None
        self.on_gap: Callable[[Sequence[Connection]], None] = lambda _connections: None

    def deliver(self, app_id: str, channel: str, frame: bytes, exclude: str | None) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is None:
            return
        audience = namespace.hub.audience(channel)
        if audience is not None:
            audience.send(frame, exclude)

    def _channel(self, app_id: str, name: str) -> Channel | None:
        namespace = self._namespaces.get(app_id)
        return None if namespace is None else namespace.hub.channels.get(name)

    # --- members

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None) -> None:
        """See Receiver. Who is in the channel as this member was told of it by the confirmation."""
        # As `_channel` does, a call less (bench/, scenario "presence").
        namespace = self._namespaces.get(app_id)
        found = None if namespace is None else namespace.hub.channels.get(channel)
        if found is None or found.presence is None:
            return
        found.presence.add(member.user_id, member.user_info)
        if found.gone and _is_back(found, member):
            return
        frame = text_frame(events.member_added(channel, member.user_id, member.user_info))
        if member.user_id in found.presence.here:
            found.send_to_others(frame, self._ids_of(app_id, channel, member.user_id))
        else:
            found.send(frame, exclude)

    def _ids_of(self, app_id: str, channel: str, user_id: str) -> set[str]:
        """The socket ids of the connections that are in this channel as the user, whoever they are in others."""
        sessions = [connection.session for connection in self._namespaces[app_id].hub.in_the_name_of(user_id)]
        return {session.socket_id for session in sessions if session.subscriptions.get(channel) == user_id}

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        """See Receiver."""
        found = self._channel(app_id, channel)
        if found is not None and found.presence is not None:
            _remove(found, found.presence, user_id)

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes]) -> None:
        """See Receiver."""
        found = self._channel(app_id, channel)
        if found is None or found.presence is None:
            return
        presence = found.presence
        for user_id in [user_id for user_id, info in presence.items() if members.get(user_id) != info]:
            _remove(found, presence, user_id)
        for user_id, info in members.items():
            if user_id not in presence:
                presence.add(user_id, info)
                found.send(text_frame(events.member_added(channel, user_id, info)))

    def count_told(self, app_id: str, channel: str, count: int) -> None:
        """See Receiver. A reload may have switched it off while the count was on its way."""
        namespace = self._namespaces.get(app_id)
        found = None if namespace is None else namespace.hub.channels.get(channel)
        if namespace is not None and found is not None and namespace.app.subscription_count:
            found.send(text_frame(events.subscription_count(channel, count)))

    # --- users

    def went_online(self, app_id: str, user_id: str, exclude: str | None) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is not None:
            namespace.tell_watchers(user_id, events.watchlist_events([user_id], ()), exclude)

    def went_offline(self, app_id: str, user_id: str) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is not None:
            namespace.tell_watchers(user_id, events.watchlist_events((), [user_id]), None)

    def terminated(self, app_id: str, user_id: str) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is not None:
            namespace.terminated(user_id)

    def unsubscribed(self, app_id: str, user_id: str, channel: str | None) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is not None:
            namespace.unsubscribed(user_id, channel)

    # --- the node

    def reloaded(self) -> None:
        """See Receiver."""
        self.on_reload()

    def observed(self, app_id: str, viewer: str, seconds: float) -> None:
        """See Receiver."""
        self.viewers.observed(app_id, viewer, seconds)

    def shown(self, viewer: str, happening: bytes) -> None:
        """See Receiver."""
        self.viewers.shown(viewer, happening)

    def missed(self, channels: Iterable[tuple[str, str]]) -> None:
        """See Receiver."""
        for app_id, missed in groupby(sorted(channels), itemgetter(0)):
            namespace = self._namespaces.get(app_id)
            if namespace is not None:
                names = {name for _, name in missed}
                namespace.reports.missed(len(names))
                recall_resuming(namespace.hub.connections.values(), namespace.app, names)
                self.on_gap(concerned(namespace.hub.connections.values(), names))

    # --- what it holds

    def app_ids(self) -> Collection[str]:
        """See Receiver."""
        return self._namespaces.keys()

    def app(self, app_id: str) -> App | None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        return None if namespace is None else namespace.app

    def hit(self, app_id: str, limit: str) -> None:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        if namespace is not None:
            namespace.stats.hit(limit)

    def connections_here(self, app_id: str) -> int:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        return 0 if namespace is None else len(namespace.hub.connections)

    def channels_here(self, app_id: str) -> Iterable[str]:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        return [] if namespace is None else [channel.rules.name for channel in namespace.hub if channel.reported]

    def subscriptions_here(self, app_id: str, channel: str) -> int:
        """See Receiver."""
        found = self._channel(app_id, channel)
        return 0 if found is None else found.reported

    def members_here(self, app_id: str, channel: str) -> Mapping[str, bytes]:
        """See Receiver. A view, or a copy where it is not all of the members: a node that is alone asks at each join."""
        namespace = self._namespaces.get(app_id)
        found = None if namespace is None else namespace.hub.channels.get(channel)
        presence = None if found is None else found.presence
        if presence is None:
            return _NO_MEMBERS
        if len(presence) == len(presence.here):
            return presence
        return {user_id: info for user_id, info in presence.items() if user_id in presence.here}

    def users_here(self, app_id: str) -> Collection[str]:
        """See Receiver."""
        namespace = self._namespaces.get(app_id)
        return () if namespace is None else namespace.hub.users


def _remove(channel: Channel, presence: Presence, user_id: str) -> None:
    """The member is gone: tell the others, unless they have not heard that it came."""
    name, info = channel.rules.name, presence.remove(user_id)
    if info is None:
        return
    if not (channel.is_holding and channel.take_back(text_frame(events.member_added(name, user_id, info)))):
        channel.send(text_frame(events.member_removed(name, user_id)))
        channel.note_gone(user_id, info)


def _is_back(channel: Channel, member: Member) -> bool:
    """Whether the member is back as it was, and nobody has heard that it was gone."""
    if channel.gone.get(member.user_id) != member.user_info:
        return False
    return channel.take_back(text_frame(events.member_removed(channel.rules.name, member.user_id)))
