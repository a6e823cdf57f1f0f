"""Who is signed in on this node, and who is watched from here. Must not know connections."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from relay.cluster.bus import Unavailable
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import user_topic
from relay.cluster.redis.roster.counts import Later
from relay.cluster.redis.roster.holdings import Holdings, Key, Watched

# Seconds until a question is asked again that had no answer.
RETRY: Final = 0.2


class RedisUsers:
    """See Roster. `later` is set before anybody signs in: the loop's call_later."""

    later: Later

    def __init__(self, held: Holdings) -> None:
        self._held = held

    def sign_in(self, app_id: str, user_id: str, exclude: str, /) -> None:
        """See Roster."""
        partition, key = self._held.partition_of(app_id, user_id), (app_id, user_id)
        users = self._held.of(partition).users
        users[key] = False

        def take(_answer: Any) -> None:
            users[key] = True

        # Orders to the user's connections come here as well.
        partition.listen(user_topic(partition, app_id, user_id), "u", app_id, user_id)
        partition.reports.report(("user", *key), "sign_in", (app_id, user_id, exclude), take)

    def sign_out(self, app_id: str, user_id: str, /) -> None:
        """See Roster."""
        partition, key = self._held.partition_of(app_id, user_id), (app_id, user_id)
        self._held.of(partition).users.pop(key, None)
        partition.reports.report(("user", *key), "sign_out", (app_id, user_id))
        self._ignore_if_unwanted(partition, key)

    def watch(self, app_id: str, user_ids: Sequence[str], done: Callable[[frozenset[str]], None], /) -> None:
        """See Roster."""
        answers = _Answers(user_ids, done)
        for user_id in dict.fromkeys(user_ids):
            partition, key = self._held.partition_of(app_id, user_id), (app_id, user_id)
            self._held.of(partition).watched.setdefault(key, Watched())
            self._ask_whether_online(partition, key, answers.take)
        answers.count_down()

    def unwatch(self, app_id: str, user_ids: Sequence[str], /) -> None:
        """See Roster."""
        for user_id in user_ids:
            partition = self._held.partition_of(app_id, user_id)
            self._held.of(partition).watched.pop((app_id, user_id), None)
            self._ignore_if_unwanted(partition, (app_id, user_id))

    def _ignore_if_unwanted(self, partition: Partition, key: Key) -> None:
        held = self._held.of(partition)
        if key not in held.users and key not in held.watched:
            partition.ignore(user_topic(partition, *key))

    def _ask_whether_online(self, partition: Partition, key: Key, done: Callable[[str, bool], None]) -> None:
        """Listen first, then ask: between the two nothing is missed. Asked until it is answered, or nobody wants to know."""
        watched = self._held.of(partition).watched[key]
        app_id, user_id = key

        def ask() -> None:
            partition.command((b"SCARD", partition.base + f"user:{app_id}:{user_id}".encode()), take)

        def take(answer: int | Unavailable) -> None:
            if self._held.of(partition).watched.get(key) is not watched:
                done(user_id, False)
            elif isinstance(answer, Unavailable):
                self.later(RETRY, lambda: self._listen_to_user(partition, key, ask))
            else:
                self._set_online(partition, key, bool(answer))
                done(user_id, bool(watched.is_online))

        self._listen_to_user(partition, key, ask)

    def _listen_to_user(self, partition: Partition, key: Key, done: Callable[[], None]) -> None:
        if key in self._held.of(partition).watched:
            partition.listen(user_topic(partition, *key), "u", *key, done)
        else:
            done()

    def _set_online(self, partition: Partition, key: Key, is_online: bool) -> None:
        """What Redis says of a watched user. Only after a gap is it not what is known: then watchers are told."""
        watched = self._held.of(partition).watched[key]
        if partition.lease.is_rebuilding and not is_online and watched.is_online:
            return
        before, watched.is_online = watched.is_online, is_online
        if before is False and is_online:
            self._held.receiver.went_online(*key, None)
        elif before and not is_online:
            self._held.receiver.went_offline(*key)

    # --- what the nodes are told

    def went_online(self, app_id: str, user_id: str, exclude: str | None) -> None:
        """A user is signed in, as a node said."""
        if self._is_news((app_id, user_id), is_online=True):
            self._held.receiver.went_online(app_id, user_id, exclude)

    def went_offline(self, app_id: str, user_id: str) -> None:
        """A user is not signed in any more, as a node said; unless this node was taken for dead, and has them."""
        key = (app_id, user_id)
        if not self._held.of(self._held.partition_of(*key)).users.get(key) and self._is_news(key, is_online=False):
            self._held.receiver.went_offline(app_id, user_id)

    def _is_news(self, key: Key, *, is_online: bool) -> bool:
        """Not, when nodes assert what was known before. What is not known yet is just being asked."""
        watched = self._held.of(self._held.partition_of(*key)).watched.get(key)
        if watched is None or watched.is_online is None or watched.is_online == is_online:
            return False
        watched.is_online = is_online
        return True

    def refresh(self, partition: Partition) -> None:
        """What was told may have been missed, or the cluster was rebuilt: ask anew who is online."""
        for key in list(self._held.of(partition).watched):
            self._ask_whether_online(partition, key, _ignore_answer)


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


def _ignore_answer(user_id: str, is_online: bool) -> None:
    """Who wants to know has been told by the receiver."""
