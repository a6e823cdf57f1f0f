"""Compression against a real relay, with a client that is not ours."""

from msgspec.structs import replace
from websockets.extensions.permessage_deflate import PerMessageDeflate

from tests.helpers.clients import APP
from tests.helpers.relay import running_relay

COMPRESSING = replace(APP, compression=True)
LONG = "Привет, мир! " * 50


async def test_clients_with_and_without_compression_get_the_same_event() -> None:
    async with running_relay(COMPRESSING) as relay:
        small, plain = await relay.connect(), await relay.connect(compression=None)
        for client in (small, plain):
            await client.subscribe("news")
        assert [type(extension) for extension in small.websocket.protocol.extensions] == [PerMessageDeflate]
        assert plain.websocket.protocol.extensions == []
        await relay.trigger("news", data=LONG)
        for client in (small, plain):
            assert (await client.receive())["data"] == LONG


async def test_what_a_client_sends_compressed_reaches_the_others() -> None:
    async with running_relay(COMPRESSING) as relay:
        one, other = await relay.connect(), await relay.connect()
        for client in (one, other):
            await client.subscribe("private-room")
        await one.send("client-said", {"text": LONG}, "private-room")
        assert (await other.receive())["data"] == {"text": LONG}


async def test_an_app_without_the_switch_compresses_nothing() -> None:
    async with running_relay(APP) as relay:
        client = await relay.connect()
        assert client.websocket.protocol.extensions == []


async def test_a_compressed_bomb_closes_its_own_connection_with_1009() -> None:
    async with running_relay(COMPRESSING) as relay:
        bomber, other = await relay.connect(), await relay.connect()
        await bomber.send_text(" " * 10_000_000)
        assert (await bomber.closed())[0] == 1009
        assert await other.told() == []
