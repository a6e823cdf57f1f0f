"""The relay as a whole: its start, its stop, and what it owes its clients meanwhile."""

import asyncio
import signal
from collections.abc import MutableMapping
from typing import Any

import pytest

from relay import server
from relay.config import Settings
from relay.net.liveness import Wheel
from relay.watch.prometheus import Metrics
from tests.helpers.clients import APP, app_with, member
from tests.helpers.relay import PATIENCE, RunningRelay, running_relay


class TestStarting:
    async def test_a_relay_takes_a_free_port_and_says_which(self) -> None:
        async with running_relay(APP) as one, running_relay(APP) as two:
            assert one.port != two.port
            for relay in (one, two):
                assert (await relay.request("GET", "/ready")).json == {"ready": True}

    async def test_a_busy_port_is_an_error_of_the_system(self, relay: RunningRelay) -> None:
        with pytest.raises(OSError, match="in use"):
            async with server.running(Settings(port=relay.port, apps=(APP,))):
                pytest.fail("two relays on one port")

    async def test_the_activity_timeout_of_the_settings_is_told(self) -> None:
        async with running_relay(APP, activity_timeout=33) as relay:
            welcome = await (await relay.open("/app/key-3?protocol=7")).receive()
        assert welcome["data"]["activity_timeout"] == 33

    async def test_each_app_has_its_own_clients(self) -> None:
        one, two = app_with(app_id="1"), app_with(app_id="2")
        async with running_relay(one, two) as relay:
            here, there = await relay.connect(one), await relay.connect(two)
            for client in (here, there):
                await client.subscribe("presence-a", member("7"))
            await relay.post("/events", {"name": "x", "data": "", "channel": "presence-a"}, app=two)
            assert await here.told() == []
            assert [event["event"] for event in await there.told()] == ["x"]


class TestStopping:
    async def test_clients_are_told_to_come_back_after_a_pause_and_nothing_listens_any_more(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Neither clients that answer nor idle connections of back ends are waited for.
        monkeypatch.setattr(server, "CLOSE_TIMEOUT", 3_600.0)
        async with running_relay(APP) as relay:
            clients = [await relay.connect() for _ in range(3)]
            for client in clients:
                await client.subscribe("presence-a", member(client.socket_id))
            idle = await relay.wire()
            await idle.send(b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await idle.answer())[0] == 200
            closing = asyncio.gather(*[client.closed() for client in clients])
            async with asyncio.timeout(PATIENCE):
                await relay.stop()
            assert await closing == [(4100, "the server is restarting")] * 3
            assert await idle.rest() == b""
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", relay.port)

    async def test_serve_runs_until_a_signal(
        self, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
    ) -> None:
        monkeypatch.setattr(server, "_settle_memory", lambda: None)
        monkeypatch.setattr(server, "raise_file_limit", lambda: None)
        serving = asyncio.create_task(server.serve(Settings(port=0, apps=(APP,))))
        while not any(entry["event"] == "relay_listening" for entry in logged):  # noqa: ASYNC110 - a log is no event
            await asyncio.sleep(0)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(serving, 10)
        assert [entry["event"] for entry in logged] == ["relay_listening", "relay_stopping"]
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)


class TestTicking:
    async def test_a_deadline_that_fails_is_logged_and_the_others_go_on(
        self, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
    ) -> None:
        ticks: list[float] = []

        class Failing(Wheel):
            def tick(self, now: float) -> None:
                ticks.append(now)
                if len(ticks) == 1:
                    raise KeyError("bug")

        naps = asyncio.Event()

        async def nap(seconds: float) -> None:
            assert seconds == 1.0
            if len(ticks) == 2:
                naps.set()
                await asyncio.Event().wait()

        metrics = Metrics(dict, list, dict)
        monkeypatch.setattr(asyncio, "sleep", nap)
        ticking = asyncio.create_task(server._tick(metrics, [Failing(0.0).tick]))
        await naps.wait()
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        assert len(ticks) == 2
        assert [entry["event"] for entry in logged] == ["tick_failed"]
        logged.clear()

    async def test_clients_that_do_not_go_are_waited_for_no_longer_than_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Stubborn:
            wheel_slot = 0

            def on_deadline(self, now: float) -> None:
                return None

        wheel = Wheel(0.0)
        wheel.watch(Stubborn(), 1e9)
        monkeypatch.setattr(server, "CLOSE_TIMEOUT", 0.0)
        await asyncio.wait_for(server._drain(wheel), 10)
        assert len(wheel) == 1
