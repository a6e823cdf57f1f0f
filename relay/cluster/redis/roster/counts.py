"""How many subscriptions each channel has on this node, as Redis is told of it. Must not know who is subscribed."""

from collections.abc import Callable
from typing import Final

from relay.cluster.redis.partition import Partition
from relay.cluster.redis.roster.holdings import Count, Holdings, Key

# Seconds in which further changes of a channel's subscriptions are reported as one.
COALESCED: Final = 0.2

Later = Callable[[float, Callable[[], None]], object]


class RedisCounts:
    """See Roster. `later` is set before anything is counted: the loop's call_later."""

    later: Later

    def __init__(self, held: Holdings) -> None:
        self._held = held
        self._changed: dict[Key, None] = {}
        self._is_flush_due = False

    def count(self, app_id: str, channel: str, subscriptions: int, is_told: bool, /) -> None:
        """See Roster. What comes between the first and the last is reported at most once in COALESCED seconds."""
        key, counts = (app_id, channel), self._held.of(self._held.partition_of(app_id, channel)).counts
        known = counts.get(key)
        if not subscriptions:
            if counts.pop(key, None) is not None:
                self._changed.pop(key, None)
                self._report_count(key, Count(0, is_told=is_told), is_again=False)
        elif known is None:
            counts[key] = known = Count(subscriptions, is_told=is_told)
            self._report_count(key, known, is_again=False)
        else:
            known.subscriptions, known.is_told = subscriptions, is_told
            self._changed[key] = None
            self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._is_flush_due:
            self._is_flush_due = True
            self.later(COALESCED, self._flush)

    def _flush(self) -> None:
        changed, self._changed, self._is_flush_due = self._changed, {}, False
        for key in changed:
            self._report_count(key, self._held.of(self._held.partition_of(*key)).counts[key], is_again=False)

    def _report_count(self, key: Key, count: Count, *, is_again: bool) -> None:
        app_id, channel = key
        partition = self._held.partition_of(app_id, channel)

        def take(wait: int) -> None:
            if wait:
                self.later(wait / 1_000, lambda: self._ask_again(partition, key, count))

        flags = self._held.flag(app_id), int(count.is_told), int(is_again)
        # The last one goes also where Redis takes nothing new.
        script = "count" if count.subscriptions else "vacate"
        partition.reports.report(("count", *key), script, (app_id, channel, count.subscriptions, *flags), take)

    def _ask_again(self, partition: Partition, key: Key, count: Count) -> None:
        """The count could not be told yet. A change since then asks on its own; those who are left elsewhere are told by the
        node that nobody is left on."""
        known = self._held.of(partition).counts.get(key)
        if key not in self._changed and (known is count or (known is None and not count.subscriptions)):
            self._report_count(key, count, is_again=True)
