"""GET /channels, /channels/NAME and /channels/NAME/users of a real relay."""

import pytest

from relay.apps import App
from tests.helpers.clients import member
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
