"""POST /events and /batch_events, seen by subscribers of a real relay."""

import json

import pytest

from tests.helpers.clients import app_with, member
from tests.helpers.relay import RunningRelay, running_relay


class TestEvents:
    async def test_an_event_reaches_its_subscribers_and_the_answer_is_an_empty_object(
        self, relay: RunningRelay
    ) -> None:
        client = await relay.connect()
        await client.subscribe("a")
        answer = await relay.trigger("a", "App\\Events\\Shipped", '{"n":1}')
        assert (answer.status, answer.text) == (200, "{}")
        assert await client.told() == [{"event": "App\\Events\\Shipped", "channel": "a", "data": '{"n":1}'}]

    async def test_an_event_goes_to_many_channels_in_their_order(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        for channel in ("a", "private-b", "private-encrypted-c"):
            await client.subscribe(channel)
        channels = ["private-encrypted-c", "a", "nobody", "private-b", "a"]
        assert (await relay.post("/events", {"name": "x", "data": "1", "channels": channels})).status == 200
        assert [event["channel"] for event in await client.told()] == ["private-encrypted-c", "a", "private-b"]

    async def test_the_connection_that_is_left_out_gets_nothing(self, relay: RunningRelay) -> None:
        sender, other = await relay.connect(), await relay.connect()
        await sender.subscribe("a")
        await other.subscribe("a")
        await relay.trigger("a", socket_id=sender.socket_id)
        await relay.trigger("a", name="second", socket_id="1.1")
        assert [event["event"] for event in await sender.told()] == ["second"]
        assert [event["event"] for event in await other.told()] == ["event", "second"]

    async def test_info_tells_what_the_channels_are_like(self, relay: RunningRelay) -> None:
        one, two = await relay.connect(), await relay.connect()
        for client in (one, two):
            await client.subscribe("presence-a", member("same user"))
            await client.subscribe("b")
        answer = await relay.post(
            "/events", {"name": "x", "data": "", "channels": ["presence-a", "presence-none"], "info": "user_count"}
        )
        assert answer.json == {"channels": {"presence-a": {"user_count": 1}, "presence-none": {"user_count": 0}}}
        answer = await relay.trigger("presence-a", info="user_count,subscription_count")
        assert answer.json == {"channels": {"presence-a": {"user_count": 1, "subscription_count": 2}}}
        answer = await relay.trigger("b", info="subscription_count")
        assert answer.json == {"channels": {"b": {"subscription_count": 2}}}

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"channel": "a b"}, 400),
            ({"name": "pusher:x"}, 400),
            ({"socket_id": "x"}, 400),
            ({"info": "user_count"}, 400),
            ({"data": {}}, 400),
            ({"data": "x" * 10_241}, 413),
        ],
    )
    async def test_a_wrong_event_is_refused_as_json(
        self, relay: RunningRelay, fields: dict[str, object], status: int
    ) -> None:
        answer = await relay.post("/events", {"name": "x", "data": "1", "channel": "a"} | fields)
        assert (answer.status, answer.json["code"]) == (status, status)
        assert set(answer.json) == {"error", "code"}

    async def test_an_event_of_several_kilobytes_arrives_whole(self) -> None:
        app = app_with(event_data_bytes=500_000)
        async with running_relay(app) as relay:
            client = await relay.connect()
            await client.subscribe("a")
            data = json.dumps(['\N{SNOWMAN}\x00"' * 1_000] * 30, ensure_ascii=False)
            assert (await relay.trigger("a", data=data)).status == 200
            assert [event["data"] for event in await client.told()] == [data]


class TestIdempotency:
    """A further event under the key of one that was published."""

    async def test_it_is_not_sent_again_and_the_answer_is_marked(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await client.subscribe("a")
        first = await relay.trigger("a", idempotency_key="k-1")
        again = await relay.trigger("a", idempotency_key="k-1")
        other = await relay.trigger("a", name="other", idempotency_key="k-2")
        assert [(one.status, one.text) for one in (first, again, other)] == [(200, "{}")] * 3
        marks = [one.headers.get("X-Idempotent-Replay") for one in (first, again, other)]
        assert marks == [None, "1", None]
        assert [event["event"] for event in await client.told()] == ["event", "other"]

    async def test_it_is_not_counted_again(self, relay: RunningRelay) -> None:
        for _ in range(3):
            await relay.trigger("a", idempotency_key="k-1")
        await relay.trigger("a")
        (namespace,) = relay.node.namespaces.values()
        assert namespace.stats.events_published == 2

    async def test_each_channel_has_keys_of_its_own(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        for channel in ("a", "b"):
            await client.subscribe(channel)
        await relay.trigger("a", idempotency_key="k-1")
        both = await relay.post(
            "/events", {"name": "x", "data": "", "channels": ["a", "b"], "idempotency_key": "k-1", "info": ""}
        )
        assert (both.status, both.headers.get("X-Idempotent-Replay")) == (200, None)
        assert [event["channel"] for event in await client.told()] == ["a", "b"]

    async def test_of_a_batch_only_what_is_new_is_sent(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await client.subscribe("a")
        items = [{"name": name, "data": "", "channel": "a", "idempotency_key": name} for name in ("1", "2", "3")]
        marks = []
        for batch in (items[:2], items, items):
            answer = await relay.post("/batch_events", {"batch": batch})
            marks.append((answer.status, answer.headers.get("X-Idempotent-Replay")))
        assert marks == [(200, None), (200, None), (200, "1")]
        assert [event["event"] for event in await client.told()] == ["1", "2", "3"]

    @pytest.mark.parametrize("key", ["", "k" * 129, 7])
    async def test_a_wrong_key_is_refused(self, relay: RunningRelay, key: object) -> None:
        answer = await relay.trigger("a", idempotency_key=key)
        assert (answer.status, answer.json["code"]) == (400, 400)


class TestBatches:
    async def test_events_of_a_batch_arrive_in_their_order(self, relay: RunningRelay) -> None:
        client, other = await relay.connect(), await relay.connect()
        for channel in ("a", "b"):
            await client.subscribe(channel)
            await other.subscribe(channel)
        batch = [
            {"name": "1", "data": "", "channel": "b"},
            {"name": "2", "data": "", "channel": "a", "socket_id": client.socket_id},
            {"name": "3", "data": "", "channel": "b"},
        ]
        answer = await relay.post("/batch_events", {"batch": batch})
        assert (answer.status, answer.text) == (200, "{}")
        assert [event["event"] for event in await client.told()] == ["1", "3"]
        assert [event["event"] for event in await other.told()] == ["1", "2", "3"]

    async def test_info_of_any_event_brings_an_object_for_each(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await client.subscribe("a")
        batch = [
            {"name": "1", "data": "", "channel": "a", "info": "subscription_count"},
            {"name": "2", "data": "", "channel": "a"},
            {"name": "3", "data": "", "channel": "presence-b", "info": "user_count,subscription_count"},
        ]
        answer = await relay.post("/batch_events", {"batch": batch})
        assert answer.json == {"batch": [{"subscription_count": 1}, {}, {"user_count": 0, "subscription_count": 0}]}

    async def test_nothing_of_a_batch_goes_out_when_one_event_is_wrong(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        await client.subscribe("a")
        batch = [{"name": "1", "data": "", "channel": "a"}, {"name": "pusher:2", "data": "", "channel": "a"}]
        answer = await relay.post("/batch_events", {"batch": batch})
        assert (answer.status, answer.json["code"], answer.json["event"]) == (400, 400, 1)
        assert await client.told() == []

    async def test_an_empty_batch_is_done(self, relay: RunningRelay) -> None:
        answer = await relay.post("/batch_events", {"batch": []})
        assert (answer.status, answer.text) == (200, "{}")
