"""Joins and sign-ins of a node whose cluster answers later: what clients may do meanwhile, and what is undone."""

from collections.abc import Mapping

import pytest
from msgspec.structs import replace

from relay.cluster.bus import Unavailable
from relay.cluster.roster import Entered
from relay.protocol.session import Member
from tests.helpers.clients import APP, app_with, member, message
from tests.helpers.late_cluster import LateRelay
from tests.helpers.node import Client, succeeded

ROOM = "presence-a"


@pytest.fixture(params=[False, True], ids=["pushes first", "replies first"])
def late(request: pytest.FixtureRequest) -> LateRelay:
    return LateRelay(are_replies_first=request.param)


def names(client: Client) -> list[str]:
    return [str(event["event"]).removeprefix("pusher_internal:") for event in client.told()]


def errors(client: Client) -> list[str]:
    return [event["data"]["message"] for event in client.told() if event["event"] == "pusher:error"]


class TestWhileAJoinWaits:
    def test_it_is_confirmed_when_the_cluster_delivers_here_and_gets_what_comes_then(self, late: LateRelay) -> None:
        client = late.client()
        assert client.subscribe("a") == []
        late.answer()
        late.publish("x", "1", "a")
        late.answer()
        assert names(client) == ["subscription_succeeded", "x"]

    def test_a_second_one_is_refused_and_the_first_goes_on(self, late: LateRelay) -> None:
        client = late.client()
        client.subscribe("a")
        (error,) = client.subscribe("a")
        assert error["data"]["message"] == "Existing subscription to channel a"
        late.answer()
        assert client.told() == [succeeded("a")]

    def test_it_counts_among_the_subscriptions_that_a_connection_may_have(self) -> None:
        app = app_with(subscriptions=1)
        late = LateRelay(app)
        client = late.client(app)
        client.subscribe("a")
        assert client.subscribe("b")[0]["data"]["type"] == "LimitReached"

    def test_the_client_may_not_speak_there(self, late: LateRelay) -> None:
        client = late.client()
        client.subscribe("private-a")
        (error,) = client.send(message("client-x", 1, "private-a"))
        assert error["data"]["message"] == "No current subscription to channel private-a"

    def test_whoever_unsubscribes_does_not_come_in(self, late: LateRelay) -> None:
        client = late.client()
        for channel in ("a", "cache-a"):
            client.subscribe(channel)
            assert client.unsubscribe(channel) == []
        late.answer()
        assert (client.told(), late.bus.listening, late.webhooks.take()) == ([], set(), [])
        assert client.connection.session.joining == set()
        client.subscribe("a")
        late.answer()
        assert client.told() == [succeeded("a")]

    def test_others_in_the_channel_come_in_at_once_when_it_is_heard(self, late: LateRelay) -> None:
        one, two = late.client(), late.client()
        one.subscribe("a")
        late.answer()
        one.told()
        assert two.subscribe("a") == [succeeded("a")]

    def test_a_user_who_loses_the_channel_is_refused(self, late: LateRelay) -> None:
        client = late.client()
        client.subscribe("private-a", member("7"))
        late.node.arrivals.unsubscribed(APP.id, "7", None)
        late.answer()
        (error,) = errors(client)
        assert error.startswith("Subscription to channel private-a refused: The user lost this channel")
        assert late.bus.listening == set()

    def test_what_the_other_nodes_do_not_take_is_an_error_of_the_sender(self, late: LateRelay) -> None:
        client = late.client()
        client.subscribe("private-a")
        late.answer()
        late.bus.bus.say = lambda *_: Unavailable("the other nodes cannot be reached")
        client.told()
        (error,) = client.send(message("client-x", 1, "private-a"))
        text = "Not passed on: the other nodes cannot be reached"
        assert (error["data"], error["channel"]) == ({"message": text, "code": 4301}, "private-a")
        assert late.node.namespaces[APP.id].stats.client_events == 0


class TestWhileAMemberWaits:
    @pytest.fixture
    def watcher(self, late: LateRelay) -> Client:
        watcher = late.client()
        watcher.subscribe(ROOM, member("watcher"))
        late.answer()
        watcher.told()
        return watcher

    def test_further_connections_of_the_user_wait_with_the_first_and_hear_nothing_of_themselves(
        self, late: LateRelay, watcher: Client
    ) -> None:
        tabs = [late.client() for _ in range(3)]
        for tab in tabs:
            assert tab.subscribe(ROOM, member("2")) == []
        late.answer()
        assert [tab.told() for tab in tabs] == [[succeeded(ROOM, "watcher", "2")]] * 3
        assert names(watcher) == ["member_added"]
        for tab in tabs:
            assert names(watcher) == []
            tab.drop()
        late.answer()
        assert names(watcher) == ["member_removed"]

    def test_when_the_first_one_goes_the_others_come_in(self, late: LateRelay, watcher: Client) -> None:
        first, second = late.client(), late.client()
        for tab in (first, second):
            tab.subscribe(ROOM, member("2"))
        first.drop()
        late.answer()
        assert second.told() == [succeeded(ROOM, "watcher", "2")]
        assert names(watcher) == ["member_added"]

    def test_when_all_go_nobody_hears_of_them(self, late: LateRelay, watcher: Client) -> None:
        tabs = [late.client() for _ in range(2)]
        for tab in tabs:
            tab.subscribe(ROOM, member("2"))
        tabs[0].unsubscribe(ROOM)
        tabs[1].drop()
        late.answer()
        assert (watcher.told(), tabs[0].told()) == ([], [])
        assert late.node.arrivals.subscriptions_here(APP.id, ROOM) == 1

    def test_who_comes_while_they_wait_is_in_their_list(self, late: LateRelay, watcher: Client) -> None:
        one, two = late.client(), late.client()
        one.subscribe(ROOM, member("1"))
        two.subscribe(ROOM, member("2"))
        late.answer()
        assert one.told()[0] == succeeded(ROOM, "watcher", "1")
        assert two.told() == [succeeded(ROOM, "watcher", "1", "2")]

    @pytest.mark.parametrize("is_reply_first", [False, True])
    def test_a_full_channel_refuses_all_connections_of_the_user(self, is_reply_first: bool) -> None:
        app = app_with(presence_members=1)
        late = LateRelay(app, are_replies_first=is_reply_first)
        inside, tabs = late.client(app), [late.client(app) for _ in range(2)]
        inside.subscribe(ROOM, member("1"))
        late.answer()
        for tab in tabs:
            tab.subscribe(ROOM, member("2"))
        late.answer()
        assert [names(tab) for tab in tabs] == [["pusher:subscription_error", "pusher:error"]] * 2
        assert late.node.namespaces[app.id].stats.limits_hit == {"presence_members": 2}
        assert late.node.arrivals.subscriptions_here(app.id, ROOM) == 1

    def test_a_member_of_a_cache_channel_who_goes_between_the_answers_is_told_to_have_left(
        self, late: LateRelay
    ) -> None:
        watcher, visitor = late.client(), late.client()
        watcher.subscribe("presence-cache-a", member("1"))
        late.answer()
        watcher.told()
        visitor.subscribe("presence-cache-a", member("2"))
        late.late.answer()
        assert visitor.told() == []
        visitor.unsubscribe("presence-cache-a")
        late.answer()
        assert names(watcher) == ["member_added", "member_removed"]
        assert list(late.node.arrivals.members_here(APP.id, "presence-cache-a")) == ["1"]

    def test_the_members_of_the_whole_cluster_are_confirmed(self) -> None:
        late = LateRelay()
        everybody = {"elsewhere": b"1", "2": b"{}"}
        late.late.roster.enter = lambda *args: args[-1](Entered(everybody))  # type: ignore[method-assign] # another node's
        client = late.client()
        client.subscribe(ROOM, member("2"))
        late.answer()
        (confirmed,) = client.told()
        assert confirmed["data"]["presence"] == {
            "ids": ["elsewhere", "2"],
            "hash": {"elsewhere": 1, "2": {}},
            "count": 2,
        }
        assert dict(late.node.arrivals.members_here(APP.id, ROOM)) == {"2": b"{}"}


class TestWhileASignInWaits:
    def test_it_is_told_when_the_cluster_delivers_to_the_user_and_knows_who_is_online(self, late: LateRelay) -> None:
        client = late.client()
        assert client.sign_in('{"id":"7","watchlist":["7","8"]}') == []
        late.answer()
        success, statuses = client.told()
        assert success["event"] == "pusher:signin_success"
        assert [(one["name"], one["user_ids"]) for one in statuses["data"]["events"]] == [
            ("online", ["7"]),
            ("offline", ["8"]),
        ]
        late.publish("x", "1", "#server-to-user-7")
        late.answer()
        assert names(client) == ["x"]

    def test_a_second_connection_of_the_user_waits_with_the_first(self, late: LateRelay) -> None:
        clients = [late.client() for _ in range(2)]
        for client in clients:
            assert client.sign_in('{"id":"7"}') == []
        late.answer()
        assert [names(client) for client in clients] == [["pusher:signin_success"]] * 2

    def test_the_own_channel_waits_for_it(self, late: LateRelay) -> None:
        client = late.client()
        client.sign_in('{"id":"7"}')
        assert client.subscribe("#server-to-user-7") == []
        late.answer()
        assert names(client) == ["pusher:signin_success", "subscription_succeeded"]

    def test_whoever_is_gone_leaves_nothing_behind(self, late: LateRelay) -> None:
        client, watcher = late.client(), late.client()
        watcher.sign_in('{"id":"8","watchlist":["7"]}')
        late.answer()
        watcher.told()
        client.sign_in('{"id":"7","watchlist":["8"]}')
        client.drop()
        late.answer()
        assert names(watcher) == ["watchlist_events"] * 2, "on, and off"
        assert late.bus.listening == {("3", "#server-to-user-8")}
        assert list(late.node.namespaces[APP.id].hub.watchers_of("8")) == []

    def test_whoever_signs_in_anew_meanwhile_is_told_of_both_and_watches_the_last_list(self, late: LateRelay) -> None:
        client, other = late.client(), late.client()
        client.sign_in('{"id":"7","watchlist":["8"]}')
        client.sign_in('{"id":"7","watchlist":["9"]}')
        late.answer()
        assert names(client) == ["pusher:signin_success", "watchlist_events"] * 2
        other.sign_in('{"id":"8"}')
        late.answer()
        assert client.told() == []

    def test_nobody_is_told_of_those_whom_they_watch_before_they_know_how_it_is_with_them(
        self, late: LateRelay
    ) -> None:
        client, other = late.client(), late.client()
        client.sign_in('{"id":"7","watchlist":["8"]}')
        late.late.answer()
        other.sign_in('{"id":"8"}')
        late.answer()
        first, *rest = client.told()
        assert first["event"] == "pusher:signin_success"
        changes = [change for event in rest for change in event["data"]["events"]]
        assert (changes[-1]["name"], changes[-1]["user_ids"]) == ("online", ["8"])


class TestAfterAGap:
    def test_clients_are_told_what_is_different_from_what_they_know(self) -> None:
        late = LateRelay()
        client = late.client()
        client.subscribe(ROOM, member("here"))
        late.answer()
        arrivals = late.node.arrivals
        arrivals.member_added(APP.id, ROOM, Member("stays", b"1"), None)
        arrivals.member_added(APP.id, ROOM, Member("goes", b"2"), None)
        client.told()
        now: Mapping[str, bytes] = {"here": b"{}", "stays": b"1", "new": b"3"}
        arrivals.members_are(APP.id, ROOM, now)
        assert [(event["event"], event["data"]["user_id"]) for event in client.told()] == [
            ("pusher_internal:member_removed", "goes"),
            ("pusher_internal:member_added", "new"),
        ]
        arrivals.members_are(APP.id, ROOM, now)
        assert client.told() == []


class TestCounts:
    @pytest.mark.parametrize(("is_told", "told"), [(True, ["subscription_count"]), (False, [])])
    def test_a_count_of_the_cluster_is_told_where_the_app_wants_that(self, is_told: bool, told: list[str]) -> None:
        app = replace(APP, subscription_count=is_told)
        late = LateRelay(app)
        client = late.client(app)
        client.subscribe("presence-a", member("7"))
        late.answer()
        client.told()
        late.node.arrivals.count_told(app.id, "presence-a", 5)
        assert names(client) == told


class TestWhatIsNotHereAnyMore:
    @pytest.mark.parametrize("app_id", ["3", "gone"])
    def test_what_arrives_for_it_is_passed_over(self, app_id: str) -> None:
        late = LateRelay()
        arrivals = late.node.arrivals
        arrivals.deliver(app_id, "a", b"frame", None)
        arrivals.member_added(app_id, ROOM, Member("7", b"{}"), None)
        arrivals.member_removed(app_id, ROOM, "7")
        arrivals.members_are(app_id, ROOM, {"7": b"{}"})
        arrivals.count_told(app_id, "a", 1)
        arrivals.went_online(app_id, "7", None)
        arrivals.went_offline(app_id, "7")
        arrivals.terminated(app_id, "7")
        arrivals.unsubscribed(app_id, "7", None)
        arrivals.missed([])
        assert (arrivals.connections_here(app_id), list(arrivals.channels_here(app_id))) == (0, [])
        assert (arrivals.subscriptions_here(app_id, "a"), dict(arrivals.members_here(app_id, ROOM))) == (0, {})
        assert list(arrivals.users_here(app_id)) == []
