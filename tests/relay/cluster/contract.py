"""What every cluster promises: the sentences of relay/cluster/{bus,roster,memory,commands}.py, each by a test.

A test class of each implementation inherits all of these, and gives a fixture `nodes`. Where a test asks for several nodes
(`await nodes.start(2)`), a cluster that has one alone gives that one again: it publishes and listens then. What needs nodes
that are really several is in SeveralNodesContract.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from relay.cluster.bus import Accepted, History, Kept, Unavailable
from relay.cluster.memory import LastEvent, Recovered
from relay.cluster.roster import ChannelInfo, Entered, Full, Wanted
from relay.protocol.events import with_id
from relay.wire.frames import text_frame
from tests.helpers.fake_node import APP, NOBODY, FakeNode, outcome

ROOM = "presence-a"
HISTORY = History(size=10, ttl=60)

# Seconds. Long, since they only pass when something is wrong.
PATIENCE = 10.0


class Nodes(Protocol):
    """The nodes of a cluster."""

    async def start(self, count: int) -> list[FakeNode]:
        """So many nodes, that have joined each other."""

    async def settle(self) -> None:
        """Wait until everything that was called has been answered, and all that followed has arrived everywhere."""


async def until(is_so: Callable[[], object], what: str) -> None:
    """Wait for what comes by a timer."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not is_so():
        assert asyncio.get_running_loop().time() < deadline, f"never: {what}"
        await asyncio.sleep(0.005)


def event(text: str) -> bytes:
    """A message."""
    return b'{"event":"x","data":"%b"}' % text.encode()


def numbers(count: int) -> list[bytes]:
    return [event(str(at)) for at in range(count)]


class BusContract:
    """See relay/cluster/bus.py."""

    async def test_what_is_published_is_delivered_once_as_a_frame_and_says_who_is_left_out(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        await nodes.settle()
        outcomes = here.publish("a", event("x"), "1.2")
        await nodes.settle()
        assert outcome(outcomes) == Accepted()
        assert there.take() == [("deliver", APP, "a", text_frame(event("x")), "1.2")]

    async def test_messages_to_one_channel_arrive_in_their_order(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        await nodes.settle()
        for message in numbers(100):
            here.publish("a", message)
        await nodes.settle()
        assert there.delivered() == [text_frame(message) for message in numbers(100)]

    async def test_apps_and_channels_are_kept_apart(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        there.listen("a", app_id="4")
        there.listen("b")
        await nodes.settle()
        here.publish("a", event("1"))
        here.publish("a", event("2"), app_id="4")
        here.publish("b", event("3"))
        await nodes.settle()
        told = [(app_id, channel, frame) for _, app_id, channel, frame, _ in there.take()]
        assert sorted(told) == [
            (APP, "a", text_frame(event("1"))),
            (APP, "b", text_frame(event("3"))),
            ("4", "a", text_frame(event("2"))),
        ]

    async def test_what_is_published_after_listening_is_acknowledged_arrives(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        heard = there.listen("a")
        first_sure = None
        for at, message in enumerate(numbers(200)):
            if heard and first_sure is None:
                first_sure = at
            here.publish("a", message)
            await asyncio.sleep(0)
        await nodes.settle()
        assert heard == ["a"]
        arrived = there.delivered()
        sure = [text_frame(message) for message in numbers(200)[200 if first_sure is None else first_sure :]]
        assert arrived[len(arrived) - len(sure) :] == sure

    async def test_a_channel_may_be_listened_to_and_ignored_again_and_again(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        for at in range(3):
            there.listen("a")
            await nodes.settle()
            here.publish("a", event(str(at)))
            await nodes.settle()
            there.cluster.bus.ignore(APP, "a")
        assert there.delivered() == [text_frame(message) for message in numbers(3)]

    async def test_nothing_is_delivered_after_ignore_returns(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        await nodes.settle()
        here.publish("a", event("x"))
        there.cluster.bus.ignore(APP, "a")
        there.take()
        await nodes.settle()
        here.publish("a", event("y"))
        await nodes.settle()
        assert there.take() == []

    async def test_a_delivery_may_publish_in_turn(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.listen("a")
        await nodes.settle()

        def answer(channel: str, frame: bytes) -> None:
            if frame == text_frame(event("first")):
                node.publish(channel, event("second"))

        node.when_delivered = answer
        node.publish("a", event("first"))
        await nodes.settle()
        await nodes.settle()
        assert node.delivered() == [text_frame(event("first")), text_frame(event("second"))]

    async def test_what_a_node_says_keeps_its_order_with_what_it_publishes(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        await nodes.settle()
        for at in range(20):
            if at % 2:
                assert here.cluster.bus.say(APP, "a", text_frame(event(str(at))), "1.2") is None
            else:
                here.publish("a", event(str(at)), "1.2")
        await nodes.settle()
        told = there.take()
        assert [frame for _, _, _, frame, _ in told] == [text_frame(message) for message in numbers(20)]
        assert {exclude for *_, exclude in told} == {"1.2"}

    async def test_after_stop_nothing_is_delivered_and_nothing_raises(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.listen("a")
        await nodes.settle()
        await node.cluster.stop()
        (refused,) = node.publish("a", event("late"))
        assert isinstance(refused, Unavailable)
        assert not refused.is_unknown
        assert isinstance(node.cluster.bus.say(APP, "a", b"late", None), Unavailable)
        assert node.take() == []
        await node.cluster.stop()

    async def test_an_event_that_is_remembered_carries_its_id(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        await nodes.settle()
        outcomes = here.publish("a", event("x"), kept=Kept(history=HISTORY))
        await nodes.settle()
        accepted = outcome(outcomes)
        assert len(accepted.id.split(".")[0]) == 8
        assert there.delivered() == [text_frame(with_id(event("x"), accepted.id))]

    async def test_a_key_publishes_once_to_a_channel_and_says_so(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        for channel in ("a", "b"):
            there.listen(channel)
        await nodes.settle()
        outcomes = []
        for node in (here, there):
            outcomes.append(node.publish("a", event("x"), kept=Kept(once="key", history=HISTORY)))
            await nodes.settle()
        first, second = map(outcome, outcomes)
        assert (first.is_replay, second.is_replay) == (False, True)
        assert first.id == second.id
        assert len(there.delivered()) == 1
        for channel, key, app_id in [("b", "key", APP), ("a", "other", APP), ("a", "key", "4")]:
            answer = here.publish(channel, event("y"), kept=Kept(once=key), app_id=app_id)
            await nodes.settle()
            assert not outcome(answer).is_replay
        assert len(there.delivered()) == 2


class MemoryContract:
    """See relay/cluster/memory.py."""

    @staticmethod
    def last(node: FakeNode, channel: str = "cache-a") -> list[LastEvent | Unavailable | None]:
        answers: list[LastEvent | Unavailable | None] = []
        node.cluster.memory.last(APP, channel, answers.append)
        return answers

    @staticmethod
    def since(node: FakeNode, position: str, channel: str = "a") -> list[Recovered | Unavailable]:
        answers: list[Recovered | Unavailable] = []
        node.cluster.memory.since(APP, channel, position, HISTORY, answers.append)
        return answers

    async def test_the_last_event_of_a_cache_channel(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        asked = self.last(there)
        await nodes.settle()
        assert asked == [None]
        for text in ("x", "y"):
            here.publish("cache-a", event(text), kept=Kept(cache_ttl=60.0, data=b'"%b"' % text.encode()))
        await nodes.settle()
        asked = self.last(there)
        await nodes.settle()
        (last,) = asked
        assert isinstance(last, LastEvent)
        assert (last.frame, last.data) == (text_frame(event("y")), b'"y"')
        assert 50 < last.ttl <= 60

    async def test_the_last_event_carries_no_id(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.publish("cache-a", event("x"), kept=Kept(history=HISTORY, cache_ttl=60.0, data=b'"x"'))
        await nodes.settle()
        asked = self.last(there)
        await nodes.settle()
        (last,) = asked
        assert isinstance(last, LastEvent)
        assert last.frame == text_frame(event("x"))

    async def test_the_last_event_is_forgotten_in_time(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.publish("cache-a", event("x"), kept=Kept(cache_ttl=0.05, data=b'"x"'))
        await nodes.settle()
        await asyncio.sleep(0.1)
        asked = self.last(node)
        await nodes.settle()
        assert asked == [None]

    async def test_what_a_client_missed(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        ids = []
        for message in numbers(4):
            outcomes = here.publish("a", message, kept=Kept(history=HISTORY))
            await nodes.settle()
            ids.append(outcome(outcomes).id)
        frames = [text_frame(with_id(message, id_)) for message, id_ in zip(numbers(4), ids, strict=True)]
        for position, missed in [(ids[1], frames[2:]), (ids[3], []), (ids[0], frames[1:])]:
            asked = self.since(there, position)
            await nodes.settle()
            (recovered,) = asked
            assert isinstance(recovered, Recovered)
            assert (recovered.position, recovered.is_complete, list(recovered.frames)) == (ids[3], True, missed)

    async def test_a_client_without_a_position_gets_the_channels(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        outcomes = node.publish("a", event("x"), kept=Kept(history=HISTORY))
        await nodes.settle()
        asked = self.since(node, "")
        await nodes.settle()
        (recovered,) = asked
        assert isinstance(recovered, Recovered)
        assert (recovered.position, recovered.is_complete, list(recovered.frames)) == (outcome(outcomes).id, True, [])

    async def test_the_position_of_a_channel_without_events_holds_until_one_had_to_make_room(
        self, nodes: Nodes
    ) -> None:
        (node,) = await nodes.start(1)
        asked = self.since(node, "")
        await nodes.settle()
        (empty,) = asked
        assert isinstance(empty, Recovered)
        for size in (HISTORY.size, 1):
            for message in numbers(size):
                node.publish("a", message, kept=Kept(history=HISTORY))
            asked = self.since(node, empty.position)
            await nodes.settle()
            (recovered,) = asked
            assert isinstance(recovered, Recovered)
            assert recovered.is_complete == (size == HISTORY.size)
            assert len(recovered.frames) == (size if recovered.is_complete else 0)

    async def test_nothing_can_be_said_of_a_position_of_elsewhere(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.publish("a", event("x"), kept=Kept(history=HISTORY))
        await nodes.settle()
        for position in ("zzzzzzzz.1-0", "no position", "zzzzzzzz.0-0"):
            asked = self.since(node, position)
            await nodes.settle()
            (recovered,) = asked
            assert isinstance(recovered, Recovered)
            assert not recovered.is_complete
            assert list(recovered.frames) == []

    async def test_a_joiner_misses_nothing_and_gets_nothing_twice(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen("a")
        first = here.publish("a", event("first"), kept=Kept(history=HISTORY))
        await nodes.settle()
        got: list[bytes] = []

        def done(answer: Recovered | Unavailable) -> None:
            assert isinstance(answer, Recovered)
            got.extend(answer.frames)
            there.when_delivered = lambda _channel, frame: got.append(frame)

        for at, message in enumerate(numbers(100)):
            here.publish("a", message, kept=Kept(history=History(size=100, ttl=60)))
            if at == 50:
                there.cluster.memory.since(APP, "a", outcome(first).id, History(size=100, ttl=60), done)
            await asyncio.sleep(0)
        await nodes.settle()
        assert [frame.split(b'"data":"')[1].split(b'"')[0] for frame in got] == [b"%d" % at for at in range(100)]

    async def test_so_many_requests_may_be_made_in_the_whole_cluster(self, nodes: Nodes) -> None:
        both = await nodes.start(2)
        answers: list[bool | Unavailable] = []
        for at in range(8):
            both[at % 2].cluster.memory.take(APP, 5, answers.append)
            await nodes.settle()
        # One more comes free in 0.2 s.
        assert answers[:5] == [True] * 5
        assert answers.count(True) < 8
        other: list[bool | Unavailable] = []
        both[0].cluster.memory.take("4", 5, other.append)
        await nodes.settle()
        assert other == [True]


class CommandsContract:
    """See relay/cluster/commands.py."""

    async def test_orders_about_a_user_are_carried_out_where_they_are_signed_in(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.sign_in("ann")
        await nodes.settle()
        there.take()
        outcomes: list[object] = []
        commands = here.cluster.commands
        commands.unsubscribe(APP, "ann", "private-a", outcomes.append)
        commands.unsubscribe(APP, "ann", None, outcomes.append)
        commands.terminate(APP, "ann", outcomes.append)
        await nodes.settle()
        assert outcomes == [Accepted()] * 3
        assert there.take() == [
            ("unsubscribed", APP, "ann", "private-a"),
            ("unsubscribed", APP, "ann", None),
            ("terminated", APP, "ann"),
        ]

    async def test_orders_to_all_nodes(self, nodes: Nodes) -> None:
        both = await nodes.start(2)
        outcomes: list[object] = []
        both[0].cluster.commands.reload(outcomes.append)
        both[0].cluster.commands.observe(APP, "viewer", 15.0, outcomes.append)
        both[1].cluster.commands.show("viewer", b"{}")
        await nodes.settle()
        assert outcomes == [Accepted()] * 2
        for node in both:
            if node.told:
                told = node.take()
                assert sorted(told) == [("observed", APP, "viewer", 15.0), ("reloaded",), ("shown", "viewer", b"{}")]


class RosterContract:
    """See relay/cluster/roster.py."""

    async def test_a_member_who_enters_is_told_to_all_but_the_one_who_is_left_out(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.listen(ROOM)
        node.enter(ROOM, "bob")
        await nodes.settle()
        node.take()
        answers = node.enter(ROOM, "ann", info=b'{"a":1}', exclude="1.2")
        await nodes.settle()
        (entered,) = answers
        assert isinstance(entered, Entered)
        assert node.take() == [("member_added", ROOM, "ann", b'{"a":1}', "1.2")]
        assert node.replica[APP, ROOM] == {"bob": b"{}", "ann": b'{"a":1}'}

    async def test_a_member_who_leaves_is_told_and_may_come_again(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.listen(ROOM)
        node.enter(ROOM, "bob")
        await nodes.settle()
        node.take()
        for _ in range(2):
            answers = node.enter(ROOM, "ann")
            await nodes.settle()
            assert isinstance(answers[0], Entered)
            node.leave(ROOM, "ann")
            await nodes.settle()
        told = [(kind, user) for kind, _, user, *_ in node.take()]
        assert told == [("member_added", "ann"), ("member_removed", "ann")] * 2

    async def test_a_full_channel_takes_nobody(self, nodes: Nodes) -> None:
        both = await nodes.start(2)
        for node in both:
            node.listen(ROOM)
        answers = [both[at % 2].enter(ROOM, f"user-{at}", limit=2) for at in range(4)]
        await nodes.settle()
        assert sorted(type(answer).__name__ for (answer,) in answers) == ["Entered", "Entered", "Full", "Full"]
        listed = both[0].list_members(ROOM)
        await nodes.settle()
        (members,) = listed
        assert not isinstance(members, Unavailable)
        assert len(members) == 2

    async def test_the_members_of_a_channel(self, nodes: Nodes) -> None:
        both = await nodes.start(2)
        for node, user in zip(both, ("ann", "bob"), strict=True):
            node.enter(ROOM, user)
        await nodes.settle()
        for node in both:
            asked = node.list_members(ROOM)
            nobody = node.list_members("presence-nobody")
            await nodes.settle()
            (members,) = asked
            assert not isinstance(members, Unavailable)
            assert set(members) == {"ann", "bob"}
            assert list(nobody[0]) == []  # type: ignore[arg-type]  # no Unavailable

    async def test_channels_with_the_figures_that_are_wanted(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.enter(ROOM, "ann")
        here.count(ROOM, 2)
        there.count("b", 1)
        await nodes.settle()
        for wanted, room, other in [
            (Wanted(), ChannelInfo(ROOM), ChannelInfo("b")),
            (Wanted(subscriptions=True), ChannelInfo(ROOM, 2), ChannelInfo("b", 1)),
            (Wanted(members=True), ChannelInfo(ROOM, members=1), ChannelInfo("b")),
            (Wanted(subscriptions=True, members=True), ChannelInfo(ROOM, 2, 1), ChannelInfo("b", 1)),
        ]:
            for node in (here, there):
                listed = node.list_channels("", wanted)
                shown = node.show_channel(ROOM, wanted)
                await nodes.settle()
                (pages,) = listed
                assert not isinstance(pages, Unavailable)
                assert sorted((info for page in pages for info in page), key=lambda info: info.name) == [other, room]
                assert shown == [room]

    async def test_a_channel_that_is_not_occupied_is_none(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.count("b", 1)
        here.count("b", 0)
        await nodes.settle()
        shown, listed = there.show_channel("b"), there.list_channels()
        await nodes.settle()
        assert shown == [None]
        (pages,) = listed
        assert not isinstance(pages, Unavailable)
        assert [info for page in pages for info in page] == []

    async def test_many_channels_come_in_pages_and_by_their_prefix(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        names = [f"a{at}" for at in range(2_100)]
        for name in [*names, "b"]:
            here.count(name, 1)
        await nodes.settle()
        listed = there.list_channels("a", Wanted())
        await nodes.settle()
        await nodes.settle()
        await nodes.settle()
        (pages,) = listed
        assert not isinstance(pages, Unavailable)
        assert max(map(len, pages)) <= 1_000
        assert sorted(info.name for page in pages for info in page) == sorted(names)

    async def test_subscribers_are_told_how_many_they_are(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        node.listen("a")
        await nodes.settle()
        node.count("a", 1, is_told=True)
        await nodes.settle()
        assert node.take() == [("count_told", "a", 1)]
        for count in (2, 3):
            node.count("a", count, is_told=True)
        await until(lambda: ("count_told", "a", 3) in node.told, "the count after the first")
        node.count("b", 1)
        await nodes.settle()
        assert "b" not in {channel for _, channel, _ in node.take("count_told")}

    async def test_watchers_are_told_who_comes_and_goes(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.sign_in("ann")
        await nodes.settle()
        answers = here.watch("ann", "bob")
        await nodes.settle()
        await nodes.settle()
        assert answers == [frozenset({"ann"})]
        here.take()
        there.sign_in("bob", "1.2")
        await nodes.settle()
        assert here.take() == [("went_online", "bob", "1.2")]
        there.sign_out("ann")
        await nodes.settle()
        assert here.take() == [("went_offline", "ann")]

    async def test_whoever_signs_in_and_watches_themselves_is_told_that_they_are_there(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        assert node.watch("ann") in ([], [frozenset()])
        await nodes.settle()
        node.sign_in("ann", "1.2")
        answers = node.watch("ann")
        await nodes.settle()
        await nodes.settle()
        assert answers == [frozenset({"ann"})]
        assert node.take() == [("went_online", "ann", "1.2")]

    async def test_connections_are_those_of_the_whole_cluster(self, nodes: Nodes) -> None:
        both = await nodes.start(2)
        for node in both:
            node.connections[APP] = 3
        expected = sum(node.connections[APP] for node in set(both))
        await until(
            lambda: all(node.cluster.roster.connections(APP) == expected for node in both), "the sum of the connections"
        )
        assert both[0].cluster.roster.connections("4") == 0


class ClusterContract(BusContract, MemoryContract, CommandsContract, RosterContract):
    """All of them; give a fixture `nodes`."""


class SeveralNodesContract:
    """What only nodes that are several can show."""

    async def test_all_nodes_deliver_in_the_same_order(self, nodes: Nodes) -> None:
        three = await nodes.start(3)
        for node in three:
            node.listen("a")
        await nodes.settle()
        outcomes = []
        for at in range(60):
            outcomes += [node.publish("a", event(f"{number}-{at}")) for number, node in enumerate(three)]
            await asyncio.sleep(0)
        await nodes.settle()
        assert all(outcome(each) for each in outcomes)
        delivered = [node.delivered() for node in three]
        assert delivered[0] == delivered[1] == delivered[2]
        assert len(delivered[0]) == len(set(delivered[0])) == 180

    async def test_who_does_not_listen_is_delivered_nothing(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.listen("a")
        await nodes.settle()
        there.publish("a", event("x"))
        await nodes.settle()
        assert there.take() == []
        assert len(here.take()) == 1

    async def test_listening_that_is_withdrawn_is_never_done(self, nodes: Nodes) -> None:
        (node,) = await nodes.start(1)
        heard = node.listen("a")
        node.cluster.bus.ignore(APP, "a")
        await nodes.settle()
        assert heard == []
        again = node.listen("a")
        await nodes.settle()
        assert (heard, again) == ([], ["a"])

    async def test_entering_that_is_withdrawn_is_never_done(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        there.listen(ROOM)
        await nodes.settle()
        answers = here.enter(ROOM, "ann")
        here.leave(ROOM, "ann")
        await nodes.settle()
        assert answers == []
        listed = there.list_members(ROOM)
        await nodes.settle()
        assert listed == [[]]
        again = here.enter(ROOM, "ann")
        await nodes.settle()
        assert len(again) == 1

    async def test_a_user_on_two_nodes_is_one_member(self, nodes: Nodes) -> None:
        here, there, other = await nodes.start(3)
        other.listen(ROOM)
        await nodes.settle()
        for node in (here, there):
            node.enter(ROOM, "ann")
            await nodes.settle()
        assert [one[:3] for one in other.take()] == [("member_added", ROOM, "ann")]
        here.leave(ROOM, "ann")
        await nodes.settle()
        assert other.take() == []
        there.leave(ROOM, "ann")
        await nodes.settle()
        assert other.take() == [("member_removed", ROOM, "ann")]

    async def test_the_first_member_of_a_node_gets_everybody_and_later_ones_are_told_of(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.listen(ROOM)
        here.enter(ROOM, "ann", info=b'{"a":1}')
        await nodes.settle()
        there.listen(ROOM)
        await nodes.settle()
        there.enter(ROOM, "bob")
        await nodes.settle()
        assert there.replica[APP, ROOM] == {"ann": b'{"a":1}', "bob": b"{}"}
        here.enter(ROOM, "cid")
        await nodes.settle()
        assert there.replica[APP, ROOM] == here.replica[APP, ROOM]
        assert list(here.replica[APP, ROOM]) == ["ann", "bob", "cid"]

    async def test_of_a_member_who_is_handed_over_and_comes_back_nobody_hears(self, nodes: Nodes) -> None:
        here, there, other = await nodes.start(3)
        other.listen(ROOM)
        here.enter(ROOM, "ann")
        await nodes.settle()
        other.take()
        here.leave(ROOM, "ann", handover=5.0)
        await nodes.settle()
        there.enter(ROOM, "ann")
        await nodes.settle()
        assert other.take() == []
        there.leave(ROOM, "ann")
        await nodes.settle()
        # The one who went first holds them until the hand-over is over.
        listed = other.list_members(ROOM)
        await nodes.settle()
        assert listed == [["ann"]]

    async def test_subscriptions_of_all_nodes_are_counted(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.listen("a")
        await nodes.settle()
        here.count("a", 2, is_told=True)
        there.count("a", 3, is_told=True)
        await until(lambda: ("count_told", "a", 5) in here.told, "the sum")
        there.count("a", 0, is_told=True)
        await until(lambda: here.told[-1:] == [("count_told", "a", 2)], "the sum without those who left")
        shown = there.show_channel("a")
        await nodes.settle()
        assert shown == [ChannelInfo("a", 2)]

    async def test_watchers_hear_of_the_first_and_the_last_connection_in_the_cluster(self, nodes: Nodes) -> None:
        here, there, other = await nodes.start(3)
        other.watch("ann")
        await nodes.settle()
        await nodes.settle()
        for node in (here, there):
            node.sign_in("ann")
            await nodes.settle()
        assert other.take() == [("went_online", "ann", NOBODY)]
        for node in (here, there):
            node.sign_out("ann")
            await nodes.settle()
        assert other.take() == [("went_offline", "ann")]
        other.cluster.roster.unwatch(APP, ["ann"])
        here.sign_in("ann")
        await nodes.settle()
        assert other.take() == []

    async def test_an_order_about_a_user_is_carried_out_on_every_node_that_has_them(self, nodes: Nodes) -> None:
        three = await nodes.start(3)
        for node in three[:2]:
            node.sign_in("ann")
        await nodes.settle()
        three[2].cluster.commands.terminate(APP, "ann", lambda _outcome: None)
        await nodes.settle()
        assert [node.take("terminated") for node in three] == [[("terminated", APP, "ann")]] * 2 + [[]]

    async def test_an_order_to_all_is_carried_out_by_all_once(self, nodes: Nodes) -> None:
        three = await nodes.start(3)
        three[0].cluster.commands.reload(lambda _outcome: None)
        three[1].cluster.commands.show("viewer", b"{}")
        await nodes.settle()
        for node in three:
            assert sorted(node.take()) == [("reloaded",), ("shown", "viewer", b"{}")]

    async def test_a_full_channel_takes_one_who_is_in_by_another_node(self, nodes: Nodes) -> None:
        here, there = await nodes.start(2)
        here.enter(ROOM, "ann", limit=1)
        await nodes.settle()
        refused, taken = there.enter(ROOM, "bob", limit=1), there.enter(ROOM, "ann", limit=1)
        await nodes.settle()
        assert refused == [Full()]
        assert isinstance(taken[0], Entered)


class GapNodes(Nodes, Protocol):
    """Nodes that can be cut off, and a log that can be made to forget."""

    def cut_off(self, node: FakeNode) -> None:
        """Let nothing reach the node any more."""

    async def rejoin(self, node: FakeNode) -> None:
        """Let everything reach it again, until it is in step with the others."""

    async def forget_log(self, node: FakeNode) -> None:
        """Have the log forget all but its newest entries; the node is one that is not cut off."""


class GapContract:
    """What becomes of what a node missed and the log does not have any more: see relay/cluster/bus.py."""

    async def test_what_a_history_still_has_is_delivered_once_and_in_its_order(self, nodes: GapNodes) -> None:
        here, there = await nodes.start(2)
        rooms = ["kept-a", "kept-b"]
        for room in [*rooms, "a"]:
            there.listen(room)
        sent: dict[str, list[bytes]] = {room: [] for room in rooms}
        told = there.told

        async def publish(first: int, last: int) -> None:
            for at in range(first, last):
                for room in rooms:
                    outcomes = here.publish(room, event(str(at)), kept=Kept(history=History(size=200, ttl=60)))
                    await nodes.settle()
                    sent[room].append(text_frame(with_id(event(str(at)), outcome(outcomes).id)))

        await nodes.settle()
        await publish(0, 5)
        nodes.cut_off(there)
        await publish(5, 60)
        for message in numbers(2):
            here.publish("a", message)
        await nodes.settle()
        await nodes.forget_log(here)
        await publish(60, 65)
        await nodes.rejoin(there)
        await publish(65, 70)
        assert [one for one in told if one[0] == "missed"] == [("missed", [(APP, "a")])]
        delivered = [(room, frame) for _, _, room, frame, _ in there.take("deliver")]
        assert {room: [frame for where, frame in delivered if where == room] for room in rooms} == sent

    async def test_what_a_history_has_forgotten_as_well_is_missed_and_said_before_what_comes_behind_it(
        self, nodes: GapNodes
    ) -> None:
        here, there = await nodes.start(2)
        there.listen("kept-a")
        await nodes.settle()
        nodes.cut_off(there)
        for message in numbers(10):
            here.publish("kept-a", message, kept=Kept(history=History(size=3, ttl=60)))
        await nodes.settle()
        await nodes.forget_log(here)
        await nodes.rejoin(there)
        here.publish("kept-a", event("later"), kept=Kept(history=HISTORY))
        await nodes.settle()
        missed, *delivered = there.take()
        assert missed == ("missed", [(APP, "kept-a")])
        texts = [one[3].split(b'"data":"')[1].split(b'"')[0] for one in delivered]
        assert texts in ([b"9", b"later"], [b"later"])

    async def test_who_was_left_out_is_left_out_of_what_comes_late_as_well(self, nodes: GapNodes) -> None:
        here, there = await nodes.start(2)
        there.listen("kept-a")
        await nodes.settle()
        nodes.cut_off(there)
        for at, exclude in enumerate([None, "1.2", None, None]):
            here.publish("kept-a", event(str(at)), exclude, kept=Kept(history=HISTORY))
        await nodes.settle()
        await nodes.forget_log(here)
        await nodes.rejoin(there)
        await nodes.settle()
        assert [one[-1] for one in there.take("deliver")] == [None, "1.2", None, None]

    async def test_of_a_channel_in_which_nothing_was_sent_nothing_is_missed(self, nodes: GapNodes) -> None:
        here, there = await nodes.start(2)
        there.listen("kept-a")
        there.listen("kept-b")
        await nodes.settle()
        here.publish("kept-b", event("x"), kept=Kept(history=HISTORY))
        await nodes.settle()
        nodes.cut_off(there)
        for message in numbers(3):
            here.publish("a", message)
        await nodes.settle()
        await nodes.forget_log(here)
        await nodes.rejoin(there)
        assert [one[:3] for one in there.take()] == [("deliver", APP, "kept-b")]
