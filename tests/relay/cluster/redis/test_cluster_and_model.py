"""Whatever happens on three nodes, in whatever order answers and pushes meet: clients are told what the model of one says."""

import random
from collections import Counter
from collections.abc import MutableMapping
from typing import Any

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from relay.apps import App, ChannelHistory, Webhook
from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.cluster.redis.heal import LEAST_PAGE
from relay.cluster.roster import ChannelInfo, Wanted
from relay.protocol.channels import rules_for
from relay.protocol.requests import Publish
from relay.protocol.webhooks import CAUSES
from tests.helpers import model
from tests.helpers.clients import app_with
from tests.helpers.fake_cluster import FakeCluster, FakeNode
from tests.helpers.fake_redis import FakeRedis
from tests.helpers.machine import ClientsAndGuests, learn
from tests.helpers.model import Fact, Message, Model, Rules, as_seen, views
from tests.helpers.node import Client
from tests.helpers.redis import RedisServer
from tests.helpers.stepped_redis import SteppedRedis

CHANNELS = [
    "a",
    "private-b",
    "presence-d",
    "presence-e",
    "cache-f",
    "presence-cache-g",
    "#server-to-user-1",
    "private-kept-h",
    "presence-kept-i",
]
PRESENCE = [name for name in CHANNELS if name.startswith("presence-")]
# What channels with a history begin with.
KEPT = ("private-kept-", "presence-kept-")
USERS = ["1", "2", "3"]
NODES = 3
# Clients at the same time.
MOST = 6
# Seconds: of a lease, of a rebuild, with what comes before and behind.
DEATH = 10
REBUILD = 9

anybody = st.integers(0, MOST - 1)
any_node = st.integers(0, NODES - 1)
any_channel = st.integers(0, len(CHANNELS) - 1)
users = st.tuples(st.sampled_from(USERS), st.sampled_from([{}, {"tab": 1}]))
# Without one a client joins as whom it is signed in.
members = st.integers(0, 7).flatmap(lambda chance: users if chance else st.none())
# What clients do most: hypothesis alone would spend most steps on what goes wrong.
moves = st.lists(
    st.tuples(st.sampled_from(["join", "join", "join", "leave", "sign_in", "cut"]), anybody, any_channel, users),
    min_size=1,
    max_size=8,
)


def app_under(rules: Rules) -> App:
    app = app_with(
        presence_members=rules.members,
        cache_ttl=rules.cache_ttl,
        watchlist=model.WATCHLIST,
        client_events_per_second=1_000_000,
    )
    histories = tuple(ChannelHistory(prefix) for prefix in KEPT)
    return replace(
        app, subscription_count=rules.counting, webhooks=(Webhook("http://127.0.0.1:9/"),), history=histories
    )


class ClusterMachine(ClientsAndGuests):
    """Clients on random nodes join, speak, sign in and go; nodes are cut, killed and frozen; Redis loses everything."""

    def make_redis(self) -> FakeRedis:
        """Where the scripts run."""
        return FakeRedis()

    @initialize(
        channels=st.lists(st.sampled_from([*CHANNELS[-2:], *PRESENCE, *CHANNELS]), min_size=1, max_size=4, unique=True),
        clients=st.integers(2, MOST),
        limit=st.integers(1, 3),
        counting=st.booleans(),
        is_answer_first=st.booleans(),
        seed=st.integers(0, 1_000),
    )
    def begin(
        self, channels: list[str], clients: int, limit: int, counting: bool, is_answer_first: bool, seed: int
    ) -> None:
        self.model = Model()
        # How many are remembered is bounded by Redis' memory alone.
        self.model.rules = Rules(members=limit, counting=counting, cache_ttl=30, remembered=1_000)
        self.app = app_under(self.model.rules)
        self.chance = random.Random(seed)  # noqa: S311 - a test's
        self.redis = self.make_redis()
        self.cluster = FakeCluster(self.app, NODES, self.redis)
        self.cluster.redis.is_answer_first = is_answer_first
        self.channels = channels
        self.nodes: dict[Client, FakeNode] = {}
        self.counts: dict[Client, dict[str, int]] = {}
        # By client and channel: the id of the last event with a history.
        self.last_ids: dict[tuple[Client, str], tuple[str, int, int]] = {}
        self.cuts: dict[FakeNode, int] = {}
        # When Redis was there again, after it was away.
        self.back_at = 0
        self.believes: set[Fact] = set()
        self.told: list[dict[str, object]] = []
        self.hooks_read = 0
        for at in range(clients):
            self.connect(at)

    def node(self, at: int) -> FakeNode:
        return self.cluster.nodes[at % len(self.cluster.nodes)]

    # --- what goes on ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.open()) < MOST)
    @rule(at=any_node)
    def connect(self, at: int) -> None:
        node = self.node(at)
        client = self.connects(node.node)
        self.nodes[client], self.counts[client] = node, {}

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel, member=members)
    def join(self, at: int, which: int, member: tuple[str, object] | None) -> None:
        self.joins(at, which, member)
        self.settle()

    @precondition(lambda self: self.open())
    @rule(moves=moves)
    def much_happens(self, moves: list[tuple[str, int, int, tuple[str, object]]]) -> None:
        for kind, at, which, user in moves:
            match kind:
                case "join":
                    self.join(at, which, user)
                case "leave":
                    self.leave(at, which)
                case "sign_in":
                    self.sign_in(at, user[0], USERS)
                case "cut":
                    self.cut(at, which * 3)

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel)
    def leave(self, at: int, which: int) -> None:
        self.leaves(at, which)
        self.settle()

    @precondition(lambda self: self.open())
    @rule(at=anybody)
    def drop(self, at: int) -> None:
        self.drops(at)
        # What one node takes leave of at once, another may hear of in two turns.
        self.settle()

    @precondition(lambda self: self.open())
    @rule(at=anybody, user=st.sampled_from(USERS), watchlist=st.lists(st.sampled_from(USERS), max_size=3))
    def sign_in(self, at: int, user: str, watchlist: list[str]) -> None:
        self.signs_in(at, user, watchlist)
        self.settle()

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel, data=st.text("ab", max_size=3))
    def speak(self, at: int, which: int, data: str) -> None:
        """What clients say is lost to a node that is cut: nobody is."""
        self.cuts.clear()
        self.speaks(at, which, data)
        self.settle()

    @rule(at=any_node, which=any_channel, data=st.text("ab", max_size=3), exclude=st.none() | anybody)
    def publish(self, at: int, which: int, data: str, exclude: int | None) -> None:
        node, channel = self.node(at), self.channel(which)
        # Of what a node publishes while it is cut nobody can say whether Redis has it.
        self.cuts.pop(node, None)
        but = self.somebody(exclude)
        outcomes: list[Outcome] = []
        namespace = node.node.namespaces[self.app.id]
        namespace.publish(Publish("x", data, (rules_for(channel),), but, frozenset()), outcomes.append)
        self.model.publish([channel], "x", data, but)
        self.settle()
        assert [type(outcome) for outcome in outcomes] == [Accepted]

    @rule(at=any_node, user=st.sampled_from(USERS))
    def terminate(self, at: int, user: str) -> None:
        node = self.node(at)
        self.cuts.pop(node, None)
        node.cluster.commands.terminate(self.app.id, user, lambda _outcome: None)
        expected = self.model.online(user)
        self.run()
        closing, self.closing = self.closing, []
        assert {self.guests[client] for client in closing} == set(expected)
        for client in closing:
            self.model.close(self.guests[client])
        # They go in one turn, or in several: of one another they may hear, or not.
        self.compare(is_loose=True)

    # --- what goes wrong -------------------------------------------------------------------------------------------------

    @rule(at=any_node, steps=st.integers(0, 20))
    def cut(self, at: int, steps: int) -> None:
        """The node's link is lost while that happens which comes next."""
        self.cuts[self.node(at)] = steps

    @precondition(lambda self: len(self.cluster.nodes) > 1)
    @rule(at=any_node, chance=st.integers(0, 3))
    def kill(self, at: int, chance: int) -> None:
        """Seldom, as it ends what went before on a node. Another one is started."""
        if chance:
            return
        node = self.node(at)
        self.cuts.pop(node, None)
        self.cluster.kill(node)
        for client in [client for client in self.open() if self.nodes[client] is node]:
            self.model.close(self.guests[client])
            self.guests[client].told.clear()
            del self.guests[client]
        self.cluster.add()
        self.pass_seconds(DEATH)
        self.compare(is_loose=True)

    @rule(at=any_node, seconds=st.sampled_from([2, 12]))
    def freeze(self, at: int, seconds: int) -> None:
        """It is taken for dead after a lease. Others hear of it then; its own clients hear nothing of themselves."""
        node = self.node(at)
        self.cuts.pop(node, None)
        node.is_frozen = True
        self.pass_seconds(seconds)
        node.is_frozen = False
        self.pass_seconds(4)
        if seconds < DEATH:
            self.compare()
        else:
            self.forget_what_was_told()

    def kept(self) -> list[str]:
        return [channel for channel in self.channels if channel.startswith(KEPT)]

    @precondition(lambda self: self.kept() and len(self.cluster.nodes) > 1)
    @rule(
        at=any_node,
        which=any_channel,
        texts=st.lists(st.text("ab", max_size=3), min_size=2, max_size=6),
        exclude=st.none() | anybody,
        cuts=st.lists(st.integers(0, 20), max_size=2),
    )
    def fall_behind(self, at: int, which: int, texts: list[str], exclude: int | None, cuts: list[int]) -> None:
        """The log does not reach back to what the node saw last; what its clients missed is in a history."""
        self.cuts.clear()
        late, other = self.node(at), self.node(at + 1)
        channel = self.kept()[which % len(self.kept())]
        listeners = [number for number, client in enumerate(self.open()) if self.nodes[client] is late]
        for number in listeners[:2]:
            self.join(number, self.channels.index(channel), ("1", {}))
        but = None if exclude is None or not self.open() else self.one(exclude)[1].socket_id
        late.cut()
        late.is_frozen = True
        for text in texts:
            namespace = other.node.namespaces[self.app.id]
            namespace.publish(Publish("x", text, (rules_for(channel),), but, frozenset()), lambda _outcome: None)
            self.model.publish([channel], "x", text, but)
        self.run()
        self.cluster.redis.call(b"XTRIM", "pd:{0}:log", "MAXLEN", "=", 1)
        late.is_frozen = False
        # So that it takes some calls, between which it is cut.
        late.cluster._partitions.control._page = LEAST_PAGE
        for steps in cuts:
            self.cluster.settle(self.chance, {late: steps})
        self.pass_seconds(1)
        self.compare()

    @rule(seconds=st.sampled_from([2, 20]), at=any_node)
    def take_redis_away(self, seconds: int, at: int) -> None:
        """For longer than a lease, perhaps: nobody could beat, so nobody is dead, and not who finds back a little later."""
        late = self.node(at)
        self.cluster.is_away = True
        for node in self.cluster.nodes:
            node.cut()
        self.pass_seconds(seconds)
        self.cluster.is_away = False
        self.back_at = self.model.now
        late.is_frozen = True
        self.pass_seconds(2)
        late.is_frozen = False
        self.pass_seconds(2)
        self.compare()

    @rule(is_restarted=st.booleans())
    def lose_everything(self, is_restarted: bool) -> None:
        """Redis is emptied, or comes back empty: nobody hears of it."""
        if is_restarted:
            for node in self.cluster.nodes:
                node.cut()
            self.cluster.redis.restart()
        else:
            self.cluster.redis.flushall()
        self.hooks_read = 0
        self.pass_seconds(REBUILD)
        self.model.remembered.clear()
        self.model._missed_at.clear()
        self.model.happened.clear()
        self.read_hooks()
        self.told.clear()
        self.compare()
        # Of what changed meanwhile back ends have not heard.
        self.believes = self.model.facts()

    def forget_what_was_told(self) -> None:
        for client, guest in self.guests.items():
            self.see(client, client.transport.take())
            guest.told.clear()
        self.compare()

    # --- what has to hold ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        cuts, self.cuts = self.cuts, {}
        for node in self.cluster.nodes:
            node.node.flush()
        self.cluster.settle(self.chance, cuts)

    def settle(self) -> None:
        is_cut = bool(self.cuts)
        self.run()
        if is_cut:
            # Questions that had no answer are asked again at the next tick.
            self.pass_seconds(1)
        self.compare()

    def see(self, client: Client, told: list[Message]) -> list[Message]:
        """Keep what a client knows by what it was told; its counts are looked at later."""
        as_seen(told, self.seen[client])
        for one in told:
            if one["event"] == "pusher_internal:subscription_count":
                self.counts[client][one["channel"]] = one["data"]["subscription_count"]
            self.check_id(client, one)
        return [normal(one) for one in told if one["event"] != "pusher_internal:subscription_count"]

    def check_id(self, client: Client, told: Message) -> None:
        """Ids grow, as long as Redis has its data."""
        if "id" in told:
            epoch, place = told["id"].split(".")
            last = epoch, *map(int, place.split("-"))
            before = self.last_ids.get((client, told["channel"]))
            assert before is None or before[0] != epoch or before < last
            self.last_ids[client, told["channel"]] = last

    def compare(self, *, is_loose: bool = False) -> None:
        """Each client was told what the model says, and has the true lists of members."""
        for client, guest in self.guests.items():
            told = self.see(client, client.transport.take())
            predicted = [normal(one) for one in guest.told if one["event"] != "pusher_internal:subscription_count"]
            guest.told.clear()
            if not is_loose:
                assert views(told) == views(predicted)
            elif guest in self.model.guests:
                # Of those who went in one turn it is told in any order.
                assert sorted(map(str, told)) == sorted(map(str, predicted))
            for channel in guest.channels.keys() & set(PRESENCE):
                assert +self.seen[client][channel] == Counter(list(self.model.members[channel]))
        self.model.left.clear()

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.cuts.clear()
        self.pass_seconds(seconds)
        self.compare()
        self.check_counts()
        self.check_questions()
        self.check_hooks()

    def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.cluster.pass_a_second(self.chance)
            self.model.pass_a_second()

    def check_counts(self) -> None:
        """Who is in a channel knows how many are."""
        if not self.model.rules.counting:
            return
        for client, guest in self.guests.items():
            for channel in guest.channels.keys() - set(PRESENCE):
                assert self.counts[client].get(channel) == len(self.model.rooms[channel])

    def check_questions(self) -> None:
        """Each node answers what the model says."""
        rooms, members = self.model.rooms, self.model.members
        expected = [ChannelInfo(name, len(room), len(members.get(name, ()))) for name, room in sorted(rooms.items())]
        for node in self.cluster.nodes:
            answers: list[Any] = []
            roster, wanted = node.cluster.roster, Wanted(subscriptions=True, members=True)
            roster.list_channels(self.app.id, "", wanted, answers.append)
            roster.list_members(self.app.id, PRESENCE[0], answers.append)
            self.cluster.settle(self.chance)
            pages, users = answers
            assert not isinstance(pages, Unavailable)
            assert ([info for page in pages for info in page], set(users)) == (
                expected,
                set(members.get(PRESENCE[0], ())),
            )

    def read_hooks(self) -> None:
        """What waits for back ends, in the order of all causes."""
        streams = [self.cluster.redis.value(f"pd:{{0}}:hooks:{self.app.id}:{cause}") or [] for cause in CAUSES]
        entries = {int(entry_id.split(b"-")[0]): words for stream in streams for entry_id, words in stream}
        for number in sorted(number for number in entries if number > self.hooks_read):
            self.learn(msgspec.json.decode(entries[number][3]))
        self.hooks_read = max(entries, default=0)

    def learn(self, fields: dict[str, Any]) -> None:
        if not learn(self.believes, fields) and fields["name"] in {"client_event", "cache_miss"}:
            self.told.append(fields)

    def check_hooks(self) -> None:
        """Back ends were told what the model says."""
        self.read_hooks()
        said = [event for event in self.model.happened if event["name"] != "subscription_count"]
        assert self.told == said
        self.told.clear()
        self.model.happened.clear()
        facts = self.model.facts()
        assert facts <= self.believes
        for fact in self.believes - facts:
            # The grace, the sweep once a second, and the time in which an outage may be why somebody is away; without Redis
            # nobody can say so.
            since = max(self.model.gone_at[fact], self.back_at)
            assert self.model.now <= since + model.GRACE + 1 + DEATH


def normal(one: Message) -> Message:
    """Without an id, and with members in no order: after a rebuild it is that of the nodes."""
    one = {name: value for name, value in one.items() if name != "id"}
    presence = one["data"].get("presence") if isinstance(one.get("data"), dict) else None
    if presence is None:
        return one
    ids = sorted(presence["ids"])
    return one | {"data": {"presence": presence | {"ids": ids, "hash": {user: presence["hash"][user] for user in ids}}}}


def run(machine: type[ClusterMachine], examples: int, steps: int, logged: list[MutableMapping[str, Any]]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
    # Redis lost everything: that something was missed is said as an error, to the operator.
    assert {entry["event"] for entry in logged if entry["log_level"] == "error"} <= {"messages_missed"}
    logged.clear()


def test_whatever_happens_to_nodes_everybody_is_told_what_the_model_says(
    logged: list[MutableMapping[str, Any]],
) -> None:
    run(ClusterMachine, 20, 20, logged)


@pytest.mark.long
def test_whatever_happens_to_nodes_for_long_everybody_is_told_what_the_model_says(
    logged: list[MutableMapping[str, Any]],
) -> None:
    run(ClusterMachine, 1_000, 40, logged)


@pytest.mark.long
def test_whatever_happens_over_a_real_redis_everybody_is_told_what_the_model_says(
    redis: RedisServer, logged: list[MutableMapping[str, Any]]
) -> None:
    class OverRedis(ClusterMachine):
        def make_redis(self) -> FakeRedis:
            return SteppedRedis(redis)  # type: ignore[return-value]  # it does the same

        def teardown(self) -> None:
            self.redis.close()  # type: ignore[attr-defined]  # that one is closed

    run(OverRedis, 20, 25, logged)


def test_who_is_the_new_member_in_another_channel_is_told_of_them_all_the_same() -> None:
    """Also where the answer to a member's coming arrives before the push."""
    machine = ClusterMachine()
    machine.begin(["presence-d", "presence-e"], 2, 3, counting=False, is_answer_first=True, seed=0)
    first, _ = machine.open()
    machine.join(0, 1, ("2", {}))
    machine.join(0, 0, ("3", {}))
    third = len(machine.open())
    machine.connect(0)
    machine.join(third, 0, ("2", {}))
    assert machine.seen[first]["presence-d"] == Counter(["2", "3"])


def test_whoever_signs_in_while_a_link_is_lost_is_not_ended_by_an_order_of_before() -> None:
    machine = ClusterMachine()
    machine.begin(["a"], 3, 1, counting=False, is_answer_first=False, seed=0)
    machine.terminate(0, "2")
    machine.cut(2, 0)
    machine.sign_in(2, "2", USERS)
    assert machine.open()[2].transport.closed is None


def test_of_what_ended_while_redis_was_away_back_ends_hear_when_it_is_there_again() -> None:
    machine = ClusterMachine()
    machine.begin(["a"], 2, 1, counting=False, is_answer_first=False, seed=0)
    machine.join(0, 0, None)
    machine.drop(0)
    machine.take_redis_away(20, 0)
    machine.wait(1)
    assert machine.believes == {("a", None)}
    machine.wait(6)
    assert machine.believes == set()
