"""The API where the other nodes answer late, badly or never: what back ends are told, and when."""

import json
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any, cast

import pytest

from relay.api import routes
from relay.api.responses import ServiceUnavailable
from relay.apps import App
from relay.cluster.bus import Accepted, Outcome, Unavailable
from relay.cluster.memory import LastEvent
from relay.cluster.roster import ChannelInfo, Wanted
from relay.protocol.requests import Publish
from relay.watch.stats import AppStats
from relay.wire.http import LongResponse, Response
from relay.wire.later import Later
from tests.helpers.clients import APP, app_with
from tests.helpers.node import Relay

AWAY = Unavailable("the other nodes cannot be reached")
LOST = Unavailable("the connection to Redis was lost", is_unknown=True)


class Scripted:
    """An app on a node whose answers come when a test says so: what was asked, and whom to tell."""

    def __init__(self, app: App = APP) -> None:
        self.app = app
        self.stats = AppStats()
        self.queries = self
        self.asked: list[tuple[object, ...]] = []
        self._dones: list[Callable[[Any], None]] = []
        # What comes at once: by the name of the question.
        self.known: dict[str, Any] = {}

    def answer(self, value: object) -> None:
        """To the oldest question that is open."""
        self._dones.pop(0)(value)

    def _ask(self, done: Callable[[Any], None], name: str, *question: object) -> None:
        self.asked.append((name, *question))
        if name in self.known:
            done(self.known[name])
        else:
            self._dones.append(done)

    def publish(self, event: Publish, done: Callable[[Outcome], None]) -> None:
        self._ask(done, "publish", event.name, event.once)

    def take_request(self, rate: int, done: Callable[[bool | Unavailable], None]) -> None:
        self._ask(done, "take_request", rate)

    def terminate(self, user_id: str, done: Callable[[Outcome], None]) -> None:
        self._ask(done, "terminate", user_id)

    def unsubscribe(self, user_id: str, channel: str | None, done: Callable[[Outcome], None]) -> None:
        self._ask(done, "unsubscribe", user_id, channel)

    def list_channels(
        self, prefix: str, wanted: Wanted, done: Callable[[Iterator[Sequence[ChannelInfo]] | Unavailable], None]
    ) -> None:
        self._ask(done, "list_channels", prefix, wanted)

    def show_channel(self, name: str, wanted: Wanted, done: Callable[[ChannelInfo | Unavailable | None], None]) -> None:
        self._ask(done, "show_channel", name, wanted)

    def list_members(self, name: str, done: Callable[[Sequence[str] | Unavailable], None]) -> None:
        self._ask(done, "list_members", name)

    def last_event(self, name: str, done: Callable[[LastEvent | Unavailable | None], None]) -> None:
        self._ask(done, "last", name)


class BackEnd:
    """What a back end asks, already admitted, and what was observed of it."""

    def __init__(self, namespace: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
        node = Relay(namespace.app).node
        monkeypatch.setitem(cast(dict[str, Any], node.namespaces), APP.id, namespace)
        monkeypatch.setattr(routes, "verify_request", lambda *_: None)
        self.observed: list[tuple[str, int]] = []
        self._api = routes.Api(node, lambda: True, lambda route, status, _: self.observed.append((route, status)), "")

    def post(self, path: str, body: object) -> Response | LongResponse | Later[Response | LongResponse]:
        return self._api.answer("POST", f"/apps/{APP.id}{path}", json.dumps(body).encode(), lambda: "192.0.2.1")

    def get(self, path: str) -> Response | LongResponse | Later[Response | LongResponse]:
        return self._api.answer("GET", f"/apps/{APP.id}{path}", b"", lambda: "192.0.2.1")

    def console(self, app: App, body: object) -> Response | Later[Response]:
        return self._api.publish(app, json.dumps(body).encode(), "192.0.2.2")


@pytest.fixture
def namespace() -> Scripted:
    return Scripted()


@pytest.fixture
def back_end(namespace: Scripted, monkeypatch: pytest.MonkeyPatch) -> BackEnd:
    return BackEnd(namespace, monkeypatch)


def event(name: str = "x", **fields: object) -> dict[str, object]:
    return {"name": name, "data": "{}", "channel": "a"} | fields


def open_(answer: object) -> Later[Response]:
    """An answer that has not come yet."""
    assert isinstance(answer, Later)
    assert answer.is_open
    return answer


def told(answer: object) -> tuple[int, dict[str, Any], str | None]:
    """The status, the body, and how long to wait before it is asked again."""
    if isinstance(answer, Later):
        answer = answer.get()
    assert isinstance(answer, Response)
    return answer.status, json.loads(answer.body), answer.headers.get("Retry-After")


class TestPublish:
    def test_the_answer_comes_when_the_cluster_has_the_event_and_is_counted_then(
        self, namespace: Scripted, back_end: BackEnd
    ) -> None:
        answer = open_(back_end.post("/events", event()))
        assert back_end.observed == []
        namespace.answer(Accepted())
        assert (told(answer), back_end.observed) == ((200, {}, None), [("/events", 200)])

    def test_what_the_cluster_has_at_once_is_answered_at_once(self, namespace: Scripted, back_end: BackEnd) -> None:
        namespace.known["publish"] = Accepted()
        assert told(back_end.post("/events", event())) == (200, {}, None)

    @pytest.mark.parametrize("path", ["/events", "/batch_events"])
    @pytest.mark.parametrize("is_late", [True, False])
    def test_where_nobody_got_it_back_ends_may_send_it_again_soon(
        self, namespace: Scripted, back_end: BackEnd, path: str, is_late: bool
    ) -> None:
        if not is_late:
            namespace.known["publish"] = AWAY
        answer = back_end.post(path, event() if path == "/events" else {"batch": [event()]})
        if is_late:
            namespace.answer(AWAY)
        text = "the other nodes cannot be reached: nobody got it, send it again"
        assert told(answer) == (503, {"error": text, "code": 503}, "1")
        assert back_end.observed == [(path, 503)]

    def test_where_nobody_knows_back_ends_are_told_how_to_repeat_it(
        self, namespace: Scripted, back_end: BackEnd, logged: list[MutableMapping[str, Any]]
    ) -> None:
        answer = open_(back_end.post("/events", event()))
        namespace.answer(LOST)
        text = "the connection to Redis was lost: it may have been published, repeat it with an idempotency_key"
        assert told(answer) == (503, {"error": text, "code": 503}, None)
        assert [(line["event"], line["address"], line["status"]) for line in logged] == [
            ("request_refused", "192.0.2.1", 503)
        ]

    def test_an_answer_that_never_comes_is_given_up_as_unknown(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.post("/events", event()))
        answer.give_up()
        status, body, _ = told(answer)
        assert (status, "it may have been published" in body["error"]) == (503, True)
        namespace.answer(Accepted())
        assert back_end.observed == [("/events", 503)]

    def test_what_was_published_before_is_answered_as_then_and_marked(
        self, namespace: Scripted, back_end: BackEnd
    ) -> None:
        namespace.known["publish"] = Accepted(is_replay=True)
        answer = back_end.post("/events", event(idempotency_key="k"))
        assert isinstance(answer, Response)
        assert (answer.status, answer.body, dict(answer.headers)) == (200, b"{}", {"X-Idempotent-Replay": "1"})
        assert namespace.asked == [("publish", "x", "k")]

    def test_info_is_asked_for_when_the_event_is_out(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.post("/events", event(channel="presence-cache-a", info="user_count,cache")))
        assert [name for name, *_ in namespace.asked] == ["publish"]
        namespace.answer(Accepted())
        namespace.answer(ChannelInfo("presence-cache-a", members=3))
        assert answer.is_open
        namespace.answer(LastEvent(b"", b'"{}"', 1.5))
        cache = {"data": "{}", "ttl": 2}
        assert told(answer)[1] == {"channels": {"presence-cache-a": {"user_count": 3, "cache": cache}}}
        assert namespace.asked[1:] == [
            ("show_channel", "presence-cache-a", Wanted(members=True)),
            ("last", "presence-cache-a"),
        ]

    def test_a_bug_while_it_is_waited_for_is_logged_and_answered_without_detail(
        self,
        namespace: Scripted,
        back_end: BackEnd,
        monkeypatch: pytest.MonkeyPatch,
        logged: list[MutableMapping[str, Any]],
    ) -> None:
        answer = open_(back_end.post("/events", event()))
        namespace.answer("no outcome")
        assert told(answer) == (500, {"error": "internal error", "code": 500}, None)
        assert [(line["event"], line["exc_info"]) for line in logged] == [("request_failed", True)]
        logged.clear()

    def test_the_console_waits_as_back_ends_do(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.console(APP, event()))
        namespace.answer(AWAY)
        assert told(answer)[0] == 503


class TestBatches:
    def test_all_events_are_handed_over_at_once_in_their_order(self, namespace: Scripted, back_end: BackEnd) -> None:
        batch = [event("1", idempotency_key="k"), event("2"), event("3")]
        answer = open_(back_end.post("/batch_events", {"batch": batch}))
        assert namespace.asked == [("publish", "1", "k"), ("publish", "2", None), ("publish", "3", None)]
        for _ in range(3):
            namespace.answer(Accepted())
        assert told(answer) == (200, {}, None)

    @pytest.mark.parametrize(
        ("outcomes", "text", "retry_after"),
        [
            ([AWAY, AWAY], "nobody got it", "1"),
            ([Accepted(), AWAY], "it may have been published", None),
            ([LOST, AWAY], "it may have been published", None),
            ([Accepted(), LOST], "it may have been published", None),
        ],
    )
    def test_one_event_that_was_not_accepted_fails_the_batch(
        self, namespace: Scripted, back_end: BackEnd, outcomes: list[Outcome], text: str, retry_after: str | None
    ) -> None:
        answer = open_(back_end.post("/batch_events", {"batch": [event("1"), event("2")]}))
        for outcome in outcomes:
            namespace.answer(outcome)
        status, body, after = told(answer)
        assert (status, text in body["error"], after) == (503, True, retry_after)

    @pytest.mark.parametrize(("replays", "header"), [([True, True], "1"), ([True, False], None), ([], None)])
    def test_a_batch_is_a_replay_when_all_of_it_is(
        self, namespace: Scripted, back_end: BackEnd, replays: list[bool], header: str | None
    ) -> None:
        answer = back_end.post("/batch_events", {"batch": [event() for _ in replays]})
        for is_replay in replays:
            namespace.answer(Accepted(is_replay=is_replay))
        done = answer.get() if isinstance(answer, Later) else answer
        assert isinstance(done, Response)
        assert (done.status, done.headers.get("X-Idempotent-Replay")) == (200, header)


class TestRate:
    """The rate of an app's back ends, which all nodes count together."""

    @pytest.fixture
    def namespace(self) -> Scripted:
        return Scripted(app_with(api_requests_per_second=5))

    def test_the_request_is_handled_when_it_is_known_that_there_may_be_one_more(
        self, namespace: Scripted, back_end: BackEnd
    ) -> None:
        answer = open_(back_end.post("/events", event()))
        assert namespace.asked == [("take_request", 5)]
        namespace.answer(value=True)
        assert (namespace.asked[1:], answer.is_open) == ([("publish", "x", None)], True)
        namespace.answer(Accepted())
        assert told(answer) == (200, {}, None)

    @pytest.mark.parametrize("is_late", [True, False])
    def test_over_the_rate_nothing_is_handled(self, namespace: Scripted, back_end: BackEnd, is_late: bool) -> None:
        if not is_late:
            namespace.known["take_request"] = False
        answer = back_end.get("/channels")
        if is_late:
            namespace.answer(value=False)
        text = "The app may make 5 requests a second"
        assert told(answer) == (429, {"error": text, "code": 429}, "1")
        assert (namespace.stats.rate_limited, namespace.stats.limits_hit) == (1, {"api_requests_per_second": 1})
        assert [name for name, *_ in namespace.asked] == ["take_request"]

    def test_nothing_is_handled_while_nobody_can_say(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.post("/events", event()))
        namespace.answer(AWAY)
        text = "the other nodes cannot be reached: nothing was done, send it again"
        assert told(answer) == (503, {"error": text, "code": 503}, "1")

    def test_the_console_counts_too(self, namespace: Scripted, back_end: BackEnd) -> None:
        namespace.known["take_request"] = False
        assert told(back_end.console(namespace.app, event()))[0] == 429


class TestUsers:
    @pytest.mark.parametrize("path", ["/users/u/terminate_connections", "/users/u/unsubscribe"])
    @pytest.mark.parametrize(
        ("outcome", "status", "text"),
        [(Accepted(), 200, ""), (AWAY, 503, "nothing was done"), (LOST, 503, "it may have been done")],
    )
    def test_the_answer_is_what_the_cluster_says(
        self, namespace: Scripted, back_end: BackEnd, path: str, outcome: Outcome, status: int, text: str
    ) -> None:
        answer = open_(back_end.post(path, {"channel": None}))
        namespace.answer(outcome)
        assert told(answer)[0] == status
        assert text in told(answer)[1].get("error", "")


class TestReads:
    @pytest.mark.parametrize("path", ["/channels", "/channels/a", "/channels/presence-a/users"])
    def test_nobody_knows_while_the_other_nodes_cannot_be_reached(
        self, namespace: Scripted, back_end: BackEnd, path: str
    ) -> None:
        answer = open_(back_end.get(path))
        namespace.answer(AWAY)
        text = "the other nodes cannot be reached: nobody knows now, ask again"
        assert told(answer) == (503, {"error": text, "code": 503}, "1")

    def test_an_answer_that_never_comes_is_to_be_asked_for_again(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.get("/channels"))
        answer.give_up()
        text = "Nobody has answered in time: ask again"
        assert told(answer) == (503, {"error": text, "code": 503}, "1")
        assert namespace.asked == [("list_channels", "", Wanted())]

    def test_a_list_comes_later(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.get("/channels?info=cache,subscription_count&filter_by_prefix=c"))
        namespace.answer(iter([[ChannelInfo("cache-a", 2), ChannelInfo("c", 1)]]))
        namespace.answer(None)
        listed = {"cache-a": {"subscription_count": 2, "cache": None}, "c": {"subscription_count": 1, "cache": None}}
        assert told(answer) == (200, {"channels": listed}, None)
        assert namespace.asked == [("list_channels", "c", Wanted(subscriptions=True)), ("last", "cache-a")]

    def test_a_list_of_several_pages_comes_in_parts(self, namespace: Scripted, back_end: BackEnd) -> None:
        namespace.known["list_channels"] = iter([[ChannelInfo("a")], [ChannelInfo("b")], []])
        answer = back_end.get("/channels")
        assert isinstance(answer, LongResponse)
        assert list(answer.parts) == [b'{"channels":{', b'"a":{}', b',"b":{}', b"}}"]
        assert back_end.observed == [("/channels", 200)]

    def test_a_part_of_a_list_that_nobody_knows_is_refused(self, namespace: Scripted, back_end: BackEnd) -> None:
        namespace.known["list_channels"] = iter([[ChannelInfo("cache-a")], [ChannelInfo("b")]])
        answer = back_end.get("/channels?info=cache")
        assert isinstance(answer, LongResponse)
        _, part = next(answer.parts), next(answer.parts)
        assert isinstance(part, Later)
        namespace.answer(AWAY)
        with pytest.raises(ServiceUnavailable) as refused:
            part.get()
        assert answer.refuse(refused.value).status == 503

    def test_one_channel_comes_later(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.get("/channels/a?info=subscription_count"))
        namespace.answer(ChannelInfo("a", 7))
        assert told(answer)[1] == {"occupied": True, "subscription_count": 7}

    def test_users_come_later(self, namespace: Scripted, back_end: BackEnd) -> None:
        answer = open_(back_end.get("/channels/presence-a/users"))
        namespace.answer(["u"])
        assert told(answer)[1] == {"users": [{"id": "u"}]}
