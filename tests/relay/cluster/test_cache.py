import pytest

from relay.cluster.cache import CachedEvent, EventCache
from tests.helpers.clients import APP, app_with, member, message
from tests.helpers.node import Relay, succeeded
from tests.helpers.relay import running_relay

CHANNELS = ["cache-a", "private-cache-a", "private-encrypted-cache-a", "presence-cache-a"]


def event(data: str, expires: float = 10.0) -> CachedEvent:
    return CachedEvent(b"frame " + data.encode(), data.encode(), expires)


class TestEventCache:
    def test_the_last_event_of_a_channel_is_remembered_until_its_time_is_over(self) -> None:
        cache = EventCache(10)
        cache.put("a", event("1"))
        cache.put("a", event("2"))
        cache.put("b", event("3"))
        found = cache.get("a", 9.9)
        assert found is not None
        assert found.data == b"2"
        assert cache.get("a", 10.0) is None
        assert len(cache) == 1

    def test_the_event_that_was_written_longest_ago_goes_first(self) -> None:
        cache = EventCache(2)
        for channel in ("a", "b", "a", "c"):
            cache.put(channel, event(channel))
        assert [channel for channel in "abc" if cache.get(channel, 0.0) is not None] == ["a", "c"]
        assert len(cache) == 2

    def test_a_lower_bound_counts_at_once_and_a_higher_one_makes_room(self) -> None:
        cache = EventCache(3)
        for channel in "abc":
            cache.put(channel, event(channel))
        cache.bound(1)
        assert [channel for channel in "abc" if cache.get(channel, 0.0) is not None] == ["c"]
        cache.bound(2)
        cache.put("d", event("d"))
        assert len(cache) == 2


def miss(channel: str) -> dict[str, object]:
    return {"event": "pusher:cache_miss", "channel": channel, "data": {}}


class TestCacheChannels:
    @pytest.mark.parametrize("channel", CHANNELS)
    def test_a_subscriber_gets_the_last_event_of_the_api_after_the_confirmation(self, channel: str) -> None:
        relay = Relay()
        data, ids = (member("7"), ["7"]) if channel.startswith("presence-") else (None, [])
        relay.publish("first", "1", channel)
        relay.publish("last", '{"x":2}', channel)
        assert relay.client().subscribe(channel, data) == [
            succeeded(channel, *ids),
            {"event": "last", "channel": channel, "data": '{"x":2}'},
        ]

    def test_an_event_that_left_somebody_out_is_remembered_too(self) -> None:
        relay = Relay()
        client = relay.client()
        relay.publish("x", "1", "cache-a", exclude=client.socket_id)
        assert client.subscribe("cache-a")[1]["event"] == "x"

    def test_the_event_survives_the_last_subscriber(self) -> None:
        relay = Relay()
        first = relay.client()
        first.subscribe("cache-a")
        relay.publish("x", "1", "cache-a")
        first.drop()
        assert relay.node.namespaces[APP.id].hub.get("cache-a") is None
        assert relay.client().subscribe("cache-a")[1]["data"] == "1"

    def test_a_channel_with_nothing_to_remember_says_so_and_back_ends_are_told(self) -> None:
        relay = Relay()
        assert relay.client().subscribe("cache-a") == [succeeded("cache-a"), miss("cache-a")]
        assert ("happened", {"name": "cache_miss", "channel": "cache-a"}) in relay.webhooks.take()

    def test_an_event_is_forgotten_after_the_apps_time(self) -> None:
        app = app_with(cache_ttl=60)
        relay = Relay(app)
        relay.publish("x", "1", "cache-a", app=app)
        relay.wait(59.9)
        assert relay.client(app).subscribe("cache-a")[1]["event"] == "x"
        relay.wait(0.1)
        assert relay.client(app).subscribe("cache-a")[1] == miss("cache-a")

    def test_an_app_remembers_no_more_channels_than_its_limit(self) -> None:
        app = app_with(cached_events=2)
        relay = Relay(app)
        for channel in ("cache-a", "cache-b", "cache-c"):
            relay.publish("x", "1", channel, app=app)
        events = [relay.client(app).subscribe(channel)[1]["event"] for channel in ("cache-a", "cache-b", "cache-c")]
        assert events == ["pusher:cache_miss", "x", "x"]

    def test_client_events_and_other_apps_events_are_not_remembered(self) -> None:
        one, two = app_with(app_id="1"), app_with(app_id="2")
        relay = Relay(one, two)
        sender = relay.client(one)
        sender.subscribe("private-cache-a")
        sender.send(message("client-x", 1, "private-cache-a"))
        relay.publish("x", "1", "private-cache-a", app=two)
        assert relay.client(one).subscribe("private-cache-a")[1] == miss("private-cache-a")

    def test_an_ordinary_channel_remembers_nothing(self) -> None:
        relay = Relay()
        relay.publish("x", "1", "a", "presence-a")
        assert relay.client().subscribe("a") == [succeeded("a")]
        assert relay.client().subscribe("presence-a", member("7")) == [succeeded("presence-a", "7")]


class TestAskedByTheApi:
    async def test_info_tells_the_event_and_how_long_it_is_remembered(self) -> None:
        async with running_relay(app_with(cache_ttl=60)) as relay:
            await relay.trigger("cache-a", "x", '{"й":1}')
            asked = await relay.get("/channels/cache-a", info="cache,subscription_count")
            empty = await relay.get("/channels/cache-b", info="cache")
        assert asked.json == {"occupied": False, "subscription_count": 0, "cache": {"data": '{"й":1}', "ttl": 60}}
        assert empty.json == {"occupied": False, "cache": None}

    async def test_a_publish_may_ask_for_it(self) -> None:
        async with running_relay() as relay:
            answer = await relay.trigger("cache-a", "x", "1", info="cache")
        assert answer.json["channels"]["cache-a"]["cache"]["data"] == "1"

    @pytest.mark.parametrize("channel", ["a", "private-a", "presence-a", "private-encrypted-a"])
    async def test_other_channels_have_no_cache_to_ask_for(self, channel: str) -> None:
        async with running_relay() as relay:
            answer = await relay.get(f"/channels/{channel}", info="cache")
        assert (answer.status, answer.json["error"].startswith("cache is known for cache channels only")) == (400, True)
