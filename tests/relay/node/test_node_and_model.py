"""Whatever happens in whatever order, node, hub, presence, cache, counts and webhooks do what a plain model of them says."""

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from relay.api.channels import list_channels, list_users, show_channel
from relay.apps import App, Apps, Webhook
from relay.cluster.receiver import Witness
from relay.protocol.channels import rules_for
from relay.protocol.requests import Publish
from relay.protocol.webhooks import cause_of
from relay.webhooks.delivery import HttpWebhooks
from relay.webhooks.pace import Pace
from tests.helpers import model
from tests.helpers.api import told_after
from tests.helpers.clients import app_with
from tests.helpers.late_cluster import LateCluster
from tests.helpers.machine import ClientsAndGuests, learn
from tests.helpers.model import OWN_CHANNEL, Fact, Guest, Model, Rules, as_seen, is_within, views, without_visits
from tests.helpers.node import Clock, ListeningCluster, cluster_of, end_turn, ignore, node_of

CHANNELS = [
    "a",
    "private-b",
    "private-encrypted-c",
    "presence-d",
    "cache-e",
    "cache-f",
    "private-cache-g",
    "presence-cache-h",
    "#server-to-user-1",
    "#server-to-user-2",
]
PRESENCE = [name for name in CHANNELS if name.startswith("presence-")]
USERS = ["1", "2", "3"]
# Clients at the same time.
MOST = 6

# Nothing is sent there: the loop of the webhooks stands still whenever something waits in the queue.
HOOK = Webhook("http://127.0.0.1:9/")

anybody = st.integers(0, MOST - 1)
# Of the channels that one example uses.
any_channel = st.integers(0, len(CHANNELS) - 1)
members = st.none() | st.tuples(st.sampled_from(USERS), st.sampled_from([{}, {"tab": 1}, {"tab": 2}]))

new_rules = st.builds(
    Rules,
    # Most of the time, or little would happen.
    enabled=st.integers(0, 7).map(bool),
    counting=st.booleans(),
    client_messages=st.booleans(),
    members=st.integers(1, 3),
    cache_ttl=st.integers(1, 6),
    remembered=st.integers(1, 3),
)


def app_under(rules: Rules) -> App:
    app = app_with(
        enabled=rules.enabled,
        client_messages=rules.client_messages,
        presence_members=rules.members,
        cache_ttl=rules.cache_ttl,
        cached_events=rules.remembered,
        watchlist=model.WATCHLIST,
        client_events_per_second=1_000_000,
    )
    return replace(app, subscription_count=rules.counting, webhooks=(HOOK,))


class BackEnd:
    """A target of the real webhooks: what it was told, and what it must take for the case by that."""

    def __init__(self, app: App, clock: Clock) -> None:
        self.believes: set[Fact] = set()
        self._told: list[dict[str, object]] = []
        self._runner = asyncio.Runner()
        self._webhooks = HttpWebhooks([app], clock, clock, Pace(grace=model.GRACE, miss_interval=model.MISS_INTERVAL))
        self._runner.run(self._webhooks.start())
        self._find_target(app)

    @property
    def webhooks(self) -> HttpWebhooks:
        return self._webhooks

    def _find_target(self, app: App) -> None:
        (self._target,) = self._webhooks._targets[app.id]

    def reload(self, *apps: App) -> None:
        """Serve these apps."""

        async def swap() -> None:
            self._webhooks.reload(apps)
            self._read()

        # Nothing may wait in a queue while the loop runs: it would be sent.
        self._read()
        self._runner.run(swap())
        for app in apps:
            self._find_target(app)

    def take(self) -> list[dict[str, object]]:
        """What it was told since the last time, besides of coming and going; that changes what it believes."""
        self._read()
        told, self._told = self._told, []
        return told

    def _read(self) -> None:
        queue = self._target.queue
        while queue._events:
            event = queue._events.popleft()
            queue._waiting[cause_of(event)] -= 1
            fields = event.fields()
            if not learn(self.believes, fields):
                self._told.append(fields)

    def close(self) -> None:
        self._webhooks._leaving.clear()
        self._target.queue.abandon()
        self._runner.run(self._webhooks.stop())
        self._runner.close()


class RelayAndModel(ClientsAndGuests):
    """Clients come, join, speak, sign in and go; the app publishes, changes and pauses; time passes."""

    def __init__(self) -> None:
        super().__init__()
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr("relay.cluster.counts.SMALL_CHANNEL", model.SMALL)
        self.model = Model()
        self.app = app_under(self.model.rules)
        self.clock = Clock()
        self.back_end = BackEnd(self.app, self.clock)
        self.bus = self.cluster_of(self.back_end.webhooks)
        self.node = node_of(self.app, cluster=self.bus, clock=self.clock)
        self.bus.begin(self.node.arrivals)
        self.is_served = True
        # How many steps more belong to the present turn of the loop, and whether it has had several.
        self.steps_left = 0
        self.is_long = False
        self.channels = CHANNELS

    def cluster_of(self, webhooks: Witness) -> ListeningCluster:
        return cluster_of(webhooks, self.clock)

    def settle(self) -> None:
        """What was done is done now: a cluster of one node waits for nothing."""

    def teardown(self) -> None:
        self._patch.undo()
        self.back_end.close()

    @initialize(
        channels=st.lists(st.sampled_from(CHANNELS), min_size=1, max_size=5, unique=True),
        counting=st.booleans(),
        clients=st.integers(1, MOST),
    )
    def begin(self, channels: list[str], counting: bool, clients: int) -> None:
        """Few channels, so that much happens in each of them."""
        self.channels = channels
        self.reload(Rules(counting=counting))
        for _ in range(clients):
            self.connect()

    # --- clients ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_served and self.app.enabled and len(self.open()) < MOST)
    @rule()
    def connect(self) -> None:
        self.connects(self.node).settle = self.settle

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel, member=members)
    def join(self, at: int, which: int, member: tuple[str, object] | None) -> None:
        self.joins(at, which, member)

    @precondition(lambda self: self.open())
    @rule(which=any_channel, member=members)
    def everybody_joins(self, which: int, member: tuple[str, object] | None) -> None:
        for at in range(len(self.open())):
            self.join(at, which, member)

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel)
    def leave(self, at: int, which: int) -> None:
        self.leaves(at, which)

    @precondition(lambda self: self.open())
    @rule(at=anybody)
    def drop(self, at: int) -> None:
        self.drops(at)

    @precondition(lambda self: self.open())
    @rule(at=anybody, user=st.sampled_from(USERS), watchlist=st.lists(st.sampled_from(USERS), max_size=3))
    def sign_in(self, at: int, user: str, watchlist: list[str]) -> None:
        self.signs_in(at, user, watchlist)

    @precondition(lambda self: self.open())
    @rule(at=anybody, which=any_channel, data=st.text('ab"\\', max_size=3))
    def speak(self, at: int, which: int, data: str) -> None:
        self.speaks(at, which, data)

    # --- the app ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.is_served and self.app.enabled)
    @rule(
        which=st.lists(any_channel, min_size=1, max_size=3),
        data=st.text('ab"\\', max_size=3),
        excludes=st.lists(st.none() | anybody, min_size=1, max_size=3),
    )
    def publish(self, which: list[int], data: str, excludes: list[int | None]) -> None:
        """Publish it once for each of `excludes`, one right after the other."""
        channels = list(dict.fromkeys(map(self.channel, which)))
        rules = tuple(rules_for(channel) for channel in channels)
        for exclude in excludes:
            but = self.somebody(exclude)
            self.node.namespaces[self.app.id].publish(Publish("x", data, rules, but, frozenset()), ignore)
            self.settle()
            self.model.publish(channels, "x", data, but)

    @precondition(lambda self: self.is_served)
    @rule(user=st.sampled_from(USERS))
    def terminate(self, user: str) -> None:
        self.node.namespaces[self.app.id].terminate(user, ignore)
        self.settle()
        self.follow_closings(self.model.online(user), 4009)

    @precondition(lambda self: self.is_served)
    @rule(user=st.sampled_from(USERS), which=st.none() | any_channel)
    def unsubscribe(self, user: str, which: int | None) -> None:
        channel = None if which is None else self.channel(which)
        if channel is not None and not model.needs_signature(channel):
            return
        # Several may go in one turn: one need not be told of another.
        self.is_long = True
        self.node.namespaces[self.app.id].unsubscribe(user, channel, ignore)
        self.settle()
        self.model.unsubscribe(user, channel)

    @precondition(lambda self: self.is_served)
    @rule(rules=new_rules)
    def reload(self, rules: Rules) -> None:
        self.model.reload(rules)
        self.serve(app_under(rules))
        self.follow_closings([] if rules.enabled else self.model.guests, 4003)

    @precondition(lambda self: self.is_served)
    @rule(chance=st.integers(0, 4))
    def take_out(self, chance: int) -> None:
        """The app is not in the settings any more; seldom, as it ends all that went before."""
        if chance:
            return
        self.is_served = False
        self.serve()
        self.follow_closings(self.model.guests, 4001)
        self.model.forget_all()
        assert self.back_end.believes == set()

    @precondition(lambda self: not self.is_served)
    @rule()
    def put_back(self) -> None:
        self.is_served = True
        self.serve(self.app)

    def serve(self, *apps: App) -> None:
        for app in apps:
            self.app = app
        self.node.reload(Apps(apps))
        self.back_end.reload(*apps)

    def follow_closings(self, expected: list[Guest], code: int) -> None:
        closing, self.closing = self.closing, []
        # They go in one turn: one need not be told of another.
        self.is_long = self.is_long or len(closing) > 1
        assert {self.guests[client] for client in closing} == set(expected)
        for client in closing:
            assert client.transport.closed is not None
            assert client.transport.closed[0] == code
            self.model.close(self.guests[client])

    @rule(steps=st.integers(1, 6))
    def do_much_in_one_turn(self, steps: int) -> None:
        """The loop has so many things to do before it looks around again."""
        self.steps_left = steps
        self.is_long = True

    def end_turn(self) -> None:
        """What clients were told has to be what the model says."""
        end_turn(self.node)
        for client, guest in self.guests.items():
            told = client.transport.take()
            is_leaving = guest in self.model.left
            seen, expected = views(told), views(guest.told)
            if self.is_long and not is_leaving:
                seen, expected = map(views, without_visits(told, guest.told))
            if self.is_long and is_leaving:
                assert all(is_within(messages, expected.get(key, [])) for key, messages in seen.items())
            else:
                assert seen == expected
            guest.told.clear()
            as_seen(told, self.seen[client])
        self.model.left.clear()
        self.steps_left = 0
        self.is_long = False

    @rule(seconds=st.integers(1, 6))
    def wait(self, seconds: int) -> None:
        self.end_turn()
        for _ in range(seconds):
            self.clock.now += 1
            self.node.tick(self.clock.now)
            self.back_end.webhooks.tick(self.clock.now)
            self.model.pass_a_second()
        # Counts of several channels that are due at once may come in any order.
        for client, guest in self.guests.items():
            assert sorted(map(str, client.told())) == sorted(map(str, guest.told))
            guest.told.clear()
        assert sorted(map(str, self.back_end.take())) == sorted(map(str, self.model.happened))
        self.model.happened.clear()

    # --- what has to hold after each step --------------------------------------------------------------------------------

    @invariant()
    def each_client_was_told_what_the_model_says(self) -> None:
        if self.steps_left:
            self.steps_left -= 1
        else:
            self.end_turn()

    @invariant()
    def each_member_list_is_the_true_one(self) -> None:
        if self.is_long:
            return
        for client, guest in self.guests.items():
            for channel in guest.channels.keys() & set(PRESENCE):
                assert self.seen[client][channel] == Counter(list(self.model.members[channel]))

    @invariant()
    def back_ends_were_told_what_the_model_says(self) -> None:
        assert self.back_end.take() == self.model.happened
        self.model.happened.clear()
        facts = self.model.facts()
        assert facts <= self.back_end.believes
        for fact in self.back_end.believes - facts:
            assert self.model.now < self.model.gone_at[fact] + model.GRACE

    @invariant()
    def the_node_listens_to_what_is_occupied(self) -> None:
        occupied = {name for name in self.model.rooms if not name.startswith(OWN_CHANNEL)}
        own = {f"{OWN_CHANNEL}{guest.user}" for guest in self.model.guests if guest.user is not None}
        assert self.bus.listening == {(self.app.id, name) for name in occupied | own}

    @precondition(lambda self: self.is_served)
    @invariant()
    def the_api_says_what_the_model_says(self) -> None:
        rooms = self.model.rooms
        listed = told_after(self.settle, list_channels, self.node, self.app, "/channels", info="subscription_count")
        assert listed == {"channels": {name: {"subscription_count": len(room)} for name, room in rooms.items()}}
        for name in PRESENCE:
            users = list(self.model.members.get(name, {}))
            path = f"/channels/{name}"
            shown = told_after(self.settle, show_channel, self.node, self.app, path, info="user_count")
            assert shown == {"occupied": name in rooms, "user_count": len(users)}
            assert told_after(self.settle, list_users, self.node, self.app, f"{path}/users") == {
                "users": [{"id": user} for user in users]
            }
        for name in filter(model.is_cache, CHANNELS):
            last = self.model.last_event(name)
            shown = told_after(self.settle, show_channel, self.node, self.app, f"/channels/{name}", info="cache")
            assert shown["cache"] == (None if last is None else {"data": last[0]["data"], "ttl": last[1]})

    @precondition(lambda self: self.is_served)
    @invariant()
    def the_gauges_say_what_the_model_says(self) -> None:
        ((_, gauges),) = self.node.gauges()
        rooms = self.model.rooms
        assert (gauges.connections, gauges.channels) == (len(self.model.guests), len(rooms))
        assert gauges.subscriptions == sum(len(room) for room in rooms.values())


class LateRelayAndModel(RelayAndModel):
    """The same over a cluster that answers later: the node goes by all its waiting states."""

    are_replies_first = False

    def cluster_of(self, webhooks: Witness) -> ListeningCluster:
        self.late = LateCluster(webhooks, self.clock, are_replies_first=self.are_replies_first)
        return self.late

    def settle(self) -> None:
        self.late.answer_all()


class ReplyFirst(LateRelayAndModel):
    """Answers come before what they are about, as from Redis 7.2 on."""

    are_replies_first = True


def run(examples: int, steps: int, machine: type[RelayAndModel] = RelayAndModel) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )


def test_whatever_happens_everybody_is_told_what_the_model_says() -> None:
    run(examples=200, steps=50)


@pytest.mark.parametrize("machine", [LateRelayAndModel, ReplyFirst])
def test_whatever_happens_and_however_late_the_cluster_answers_everybody_is_told_the_same(
    machine: type[RelayAndModel],
) -> None:
    run(examples=40, steps=30, machine=machine)


@pytest.mark.parametrize("machine", [RelayAndModel, LateRelayAndModel, ReplyFirst])
def test_what_the_own_channel_of_somebody_in_no_other_holds_back_may_be_lost_when_they_go_in_the_same_turn(
    machine: type[RelayAndModel],
) -> None:
    state = machine()
    state.begin(channels=["#server-to-user-1"], counting=False, clients=1)
    state.end_turn()
    state.do_much_in_one_turn(steps=3)
    state.sign_in(at=0, user="1", watchlist=[])
    state.publish(which=[0], data="", excludes=[None])
    state.drop(at=0)
    state.end_turn()
    state.teardown()


@pytest.mark.long
def test_whatever_happens_for_long_everybody_is_told_what_the_model_says() -> None:
    run(examples=2_000, steps=60)
