from typing import Any

import pytest
from msgspec.structs import replace

from relay.cluster.bus import SENT_ONLY, Accepted, History, Kept, Outcome
from relay.cluster.history import CHANNEL_BYTES
from relay.cluster.local import LocalCluster, new_epoch
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.once import ONCE_TTL
from relay.wire.frames import text_frame
from tests.helpers.fake_node import APP, FakeNode
from tests.helpers.node import Clock, RecordingWebhooks

EPOCH = "0a1b2c3d"
MESSAGE = b'{"event":"e","data":"1"}'
REMEMBERED = Kept(history=History(3, 10))


class Relay:
    """A cluster of one node, whose clocks a test sets."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = LocalCluster(
            RecordingWebhooks(), self.clock, lambda _seconds, _call: None, lambda: round(self.clock.now * 1_000), EPOCH
        )
        self.node = FakeNode(self.cluster)
        self.cluster.begin(self.node)

    def publish(self, kept: Kept, channel: str = "a") -> Outcome:
        (outcome,) = self.node.publish(channel, MESSAGE, kept=kept)
        return outcome

    def since(self, position: str, channel: str = "a") -> Recovered:
        found: list[Any] = []
        self.cluster.memory.since(APP, channel, position, History(3, 10), found.append)
        assert isinstance(found[0], Recovered)
        return found[0]

    def last(self, channel: str) -> LastEvent | None:
        found: list[Any] = []
        self.cluster.memory.last(APP, channel, found.append)
        assert found[0] is None or isinstance(found[0], LastEvent)
        return found[0]

    def limit(self, **limits: int) -> None:
        app = self.node.apps[APP]
        self.node.apps[APP] = replace(app, limits=replace(app.limits, **limits))


@pytest.fixture
def relay() -> Relay:
    return Relay()


def test_a_key_is_known_for_two_minutes_and_its_answer_repeats_the_id(relay: Relay) -> None:
    kept = Kept(once="k", history=History(3, 1_000))
    first = relay.publish(kept)
    assert isinstance(first, Accepted)
    relay.clock.now += ONCE_TTL - 1
    assert relay.publish(kept) == Accepted(first.id, is_replay=True)
    relay.clock.now += 1
    again = relay.publish(kept)
    assert isinstance(again, Accepted)
    assert again.id != first.id
    assert not again.is_replay
    assert len(relay.node.delivered()) == 2


def test_an_event_that_is_only_sent_is_remembered_by_nobody(relay: Relay) -> None:
    assert relay.publish(SENT_ONLY) == Accepted()
    assert relay.since("").position == f"{EPOCH}.0-0"
    assert relay.node.delivered() == [text_frame(MESSAGE)]


def test_a_repetition_does_not_become_the_last_event_again(relay: Relay) -> None:
    relay.publish(Kept(once="k", cache_ttl=10, data=b'"1"'))
    relay.clock.now += 6
    relay.publish(Kept(once="k", cache_ttl=10, data=b'"1"'))
    last = relay.last("a")
    assert last is not None
    assert last.ttl == pytest.approx(4)


def test_what_is_over_is_forgotten_by_ticks(relay: Relay) -> None:
    relay.publish(Kept(once="k", history=History(3, 10)))
    remembered = relay.cluster.memory._of(APP)
    assert (remembered.histories.weight > CHANNEL_BYTES, len(remembered.once)) == (True, 1)
    for _ in range(2):
        relay.clock.now += ONCE_TTL
        relay.cluster.tick(relay.clock.now)
    assert (remembered.histories.weight, len(remembered.once)) == (CHANNEL_BYTES, 0)


def test_a_channel_that_is_forgotten_for_another_counts_as_a_limit_that_was_passed(relay: Relay) -> None:
    relay.limit(history_bytes=CHANNEL_BYTES + 1_000)
    relay.publish(REMEMBERED, "a")
    assert relay.node.take("hit") == []
    relay.publish(REMEMBERED, "b")
    assert relay.node.take("hit") == [("hit", APP, "history_bytes")]
    assert not relay.since(f"{EPOCH}.0-0", "a").is_complete


def test_lower_limits_hold_after_a_reload_and_a_removed_app_is_forgotten(relay: Relay) -> None:
    for channel in ("cache-a", "cache-b"):
        relay.publish(Kept(cache_ttl=10, data=b'"1"', history=History(3, 10)), channel)
    relay.limit(cached_events=1, history_bytes=CHANNEL_BYTES + 1_000)
    relay.cluster.reload()
    assert (relay.last("cache-a"), relay.since(f"{EPOCH}.0-0", "cache-a").is_complete) == (None, False)
    assert relay.last("cache-b") is not None
    app = relay.node.apps.pop(APP)
    relay.cluster.reload()
    relay.node.apps[APP] = app
    assert relay.last("cache-b") is None


def test_every_start_has_an_epoch_of_its_own() -> None:
    epochs = {new_epoch() for _ in range(100)}
    assert len(epochs) == 100
    assert all(len(epoch) == 8 and epoch.isalnum() and epoch == epoch.lower() for epoch in epochs)
