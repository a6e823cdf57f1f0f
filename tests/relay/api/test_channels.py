"""GET /channels, /channels/NAME and /channels/NAME/users of a real relay."""

import json
from collections.abc import Iterator

import pytest

from relay.api.channels import list_channels
from relay.apps import App
from relay.cluster import local
from tests.helpers.api import handled
from tests.helpers.clients import app_with, member
from tests.helpers.relay import RunningRelay, running_relay


async def occupy(relay: RunningRelay) -> None:
    """Two connections of user 1 and one of user 2 in presence-a; two in private-b; one in c."""
    clients = [await relay.connect() for _ in range(3)]
    for client, user_id in zip(clients, [1, "1", "2"], strict=True):
        await client.subscribe("presence-a", member(user_id))
    for client in clients[:2]:
        await client.subscribe("private-b")
    await clients[2].subscribe("c")
    for client in clients:
        await client.told()


def parts_of_list(relay: RunningRelay) -> Iterator[bytes]:
    """The parts of a list that is too long for one turn."""
    parts = handled(list_channels, relay.node, relay.app, "/channels")
    assert isinstance(parts, Iterator)
    for part in parts:
        assert isinstance(part, bytes)
        yield part


class TestList:
    async def test_without_clients_the_map_is_empty(self, relay: RunningRelay) -> None:
        answer = await relay.get("/channels")
        assert (answer.status, answer.text) == (200, '{"channels":{}}')

    async def test_occupied_channels_are_listed_by_name(self, relay: RunningRelay) -> None:
        await occupy(relay)
        assert (await relay.get("/channels")).json == {"channels": {"presence-a": {}, "private-b": {}, "c": {}}}

    async def test_a_prefix_filters_and_info_adds(self, relay: RunningRelay) -> None:
        await occupy(relay)
        answer = await relay.get("/channels", filter_by_prefix="presence-", info="user_count")
        assert answer.json == {"channels": {"presence-a": {"user_count": 2}}}
        answer = await relay.get("/channels", info="subscription_count")
        counts = {"presence-a": 3, "private-b": 2, "c": 1}
        assert answer.json == {"channels": {name: {"subscription_count": count} for name, count in counts.items()}}
        answer = await relay.get("/channels", filter_by_prefix="presence-", info="user_count,subscription_count")
        assert answer.json == {"channels": {"presence-a": {"user_count": 2, "subscription_count": 3}}}
        assert (await relay.get("/channels", filter_by_prefix="presence-z")).json == {"channels": {}}

    @pytest.mark.parametrize(
        "params", [{"info": "user_count"}, {"info": "user_count", "filter_by_prefix": "pres"}, {"info": "nothing"}]
    )
    async def test_info_that_a_list_does_not_have_is_refused(self, relay: RunningRelay, params: dict[str, str]) -> None:
        assert (await relay.get("/channels", **params)).status == 400


class TestLongList:
    """Of more channels than a page holds."""

    @pytest.fixture(autouse=True)
    def _small_slices(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local, "PAGE", 3)

    @pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}])
    async def test_all_are_listed_whatever_slice_they_are_in(
        self, relay: RunningRelay, headers: dict[str, str]
    ) -> None:
        client = await relay.connect()
        names = [f"{kind}-{number}" for number in range(10) for kind in ("a", "b")]
        for name in names:
            await client.subscribe(name)
        for prefix, count in (("", 20), ("a-", 10), ("b-7", 1), ("z", 0)):
            target = relay.target("GET", "/channels", params={"filter_by_prefix": prefix, "info": "subscription_count"})
            answer = await relay.request("GET", target, headers=headers)
            listed = {name: {"subscription_count": 1} for name in names if name.startswith(prefix)}
            assert (answer.status, answer.json, len(listed)) == (200, {"channels": listed}, count)
        assert (await relay.request("GET", "/up")).status == 200

    async def test_one_slice_is_made_in_a_turn_of_the_loop(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        for number in range(10):
            await client.subscribe(f"a-{number}")
        assert [part.count(b"{}") for part in parts_of_list(relay)][1:-1] == [3, 3, 3, 1]

    async def test_the_list_of_an_app_that_is_taken_out_meanwhile_ends(self, relay: RunningRelay) -> None:
        client = await relay.connect()
        for number in range(10):
            await client.subscribe(f"a-{number}")
        rest = parts_of_list(relay)
        begun = [next(rest), next(rest), next(rest)]
        relay.reload([app_with(app_id="other")])
        assert len(json.loads(b"".join([*begun, *rest]))["channels"]) == 6

    async def test_requests_that_come_meanwhile_on_the_same_connection_are_answered_after_it(
        self, relay: RunningRelay
    ) -> None:
        client = await relay.connect()
        for number in range(10):
            await client.subscribe(f"a-{number}")
        target = relay.target("GET", "/channels").encode()
        wire = await relay.wire()
        await wire.send(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target + b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
        status, body = await wire.answer()
        assert (status, len(json.loads(body)["channels"])) == (200, 10)
        assert await wire.answer() == (200, b'{"ok":true}')


class TestOne:
    async def test_a_channel_is_occupied_or_not(self, relay: RunningRelay) -> None:
        await occupy(relay)
        assert (await relay.get("/channels/c")).json == {"occupied": True}
        assert (await relay.get("/channels/nobody")).json == {"occupied": False}

    async def test_info_adds_what_its_kind_has(self, relay: RunningRelay) -> None:
        await occupy(relay)
        both = {"info": "user_count,subscription_count"}
        there = await relay.get("/channels/presence-a", **both)
        assert there.json == {"occupied": True, "user_count": 2, "subscription_count": 3}
        nobody = await relay.get("/channels/presence-none", **both)
        assert nobody.json == {"occupied": False, "user_count": 0, "subscription_count": 0}
        count = {"info": "subscription_count"}
        assert (await relay.get("/channels/private-b", **count)).json == {"occupied": True, "subscription_count": 2}
        assert (await relay.get("/channels/nobody", **count)).json == {"occupied": False, "subscription_count": 0}

    async def test_subscriptions_are_counted_even_where_subscribers_are_not_told(self) -> None:
        app = App(id="3", key="key-3", secret="secret-3", subscription_count=False)
        async with running_relay(app) as relay:
            await occupy(relay)
            answer = await relay.get("/channels/c", info="subscription_count")
        assert answer.json == {"occupied": True, "subscription_count": 1}

    @pytest.mark.parametrize(
        ("name", "params"),
        [
            ("private-b", {"info": "user_count"}),
            ("presence-a", {"info": "user_count,members"}),
            ("a%20b", {}),
            ("a%00b", {}),
            ("a%2Fb", {}),
            ("%22", {}),
            ("%ff", {}),
            ("%zz", {}),
            ("", {}),
            ("a" * 201, {}),
        ],
    )
    async def test_a_wrong_name_or_info_is_refused(
        self, relay: RunningRelay, name: str, params: dict[str, str]
    ) -> None:
        answer = await relay.get(f"/channels/{name}", **params)
        assert (answer.status, answer.json["code"]) == (400, 400)


class TestUsers:
    async def test_each_user_is_listed_once_and_as_text(self, relay: RunningRelay) -> None:
        await occupy(relay)
        assert (await relay.get("/channels/presence-a/users")).json == {"users": [{"id": "1"}, {"id": "2"}]}

    async def test_nobody_is_in_an_empty_channel(self, relay: RunningRelay) -> None:
        assert (await relay.get("/channels/presence-none/users")).json == {"users": []}

    @pytest.mark.parametrize("name", ["private-b", "c", "cache-a", "presence-%20"])
    async def test_only_presence_channels_have_users(self, relay: RunningRelay, name: str) -> None:
        assert (await relay.get(f"/channels/{name}/users")).status == 400
