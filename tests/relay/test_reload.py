"""Changed apps, while clients are connected."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from pushdesk.settings import ConfigError
from relay import server
from relay.apps import App, Apps, KeyPair
from relay.config import Settings
from tests.helpers.clients import APP, app_with, member, message, signature
from tests.helpers.node import Client, Relay
from tests.helpers.processes import HOST, ROOT, Process, environment, free_port
from tests.helpers.redis import RedisServer
from tests.helpers.relay import running_relay


def reload(relay: Relay, *apps: App) -> None:
    relay.node.reload(Apps(apps))


class TestNode:
    def test_connections_stay_under_the_new_limits(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe("private-a")
        reload(relay, app_with(subscriptions=1))
        error, _in_other_dialects = client.subscribe("b")
        assert error["data"]["error"] == "A connection may be subscribed to 1 channels"
        assert client.transport.closed is None
        relay.publish("x", "1", "private-a")
        assert [event["event"] for event in client.told()] == ["x"]

    def test_switches_count_for_connections_that_are_open(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe("private-a")
        reload(relay, app_with(client_messages=False))
        (error,) = client.send(message("client-x", 1, "private-a"))
        assert error["data"]["message"] == "Client events are switched off for this app"

    def test_a_new_rate_of_client_events_counts_for_connections_that_are_open(self) -> None:
        relay = Relay()
        client = relay.client()
        client.subscribe("private-a")
        event = message("client-x", 1, "private-a")
        assert client.send(event) == []
        reload(relay, app_with(client_events_per_second=2))
        answers = [client.send(event) for _ in range(3)]
        assert [len(answer) for answer in answers] == [0, 0, 1]

    def test_clients_of_an_app_that_is_gone_are_closed_with_4001(self) -> None:
        gone = replace(app_with(app_id="2"), subscription_count=True)
        relay = Relay(APP, gone)
        stays, goes = relay.client(), [relay.client(gone) for _ in range(3)]
        for client in (stays, *goes):
            client.subscribe("a")
        reload(relay, APP)
        assert [client.transport.closed for client in goes] == [(4001, "The app is no more")] * 3
        assert stays.transport.closed is None
        assert set(relay.node.all_stats()) == {"3"}
        assert relay.bus.listening == {("3", "a")}

    def test_clients_of_an_app_that_was_disabled_are_closed_with_4003_and_come_back_when_it_is_not(self) -> None:
        relay = Relay()
        client = relay.client()
        reload(relay, app_with(enabled=False))
        assert client.transport.closed == (4003, "The app is disabled")
        reload(relay, APP)
        assert Client(relay.node, relay.node.admit("key-3", None).app).transport.closed is None

    def test_a_new_app_takes_clients(self) -> None:
        relay = Relay()
        new = app_with(app_id="4")
        reload(relay, APP, new)
        assert Client(relay.node, relay.node.admit("key-4", None).app).connection.app is new

    def test_fewer_events_are_remembered_at_once(self) -> None:
        relay = Relay()
        relay.publish("x", "1", "cache-a")
        relay.publish("x", "1", "cache-b")
        reload(relay, app_with(cached_events=1))
        events = [relay.client().subscribe(channel)[1]["event"] for channel in ("cache-a", "cache-b")]
        assert events == ["pusher:cache_miss", "x"]

    def test_counts_stay_and_what_is_remembered_stays(self) -> None:
        relay = Relay()
        relay.client().subscribe("presence-a", member("7"))
        relay.publish("x", "1", "cache-a")
        reload(relay, app_with(presence_members=5))
        assert relay.node.namespaces[APP.id].stats.connections_opened == 1
        assert relay.client().subscribe("cache-a")[1]["event"] == "x"


class TestKeys:
    old = KeyPair("old-key", "old-secret")
    rotated = replace(APP, other_keys=(old,))

    async def test_clients_and_back_ends_may_use_either_key(self) -> None:
        async with running_relay(self.rotated) as relay:
            by_old = replace(APP, key="old-key", secret="old-secret")
            client = await relay.connect(by_old)
            assert (await client.subscribe("private-a"))["event"] == "pusher_internal:subscription_succeeded"
            for app in (APP, by_old):
                answer = await relay.post("/events", {"name": "x", "data": "", "channel": "private-a"}, app=app)
                assert answer.status == 200
                assert (await client.receive())["event"] == "x"
            wrong = replace(APP, key="old-key")
            assert (await relay.post("/events", {}, app=wrong)).status == 401

    def test_a_key_cannot_sign_with_another_keys_secret(self) -> None:
        relay = Relay(self.rotated)
        client = relay.client(self.rotated)
        auth = f"old-key:{signature(APP.secret, f'{client.socket_id}:private-a')}"
        error, _in_other_dialects = client.send(message("pusher:subscribe", {"channel": "private-a", "auth": auth}))
        assert error["data"]["status"] == 401

    def test_two_apps_may_not_share_any_of_their_keys(self) -> None:
        with pytest.raises(ValueError, match="two apps have the key 'old-key'"):
            Apps([self.rotated, replace(app_with(app_id="4"), key="old-key")])


class TestServer:
    async def test_a_changed_rate_counts_from_the_next_request_on(self) -> None:
        limited = app_with(api_requests_per_second=1)
        async with running_relay(limited) as relay:
            assert [(await relay.get("/channels")).status for _ in range(2)] == [200, 429]
            relay.reload([app_with(api_requests_per_second=100)])
            assert [(await relay.get("/channels")).status for _ in range(5)] == [200] * 5
            relay.reload([APP])
            assert (await relay.get("/channels")).status == 200

    async def test_a_changed_size_of_messages_counts_for_connections_that_are_open(self) -> None:
        async with running_relay(app_with(message_bytes=70_000)) as relay:
            roomy, strict = await relay.connect(), await relay.connect()
            long = json.dumps({"event": "pusher:ping", "data": "x" * 65_000})
            await roomy.send_text(long)
            assert (await roomy.receive())["event"] == "pusher:pong"
            relay.reload([app_with(message_bytes=2_000)])
            await strict.send_text(long)
            assert (await strict.closed())[0] == 1009

    async def test_wrong_settings_change_nothing_and_are_named(
        self, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, object]]
    ) -> None:
        def fail() -> Settings:
            raise ConfigError(["port: expected `int`"])

        async with running_relay(APP) as relay:
            client = await relay.connect()
            monkeypatch.setattr(server, "load", fail)
            server._reload(relay.running)
            assert await client.told() == []
            monkeypatch.setattr(server, "load", lambda: Settings(apps=(app_with(app_id="4"),)))
            server._reload(relay.running)
            assert (await client.closed())[0] == 4001
        refused, reloaded = [entry for entry in logged if "reload" in str(entry["event"])]
        assert (refused["event"], refused["problems"]) == ("reload_refused", ["port: expected `int`"])
        assert (reloaded["event"], reloaded["apps"]) == ("apps_reloaded", 1)
        logged.clear()


class Signalled:
    """A relay process with its settings in a file."""

    def __init__(self, folder: Path, **settings: object) -> None:
        folder.mkdir(exist_ok=True)
        self.file = folder / "relay.toml"
        self.write("3")
        port = free_port()
        settings = {"host": HOST, "port": port, "config": self.file, "log_format": "json"} | settings
        self.environment = environment("RELAY_", settings)
        self.process = Process(["relay", "serve"], port, self.environment)

    def write(self, app_id: str) -> None:
        self.file.write_text(f'[[apps]]\nid = "{app_id}"\nkey = "key-{app_id}"\nsecret = "secret-{app_id}"\n')

    def hang_up(self, event: str) -> dict[str, object]:
        """Send SIGHUP; the log entry that follows."""
        before = self.process.output().count(event)
        os.kill(self.process.pid, signal.SIGHUP)
        return self.logged(event, before)

    def logged(self, event: str, before: int = 0) -> dict[str, object]:
        """The next log entry of this event, after so many."""
        deadline = time.monotonic() + 10
        while self.process.output().count(event) == before:
            assert time.monotonic() < deadline, self.process.output()
            time.sleep(0.01)
        lines = [json.loads(line) for line in self.process.output().splitlines() if event in line]
        return dict(lines[-1])


def test_a_real_process_reloads_at_sighup_and_survives_wrong_settings(tmp_path: Path) -> None:
    relay = Signalled(tmp_path)
    relay.process.start()
    try:
        relay.write("4")
        assert relay.hang_up("apps_reloaded")["apps"] == 1
        relay.file.write_text("no toml")
        assert "is no TOML file" in str(relay.hang_up("reload_refused")["problems"])
        assert relay.process.terminate() == 0
    finally:
        relay.process.stop()


def test_one_command_has_all_nodes_read_their_apps_anew(tmp_path: Path, redis: RedisServer) -> None:
    nodes = [Signalled(tmp_path / name, redis_url=redis.unix_url) for name in ("one", "other")]
    try:
        for node in nodes:
            node.process.start()
            node.write("4")
        nodes[1].file.write_text("no toml")
        command = [sys.executable, "-m", "relay", "reload", "--all"]
        said = subprocess.run(command, cwd=ROOT, env=nodes[0].environment, capture_output=True, text=True, check=True)
        assert said.stdout.startswith("told 2 nodes; ")
        assert nodes[0].logged("apps_reloaded")["apps"] == 1
        assert "is no TOML file" in str(nodes[1].logged("reload_refused")["problems"])
    finally:
        for node in nodes:
            node.process.stop()
