"""The roster over Redis: what this node reports of itself, and what it asks of all (relay/cluster/roster.py is the contract).

Every edge is decided and told by a script (scripts/_roster.lua); here is what this node holds, when it is reported, and what
has to be asserted anew. Must not know links, clients or hubs.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from relay.cluster.bus import Unavailable
from relay.cluster.receiver import Receiver
from relay.cluster.redis.link import Argument
from relay.cluster.redis.loads import Loads
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions, user_topic
from relay.cluster.redis.reports import Assertion
from relay.cluster.roster import ChannelInfo, Entered, Full, Wanted
from relay.protocol.session import Member

# Seconds in which further changes of a channel's subscriptions are reported as one.
COALESCED: Final = 0.2
# Seconds until a question is asked again that had no answer.
RETRY: Final = 0.2
# Channels in a page of a list.
PAGE: Final = 1_000
# What one call takes back of a dead node, or tells of those whose grace is over: about 2 ms of Redis.
REAPED: Final = 100
SWEPT: Final = 100
# So many calls a second are made by all nodes; where it would be more, about REAPERS nodes see to each partition.
MOST_CALLS: Final = 1_000
REAPERS: Final = 3
# Holdings of one assertion: bounded in number and bytes, as many assertions are on their way at once.
ASSERTED: Final = 50
ASSERTED_BYTES: Final = 8_192

Key = tuple[str, str]
Later = Callable[[float, Callable[[], None]], object]

_pack: Final = msgspec.msgpack.Encoder().encode


class _Room:
    """A presence channel with `members` of this node (user id → user_info), or some who have `asked` to come in.

    `known` are all of whom clients here know that they are in, as they know them; None until the node was given the list."""

    __slots__ = ("asked", "known", "members")

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.known: dict[str, bytes] | None = None
        self.members: dict[str, bytes] = {}

    def info_of(self, user_id: str) -> bytes:
        """The user_info of a member of this node, as clients know it: the one who was there first may be on another."""
        return (self.known or {}).get(user_id) or self.members[user_id]


class _Count:
    """How many subscriptions a channel has here, and whether subscribers are told how many they are."""

    __slots__ = ("is_told", "subscriptions")

    def __init__(self, subscriptions: int, *, is_told: bool) -> None:
        self.subscriptions = subscriptions
        self.is_told = is_told


class _Watched:
    """A user of whom connections here want to know whether they are online; None: not known yet."""

    __slots__ = ("is_online",)

    def __init__(self) -> None:
        self.is_online: bool | None = None


class _Held:
    """What this node holds in one partition."""

    def __init__(self) -> None:
        self.rooms: dict[Key, _Room] = {}
        self.counts: dict[Key, _Count] = {}
        # Who is signed in, and whether Redis has it.
        self.users: dict[Key, bool] = {}
        self.watched: dict[Key, _Watched] = {}


class RedisRoster:
    """See Roster. `begin` comes before everything else."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._partition_of = partitions.of
        self._receiver: Receiver
        self._loads: Loads
        self._later: Later
        self._held = {id(partition): _Held() for partition in partitions.all}
        self._changed: dict[Key, None] = {}
        self._is_flush_due = False
        self._repeating: set[tuple[int, str]] = set()

    def begin(self, receiver: Receiver, loads: Loads, later: Later) -> None:
        """Tell `receiver`; `later` is the loop's call_later."""
        self._receiver, self._loads, self._later = receiver, loads, later

    # --- members ---------------------------------------------------------------------------------------------------------

    def enter(
        self,
        app_id: str,
        channel: str,
        member: Member,
        limit: int,
        exclude: str,
        done: Callable[[Entered | Full], None],
        /,
    ) -> None:
        """See Roster."""
        partition, key = self._partition_of(app_id, channel), (app_id, channel)
        room = self._held_in(partition).rooms.setdefault(key, _Room())
        room.asked.add(member.user_id)

        def take(answer: Any) -> None:
            room.asked.discard(member.user_id)
            if answer == b"FULL":
                self._drop_if_empty(partition, key)
                done(Full())
                return
            room.members[member.user_id] = member.user_info
            members = _pairs(answer) if isinstance(answer, list) else None
            if members is not None and room.known is None:
                # Later lists may have some of whom it is yet to be told.
                room.known = dict(members)
            done(Entered(members))

        flags = self._flag(app_id), int(room.known is None)
        arguments = (app_id, channel, member.user_id, member.user_info, limit, exclude, *flags)
        partition.reports.report(("member", app_id, channel, member.user_id), "enter", arguments, take)

    def leave(self, app_id: str, channel: str, user_id: str, handover: float = 0.0, /) -> None:
        """See Roster."""
        partition, key = self._partition_of(app_id, channel), (app_id, channel)
        room = self._held_in(partition).rooms.get(key)
        if room is not None:
            room.asked.discard(user_id)
            room.members.pop(user_id, None)
            self._drop_if_empty(partition, key)
        arguments = (app_id, channel, user_id, round(handover * 1_000), self._flag(app_id))
        partition.reports.report(("member", app_id, channel, user_id), "leave", arguments)

    def _drop_if_empty(self, partition: Partition, key: Key) -> None:
        rooms = self._held_in(partition).rooms
        room = rooms.get(key)
        if room is not None and not room.members and not room.asked:
            del rooms[key]

    # --- counts ----------------------------------------------------------------------------------------------------------

    def count(self, app_id: str, channel: str, subscriptions: int, is_told: bool, /) -> None:
        """See Roster. What comes between the first and the last is reported at most once in COALESCED seconds."""
        key, counts = (app_id, channel), self._held_in(self._partition_of(app_id, channel)).counts
        known = counts.get(key)
        if not subscriptions:
            if counts.pop(key, None) is not None:
                self._changed.pop(key, None)
                self._report_count(key, _Count(0, is_told=is_told), is_again=False)
        elif known is None:
            counts[key] = known = _Count(subscriptions, is_told=is_told)
            self._report_count(key, known, is_again=False)
        else:
            known.subscriptions, known.is_told = subscriptions, is_told
            self._changed[key] = None
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self._later(COALESCED, self._flush)

    def _flush(self) -> None:
        changed, self._changed, self._is_flush_due = self._changed, {}, False
        for key in changed:
            self._report_count(key, self._held_in(self._partition_of(*key)).counts[key], is_again=False)

    def _report_count(self, key: Key, count: _Count, *, is_again: bool) -> None:
        app_id, channel = key
        partition = self._partition_of(app_id, channel)

        def take(wait: int) -> None:
            if wait:
                self._later(wait / 1_000, lambda: self._ask_again(partition, key, count))

        flags = self._flag(app_id), int(count.is_told), int(is_again)
        partition.reports.report(("count", *key), "count", (app_id, channel, count.subscriptions, *flags), take)

    def _ask_again(self, partition: Partition, key: Key, count: _Count) -> None:
        """The count could not be told yet. A change since then asks on its own; those who are left elsewhere are told by the
        node that nobody is left on."""
        known = self._held_in(partition).counts.get(key)
        if key not in self._changed and (known is count or (known is None and not count.subscriptions)):
            self._report_count(key, count, is_again=True)

    # --- users -----------------------------------------------------------------------------------------------------------

    def sign_in(self, app_id: str, user_id: str, exclude: str, /) -> None:
        """See Roster."""
        partition, key = self._partition_of(app_id, user_id), (app_id, user_id)
        users = self._held_in(partition).users
        users[key] = False

        def take(_answer: Any) -> None:
            users[key] = True

        # Orders to the user's connections come here as well.
        partition.listen(user_topic(partition, app_id, user_id), "u", app_id, user_id)
        partition.reports.report(("user", *key), "sign_in", (app_id, user_id, exclude), take)

    def sign_out(self, app_id: str, user_id: str, /) -> None:
        """See Roster."""
        partition, key = self._partition_of(app_id, user_id), (app_id, user_id)
        self._held_in(partition).users.pop(key, None)
        partition.reports.report(("user", *key), "sign_out", (app_id, user_id))
        self._ignore_if_unwanted(partition, key)

    def watch(self, app_id: str, user_ids: Sequence[str], done: Callable[[frozenset[str]], None], /) -> None:
        """See Roster."""
        answers = _Answers(user_ids, done)
        for user_id in dict.fromkeys(user_ids):
            partition, key = self._partition_of(app_id, user_id), (app_id, user_id)
            self._held_in(partition).watched.setdefault(key, _Watched())
            self._ask_whether_online(partition, key, answers.take)
        answers.count_down()

    def unwatch(self, app_id: str, user_ids: Sequence[str], /) -> None:
        """See Roster."""
        for user_id in user_ids:
            partition = self._partition_of(app_id, user_id)
            self._held_in(partition).watched.pop((app_id, user_id), None)
            self._ignore_if_unwanted(partition, (app_id, user_id))

    def _ignore_if_unwanted(self, partition: Partition, key: Key) -> None:
        held = self._held_in(partition)
        if key not in held.users and key not in held.watched:
            partition.ignore(user_topic(partition, *key))

    def _ask_whether_online(self, partition: Partition, key: Key, done: Callable[[str, bool], None]) -> None:
        """Listen first, then ask: between the two nothing is missed. Asked until it is answered, or nobody wants to know."""
        watched = self._held_in(partition).watched[key]
        app_id, user_id = key

        def ask() -> None:
            partition.command((b"SCARD", partition.base + f"user:{app_id}:{user_id}".encode()), take)

        def take(answer: int | Unavailable) -> None:
            if self._held_in(partition).watched.get(key) is not watched:
                done(user_id, False)
            elif isinstance(answer, Unavailable):
                self._later(RETRY, lambda: self._listen_to_user(partition, key, ask))
            else:
                self._set_online(partition, key, bool(answer))
                done(user_id, bool(watched.is_online))

        self._listen_to_user(partition, key, ask)

    def _listen_to_user(self, partition: Partition, key: Key, done: Callable[[], None]) -> None:
        if key in self._held_in(partition).watched:
            partition.listen(user_topic(partition, *key), "u", *key, done)
        else:
            done()

    def _set_online(self, partition: Partition, key: Key, is_online: bool) -> None:
        """What Redis says of a watched user. Only after a gap is it not what is known: then watchers are told."""
        watched = self._held_in(partition).watched[key]
        if partition.lease.is_rebuilding and not is_online and watched.is_online:
            return
        before, watched.is_online = watched.is_online, is_online
        if before is False and is_online:
            self._receiver.went_online(*key, None)
        elif before and not is_online:
            self._receiver.went_offline(*key)

    # --- what the nodes are told -----------------------------------------------------------------------------------------

    def member_added(self, app_id: str, channel: str, member: Member, exclude: str | None) -> None:
        """A member is new in the cluster; clients have heard of it before where nodes assert what they hold."""
        known = self._known((app_id, channel))
        if known is None or member.user_id not in known:
            if known is not None:
                known[member.user_id] = member.user_info
            self._receiver.member_added(app_id, channel, member, exclude)

    def member_removed(self, app_id: str, channel: str, user_id: str) -> None:
        """A member is nowhere in the cluster any more; unless this node was taken for dead, has them, and will say so."""
        room = self._held_in(self._partition_of(app_id, channel)).rooms.get((app_id, channel))
        if room is not None and user_id in room.members:
            return
        known = None if room is None else room.known
        if known is None or user_id in known:
            if known is not None:
                del known[user_id]
            self._receiver.member_removed(app_id, channel, user_id)

    def members_are(self, app_id: str, channel: str, members: Mapping[str, bytes]) -> None:
        """All members, as Redis has them after a gap."""
        room = self._held_in(self._partition_of(app_id, channel)).rooms.get((app_id, channel))
        if room is not None:
            room.known = dict(members)
        self._receiver.members_are(app_id, channel, members)

    def _known(self, key: Key) -> dict[str, bytes] | None:
        room = self._held_in(self._partition_of(*key)).rooms.get(key)
        return None if room is None else room.known

    def went_online(self, app_id: str, user_id: str, exclude: str | None) -> None:
        """A user is signed in, as a node said."""
        if self._is_news((app_id, user_id), is_online=True):
            self._receiver.went_online(app_id, user_id, exclude)

    def went_offline(self, app_id: str, user_id: str) -> None:
        """A user is not signed in any more, as a node said; unless this node was taken for dead, and has them."""
        key = (app_id, user_id)
        if not self._held_in(self._partition_of(*key)).users.get(key) and self._is_news(key, is_online=False):
            self._receiver.went_offline(app_id, user_id)

    def _is_news(self, key: Key, *, is_online: bool) -> bool:
        """Not, when nodes assert what was known before. What is not known yet is just being asked."""
        watched = self._held_in(self._partition_of(*key)).watched.get(key)
        if watched is None or watched.is_online is None or watched.is_online == is_online:
            return False
        watched.is_online = is_online
        return True

    def refresh(self, partition: Partition) -> None:
        """What was told may have been missed, or the cluster was rebuilt: ask anew who is online."""
        for key in list(self._held_in(partition).watched):
            self._ask_whether_online(partition, key, _ignore_answer)

    def holdings(self, partition: Partition) -> Iterator[Assertion]:
        """All that this node holds in a partition, as calls of `assert` without the node's name."""
        items: list[Argument] = []
        size = 0
        for item in self._items(self._held_in(partition)):
            items.append(item)
            size += len(item)
            if len(items) == ASSERTED or size >= ASSERTED_BYTES:
                yield "assert", items
                items, size = [], 0
        if items:
            yield "assert", items

    def _items(self, held: _Held) -> Iterator[bytes]:
        """See scripts/assert.lua. What is held may change while they are taken one by one."""
        for app_id, channel in list(held.rooms):
            room = held.rooms.get((app_id, channel))
            for user_id in [] if room is None else list(room.members):
                if room is not None and user_id in room.members:
                    user_info = room.info_of(user_id).decode()
                    yield _pack(("e", app_id, channel, user_id, user_info, self._is_hooked(app_id)))
        for app_id, channel in list(held.counts):
            count = held.counts.get((app_id, channel))
            if count is not None:
                yield _pack(("c", app_id, channel, count.subscriptions, self._is_hooked(app_id), count.is_told))
        for app_id, user_id in list(held.users):
            if (app_id, user_id) in held.users:
                yield _pack(("u", app_id, user_id))

    # --- what is due -----------------------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Take back what the dead had, and tell what has waited long enough; called once a second."""
        for partition in self._partitions.all:
            if partition.link is not None and self._sees_to(partition):
                self._reap(partition)
                self._repeat(partition, "sweep", (SWEPT,))

    def _sees_to(self, partition: Partition) -> bool:
        """Whether this node does what one has to do; not every node every time, where they are many."""
        nodes = partition.lease.nodes
        return nodes * len(self._partitions.all) <= MOST_CALLS or random.random() < REAPERS / nodes  # noqa: S311 - no secret

    def _reap(self, partition: Partition) -> None:
        def take(answer: Any) -> None:
            if answer == 1:
                partition.figures.reaped += 1
                hooked = [app_id for app_id in self._receiver.app_ids() if self._is_hooked(app_id)]
                self._repeat(partition, "reap", (REAPED, *hooked))

        partition.ask("reap", (), take)

    def _repeat(self, partition: Partition, script: str, arguments: Sequence[Argument]) -> None:
        """Call it until there is nothing more to do; once at a time."""
        if (id(partition), script) in self._repeating:
            return
        self._repeating.add((id(partition), script))

        def take(answer: Any) -> None:
            if answer == 1:
                partition.ask(script, arguments, take)
            else:
                self._repeating.discard((id(partition), script))

        partition.ask(script, arguments, take)

    # --- questions -------------------------------------------------------------------------------------------------------

    def connections(self, app_id: str, /) -> int:
        """See Roster."""
        return self._loads.connections(app_id)

    def list_channels(
        self,
        app_id: str,
        prefix: str,
        wanted: Wanted,
        done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None],
        /,
    ) -> None:
        """See Roster. Asked of all partitions at once."""
        _Listing(self._partitions.all, app_id, prefix, wanted, done).begin()

    def show_channel(
        self, app_id: str, channel: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None], /
    ) -> None:
        """See Roster."""

        def take(answer: Any) -> None:
            if answer is None or isinstance(answer, Unavailable):
                done(answer)
                return
            subscriptions, members = answer
            done(ChannelInfo(channel, subscriptions * wanted.subscriptions, members * wanted.members))

        self._partition_of(app_id, channel).ask("show", (app_id, channel), take)

    def list_members(self, app_id: str, channel: str, done: Callable[[Sequence[str] | Unavailable], None], /) -> None:
        """See Roster."""

        def take(answer: Any) -> None:
            done(answer if isinstance(answer, Unavailable) else [user_id.decode() for user_id in answer])

        self._partition_of(app_id, channel).ask("members", (app_id, channel), take)

    def _held_in(self, partition: Partition) -> _Held:
        return self._held[id(partition)]

    def _is_hooked(self, app_id: str) -> bool:
        """Whether the app has webhooks."""
        app = self._receiver.app(app_id)
        return app is not None and bool(app.webhooks)

    def _flag(self, app_id: str) -> int:
        return int(self._is_hooked(app_id))


class _Answers:
    """Collects what is said of each user; `done` gets those who are online when all is said."""

    __slots__ = ("_done", "_online", "_waiting")

    def __init__(self, user_ids: Iterable[str], done: Callable[[frozenset[str]], None]) -> None:
        self._done = done
        self._online: set[str] = set()
        # One more until all is asked.
        self._waiting = len(set(user_ids)) + 1

    def take(self, user_id: str, is_online: bool) -> None:
        if is_online:
            self._online.add(user_id)
        self.count_down()

    def count_down(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._done(frozenset(self._online))


class _Listing:
    """A list of channels on its way: page after page, of all partitions at once."""

    def __init__(
        self,
        partitions: Sequence[Partition],
        app_id: str,
        prefix: str,
        wanted: Wanted,
        done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None],
    ) -> None:
        self._partitions = partitions
        self._arguments = app_id, prefix
        self._flags = int(wanted.subscriptions), int(wanted.members)
        self._done = done
        self._pages: list[Sequence[Any]] = []
        self._waiting = len(partitions)
        self._is_over = False

    def begin(self) -> None:
        for partition in self._partitions:
            self._ask(partition, b"")

    def _ask(self, partition: Partition, after: bytes) -> None:
        partition.ask(
            "list", (*self._arguments, after, PAGE, *self._flags), lambda answer: self._take(partition, answer)
        )

    def _take(self, partition: Partition, page: Sequence[Any] | Unavailable) -> None:
        if self._is_over:
            return
        if isinstance(page, Unavailable):
            self._is_over = True
            self._done(page)
            return
        if page:
            self._pages.append(page)
        if len(page) == 3 * PAGE:
            self._ask(partition, page[-3])
            return
        self._waiting -= 1
        if not self._waiting:
            self._is_over = True
            self._done(map(_infos, self._pages))


def _infos(page: Sequence[Any]) -> Sequence[ChannelInfo]:
    """The flat answer of scripts/list.lua."""
    items = iter(page)
    return [ChannelInfo(name.decode(), *figures) for name, *figures in zip(items, items, items, strict=True)]


def _pairs(flat: Sequence[bytes]) -> Mapping[str, bytes]:
    """A flat list of user, user_info, …"""
    items = iter(flat)
    return {user_id.decode(): user_info for user_id, user_info in zip(items, items, strict=True)}


def _ignore_answer(user_id: str, is_online: bool) -> None:
    """Who wants to know has been told by the receiver."""
