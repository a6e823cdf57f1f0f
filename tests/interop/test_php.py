"""The calls of a back end in PHP, made with curl and hash_hmac alone, against a real relay."""

from collections.abc import AsyncIterator

import pytest

from tests.helpers.parts import PHP, require
from tests.helpers.processes import RelayProcess
from tests.interop.agents import PhpAgent
from tests.interop.loop import async_fixture
from tests.interop.subscribers import Connect, SubscribeTo
from tests.interop.table import php_calls

pytestmark = php_calls()


@async_fixture
async def php(relay: RelayProcess) -> AsyncIterator[PhpAgent]:
    require(PHP)
    agent = await PhpAgent.start(relay.url, relay.app_id, relay.key, relay.secret)
    yield agent
    await agent.close()


@pytest.mark.crosses_nodes
@pytest.mark.tried("trigger")
async def test_trigger_reaches_all_its_channels(php: PhpAgent, subscribe_to: SubscribeTo) -> None:
    subscriber = await subscribe_to("php-one", "php-two")
    channels = ["php-one", "php-two"]
    assert await php.call("trigger", channels=channels, event="greeting", data={"text": "Привет/🙂"}) == [200, {}]
    for channel in channels:
        assert await subscriber.event() == (channel, "greeting", {"text": "Привет/🙂"})


@pytest.mark.tried("trigger: socket_id")
async def test_trigger_leaves_out_the_connection_that_it_names(php: PhpAgent, subscribe_to: SubscribeTo) -> None:
    sender, other = await subscribe_to("php-others"), await subscribe_to("php-others")
    await php.call("trigger", channels=["php-others"], event="moved", data={}, socketId=sender.socket_id)
    await php.call("trigger", channels=["php-others"], event="the-end", data={})
    assert (await other.event())[1] == "moved"
    assert (await sender.event())[1] == "the-end"


@pytest.mark.tried("authorizeChannel")
async def test_authorised_subscriptions_are_taken(php: PhpAgent, connect: Connect) -> None:
    subscriber = await connect()
    user = {"user_id": "ann", "user_info": {"name": "Ann/☕"}}
    for channel, data in (("private-php", None), ("private-php-data", user), ("presence-php", user)):
        auth = await php.call("authorizeChannel", channel=channel, socketId=subscriber.socket_id, data=data)
        confirmation = await subscriber.subscribe(channel, auth)
    assert confirmation["presence"]["hash"] == {"ann": {"name": "Ann/☕"}}
