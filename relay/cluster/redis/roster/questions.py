"""What is asked of the roster over Redis: answered from what all nodes have reported, by no other node."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from relay.cluster.bus import Unavailable
from relay.cluster.redis.partition import Partition
from relay.cluster.redis.partitions import Partitions
from relay.cluster.roster import ChannelInfo, Wanted

# Channels in a page of a list.
PAGE: Final = 1_000


class RedisQuestions:
    """See Roster."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions
        self._partition_of = partitions.of

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
