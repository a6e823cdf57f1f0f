"""Joins and sign-ins that wait for other nodes, and what becomes of them when things happen meanwhile."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from relay.apps import App, ChannelHistory
from relay.cluster.bus import Unavailable
from relay.cluster.memory import LastEvent, Recovered
from relay.node.waiting import HELD
from relay.protocol import events
from relay.wire.frames import text_frame
from tests.helpers.clients import APP, member, message, subscription
from tests.helpers.node import Client, succeeded
from tests.helpers.slow import Since, SlowRelay

CACHED = App(id="3", key="key-3", secret="secret-3", history=(ChannelHistory("cache-"),))
MISS = {"event": "pusher:cache_miss", "channel": "cache-a", "data": {}}
ANN = '{"id":"ann","watchlist":["bob"]}'


@pytest.fixture
def slow() -> SlowRelay:
    return SlowRelay()


def names(told: list[dict[str, object]]) -> list[object]:
    return [event["event"] for event in told]


def test_subscription_is_confirmed_when_the_cluster_delivers_here_and_not_before(slow: SlowRelay) -> None:
    client = slow.client()
    assert client.subscribe("news") == []
    slow.cluster.answer()
    assert client.told() == [succeeded("news")]


def test_client_that_is_gone_while_it_waits_is_kept_by_nothing(slow: SlowRelay) -> None:
    patient, gone = slow.client(), slow.client()
    for client in (patient, gone):
        client.sign_in(ANN)
        client.subscribe("news")
        client.subscribe("#server-to-user-ann")
    kept = weakref.ref(gone.transport)
    gone.drop()
    del gone, client
    gc.collect()
    assert kept() is None
    slow.cluster.answer()
    assert "pusher:signin_success" in names(patient.told())


def test_joins_that_are_taken_back_leave_nothing_in_a_channel_that_waits_for_others(slow: SlowRelay) -> None:
    patient, restless = slow.client(), slow.client()
    patient.subscribe("news")
    for _ in range(20):
        restless.subscribe("news")
        restless.unsubscribe("news")
    channel = slow.node.namespaces[APP.id].hub.get("news")
    assert channel is not None
    assert len(channel.waiting or ()) == 1


def test_own_channel_that_is_taken_back_before_the_sign_in_is_done_leaves_nothing(slow: SlowRelay) -> None:
    client = slow.client()
    client.sign_in(ANN)
    for _ in range(20):
        client.subscribe("#server-to-user-ann")
        client.unsubscribe("#server-to-user-ann")
    audience = slow.node.namespaces[APP.id].hub.audience("#server-to-user-ann")
    assert audience is not None
    assert len(audience.waiting or ()) == 1, "the sign-in"


def test_new_connection_stays_a_member_when_an_older_one_that_came_along_lost_the_channel(slow: SlowRelay) -> None:
    watcher, old = slow.client(), slow.client()
    watcher.subscribe("presence-a", member("watcher"))
    slow.cluster.answer()
    slow.cluster.answer()
    watcher.told()
    old.subscribe("presence-a", member("ann"))
    slow.node.arrivals.unsubscribed(APP.id, "ann", "presence-a")
    new = slow.client()
    new.subscribe("presence-a", member("ann"))
    slow.cluster.answer()
    assert names(old.told()) == ["pusher:subscription_error", "pusher:error"]
    assert new.told() == [succeeded("presence-a", "watcher", "ann")]
    assert names(watcher.told()) == ["pusher_internal:member_added"]
    assert list(slow.node.arrivals.members_here(APP.id, "presence-a")) == ["watcher", "ann"]


def test_whoever_signs_in_while_others_wait_is_found_without_asking_each_of_them(slow: SlowRelay) -> None:
    clients = [slow.client() for _ in range(3)]
    signing = slow.node.namespaces[APP.id]._signing
    for client in clients:
        client.sign_in(ANN)
    assert [signing.is_waiting(client.connection) for client in clients] == [True] * 3
    clients[0].drop()
    assert [signing.is_waiting(client.connection) for client in clients] == [False, True, True]
    slow.cluster.answer()
    assert not any(signing.is_waiting(client.connection) for client in clients)


def test_client_that_waits_too_long_is_sent_away_to_come_back(slow: SlowRelay) -> None:
    client = slow.client()
    client.subscribe("news")
    slow.wait(HELD)
    assert client.transport.closed == (4100, f"the other nodes did not answer within {HELD:.0f} s")


# --- cache channels with a history (A8, A13)


def resume(client: Client, since: str) -> None:
    """Subscribe to cache-a as a client that can resume."""
    data = subscription(client.app, client.socket_id, "cache-a") | {"since": since}
    assert client.send(message("pusher:subscribe", data)) == []


def remembered(number: int) -> bytes:
    """The frame of the event `number` in a history."""
    return text_frame(events.with_id(events.channel_event(b'"e"', "cache-a", b"%d" % number), position(number)))


def position(number: int) -> str:
    return f"e1e1e1e1.{number}-0"


class Publishing:
    """A memory to which something is published after each of the next answers: `after` has the numbers of these events."""

    def __init__(self, slow: SlowRelay, *after: list[int], first: int = 1, size: int = 100) -> None:
        self._after = list(after)
        self._events = [first]
        self._size = size
        slow.cluster.last, slow.cluster.since = self._last, self._since

    def _publish(self) -> None:
        self._events += self._after.pop(0) if self._after else []

    def _last(self) -> LastEvent:
        frame = text_frame(events.channel_event(b'"e"', "cache-a", b"%d" % self._events[-1]))
        self._publish()
        return LastEvent(frame, b"", 60.0)

    def _since(self, since: str) -> Recovered:
        newest = self._events[-1]
        missed = [number for number in self._events if since and number > int(since[9:-2])]
        is_complete = len(missed) <= self._size
        self._publish()
        return Recovered(position(newest), is_complete, [remembered(number) for number in missed if is_complete])


def told(client: Client) -> tuple[str, list[int]]:
    """The position of the confirmation, and the numbers of the events after it."""
    confirmation, *after = client.told()
    return confirmation["data"]["position"], [event["data"] for event in after]


@pytest.mark.parametrize(
    "after", [([2], [3]), ([], [2, 3]), ([2, 3], [])], ids=["both", "the last event", "the position"]
)
def test_events_after_the_answer_about_the_position_are_neither_lost_nor_doubled(
    after: tuple[list[int], list[int]],
) -> None:
    slow = SlowRelay(CACHED)
    client = slow.client()
    Publishing(slow, *after)
    resume(client, "")
    slow.cluster.answer_all()
    assert told(client) == (position(1), [2, 3])


def test_last_event_is_told_when_nothing_came_between_the_answers() -> None:
    slow = SlowRelay(CACHED)
    client = slow.client()
    Publishing(slow)
    resume(client, "")
    slow.cluster.answer_all()
    assert told(client) == (position(1), [1])


def test_more_than_is_remembered_between_the_answers_begins_anew() -> None:
    slow = SlowRelay(CACHED)
    client = slow.client()
    Publishing(slow, [2, 3, 4], size=2)
    resume(client, "")
    slow.cluster.answer_all()
    assert told(client) == (position(4), [4])


def test_question_about_a_cache_channel_that_could_not_be_answered_is_asked_again() -> None:
    slow = SlowRelay(CACHED)
    client = slow.client()
    answers = iter([Unavailable("cut"), None, None])
    slow.cluster.last = lambda: next(answers)
    positions: Iterator[Since] = iter([Recovered(position(1), True), Unavailable("cut"), Recovered(position(1), True)])
    slow.cluster.since = lambda _since: next(positions)
    resume(client, "")
    for _ in range(3):
        slow.cluster.answer_all()
        slow.wait(1)
    assert client.told()[1:] == [MISS]


def test_client_that_leaves_between_the_answers_is_told_nothing_more() -> None:
    slow = SlowRelay(CACHED)
    client = slow.client()
    Publishing(slow)
    resume(client, "")
    for _ in range(3):
        slow.cluster.answer()
    client.unsubscribe("cache-a")
    slow.cluster.answer()
    assert client.told() == []
