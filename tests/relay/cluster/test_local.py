import pytest

from relay.cluster.bus import SENT_ONLY, Accepted, Outcome, Unavailable
from relay.cluster.local import LocalCluster
from relay.cluster.roster import Wanted
from relay.wire.frames import text_frame
from tests.helpers.fake_node import Recorder
from tests.helpers.node import Clock, RecordingWebhooks

# What a Recorder was told of a frame: ("deliver", app id, channel, frame, exclude).
DELIVER = "deliver"


class Alone:
    """A cluster of one node, which writes down what it is told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.webhooks = RecordingWebhooks()
        self.cluster = LocalCluster(self.webhooks, self.clock, lambda _seconds, _call: None)
        self.node = Recorder()
        self.cluster.begin(self.node)

    def publish(self, message: bytes, channel: str = "a", exclude: str | None = None) -> Outcome:
        outcomes: list[Outcome] = []
        self.cluster.bus.publish("3", channel, message, exclude, SENT_ONLY, outcomes.append)
        (outcome,) = outcomes
        return outcome


@pytest.fixture
def alone() -> Alone:
    return Alone()


class TestBus:
    def test_what_is_published_is_delivered_here_once_before_it_is_done(self, alone: Alone) -> None:
        assert alone.publish(b"x", exclude="1.2") == Accepted()
        assert alone.node.told == [(DELIVER, "3", "a", text_frame(b"x"), "1.2")]

    def test_frames_arrive_in_their_order(self, alone: Alone) -> None:
        for at in range(100):
            alone.publish(b"%d" % at)
        assert alone.node.frames() == [text_frame(b"%d" % at) for at in range(100)]

    def test_what_is_said_is_delivered_as_it_is(self, alone: Alone) -> None:
        assert alone.cluster.bus.say("3", "a", b"frame", "1.2") is None
        assert alone.node.told == [(DELIVER, "3", "a", b"frame", "1.2")]

    def test_listening_is_done_at_once(self, alone: Alone) -> None:
        heard: list[str] = []
        alone.cluster.bus.listen("3", "a", lambda: heard.append("a"))
        alone.cluster.bus.ignore("3", "a")
        assert heard == ["a"]

    async def test_after_a_stop_nothing_is_delivered_and_whoever_publishes_hears_of_it(self, alone: Alone) -> None:
        await alone.cluster.stop()
        await alone.cluster.stop()
        assert isinstance(alone.publish(b"x"), Unavailable)
        assert isinstance(alone.cluster.bus.say("3", "a", b"x", None), Unavailable)
        assert alone.node.told == []

    def test_before_the_start_it_is_our_own_mistake(self) -> None:
        cluster = LocalCluster(RecordingWebhooks(), Clock(), lambda _seconds, _call: None)
        cluster.reload()
        with pytest.raises(RuntimeError, match="the cluster is not started"):
            cluster.bus.say("3", "a", b"frame", None)


class TestRoster:
    def test_back_ends_hear_of_the_first_and_the_last_subscription_once_each(self, alone: Alone) -> None:
        for count in (1, 2, 1, 2, 1, 0, 1):
            alone.cluster.roster.count("3", "a", count, False)
        assert [(verb, event["name"]) for verb, event in alone.webhooks.take()] == [
            ("came", "channel_occupied"),
            ("left, undone by channel_occupied", "channel_vacated"),
            ("came", "channel_occupied"),
        ]

    def test_a_list_leaves_out_what_is_vacated_while_it_is_made(self, alone: Alone) -> None:
        alone.node.subscriptions = {("3", f"a-{at}"): 1 for at in range(1_001)}
        lists: list[list[str]] = []

        def take(pages: object) -> None:
            first = next(pages)  # type: ignore[call-overload] # an iterator, or the test fails
            alone.node.subscriptions.clear()
            lists.extend([channel.name for channel in page] for page in (first, *pages))  # type: ignore[misc] # likewise

        alone.cluster.roster.list_channels("3", "a-", Wanted(), take)
        assert [len(names) for names in lists] == [1_000, 0]


class TestCommands:
    def test_orders_are_carried_out_here(self, alone: Alone) -> None:
        outcomes: list[Outcome] = []
        commands = alone.cluster.commands
        commands.terminate("3", "7", outcomes.append)
        commands.unsubscribe("3", "7", None, outcomes.append)
        commands.reload(outcomes.append)
        commands.observe("3", "viewer", 15.0, outcomes.append)
        commands.show("viewer", b"{}")
        assert outcomes == [Accepted()] * 4
        assert alone.node.told == [
            ("terminated", "3", "7"),
            ("unsubscribed", "3", "7", None),
            ("reloaded",),
            ("observed", "3", "viewer", 15.0),
            ("shown", "viewer", b"{}"),
        ]
        assert alone.cluster.why_not_ready() is None


class TestMemory:
    def test_a_rate_of_requests_is_that_of_the_moment(self, alone: Alone) -> None:
        taken: list[object] = []
        for rate in (2, 2, 2, 1):
            alone.cluster.memory.take("3", rate, taken.append)
        alone.clock.now += 1.0
        alone.cluster.memory.take("3", 1, taken.append)
        assert taken == [True, True, False, True, True]
