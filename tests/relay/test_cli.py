"""The command line, in this process where it only answers, as a real process where it serves."""

import os
import re
import resource
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from relay import cli, ports
from tests.helpers.processes import free_port
from tests.helpers.redis import RedisServer

ROOT = Path(__file__).parents[2]
PATIENCE = 20.0
SECRET = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No settings from outside; and the log is set up for the tests again after a command has set it up for itself."""
    for name in list(os.environ):
        if name.startswith("RELAY_"):
            monkeypatch.delenv(name)
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli.main, arguments, env=environ)


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of a relay, and `environ`."""
    return {name: text for name, text in os.environ.items() if not name.startswith("RELAY_")} | dict(environ)


@contextmanager
def serving(**environ: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A relay as a process of its own, listening; it and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "relay", "serve"],
        cwd=ROOT,
        env=environment({"RELAY_PORT": "0", **environ}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with selectors.DefaultSelector() as selector:
            assert process.stdout is not None
            selector.register(process.stdout, selectors.EVENT_READ)
            assert selector.select(PATIENCE), "the relay says nothing"
        found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found is not None
        yield process, int(found[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


class TestDoctor:
    @pytest.fixture(autouse=True)
    def _enough_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resource, "getrlimit", lambda _which: (1_024, resource.RLIM_INFINITY))

    def test_a_relay_that_is_well_gets_a_line_a_check_and_the_code_is_0(self) -> None:
        with serving() as (_, port):
            result = run("doctor", "--url", f"http://127.0.0.1:{port}/")
        assert result.exit_code == 0
        assert [line[:4] for line in result.output.splitlines()] == ["ok  "] * 5

    def test_a_fault_comes_with_an_advice_and_the_code_is_1(self) -> None:
        result = run("doctor", RELAY_PORT=str(free_port()))
        assert result.exit_code == 1
        _, fault, advice = result.output.splitlines()
        assert fault.startswith("FAIL  nothing answers at http://127.0.0.1:")
        assert advice.startswith("      start the relay")

    def test_an_app_that_is_not_in_the_settings_is_named_and_the_code_is_2(self) -> None:
        result = run("doctor", "--app", "nobody")
        assert (result.exit_code, result.stderr) == (2, "There is no app 'nobody' in the settings\n")

    def test_an_address_that_is_not_http_is_wrong_usage(self) -> None:
        result = run("doctor", "--url", "wss://chat.example")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == "--url wss://chat.example: expected http:// or https://, such as https://chat.example\n"


class TestCheckConfig:
    def test_right_settings_are_printed_with_secrets_masked_and_the_code_is_0(self) -> None:
        result = run(
            "check-config", RELAY_PORT="7001", RELAY_APP_ID="shop", RELAY_APP_KEY="key", RELAY_APP_SECRET=SECRET
        )
        assert result.exit_code == 0
        assert "port = 7001\n" in result.output
        assert "App(id='shop', key='key', secret='***')" in result.output
        assert SECRET not in result.output

    def test_the_password_of_the_console_is_masked(self) -> None:
        result = run("check-config", RELAY_CONSOLE_PORT="6002", RELAY_CONSOLE_PASSWORD=SECRET)
        assert result.exit_code == 0
        assert "console_password = ***\n" in result.output
        assert SECRET not in result.output

    def test_wrong_settings_are_named_on_stderr_and_the_code_is_2(self) -> None:
        result = run("check-config", RELAY_PORT="http", RELAY_COLOUR="red")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "RELAY_PORT: expected `int`" in result.stderr
        assert "RELAY_COLOUR: unknown; known are " in result.stderr

    def test_serve_refuses_wrong_settings_in_the_same_way(self) -> None:
        result = run("serve", RELAY_HOST="0.0.0.0")  # noqa: S104 - refused, never listened on
        assert (result.exit_code, result.stdout) == (2, "")
        assert "0.0.0.0 is not a loopback address" in result.stderr

    def test_an_unknown_command_is_wrong_usage(self) -> None:
        assert run("sing").exit_code == 2

    @pytest.mark.parametrize("option", ["--help", "-h"])
    def test_help_names_the_commands_and_says_whole_sentences(self, option: str) -> None:
        result = run(option)
        assert result.exit_code == 0
        assert "serve" in result.output
        assert "check-config" in result.output
        assert "..." not in result.output.partition("Commands:")[2]


class TestServing:
    def test_a_relay_that_cannot_listen_says_so_and_the_code_is_1(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(settings: object) -> None:
            raise ports.CannotListen(PermissionError(13, "Permission denied"), "", "127.0.0.1", 80)

        monkeypatch.setattr("relay.server.serve", fail)
        result = run("serve", RELAY_PORT="80")
        assert result.exit_code == 1
        assert result.stderr == (
            "Cannot listen on 127.0.0.1:80: Permission denied. Choose another with RELAY_HOST and RELAY_PORT.\n"
        )

    def test_another_failure_of_the_system_is_said_as_it_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def fail(settings: object) -> None:
            raise OSError(23, "Too many open files in system")

        monkeypatch.setattr("relay.server.serve", fail)
        result = run("serve")
        assert (result.exit_code, result.stderr) == (1, "The relay cannot run: Too many open files in system\n")

    @pytest.mark.parametrize("part", ["METRICS", "CONSOLE"])
    def test_a_busy_port_of_another_part_is_named_with_its_setting(self, part: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = subprocess.run(
                [sys.executable, "-m", "relay", "serve"],
                cwd=ROOT,
                env=environment({"RELAY_PORT": "0", f"RELAY_{part}_PORT": str(port)}),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == (
            f"Port {port} is busy: something else listens on 127.0.0.1:{port}. Choose another with RELAY_{part}_PORT.\n"
        )

    def test_a_busy_port_is_said_in_one_line_and_the_code_is_1(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            done = subprocess.run(
                [sys.executable, "-m", "relay", "serve"],
                cwd=ROOT,
                env=environment({"RELAY_PORT": str(port)}),
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == (
            f"Port {port} is busy: something else listens on 127.0.0.1:{port}. Choose another with RELAY_PORT.\n"
        )

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_stops_the_relay_cleanly_and_the_code_is_0(self, number: signal.Signals) -> None:
        with serving() as (process, port):
            connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
            connection.request("GET", "/ready")
            assert connection.getresponse().status == 200
            process.send_signal(number)
            output, _ = process.communicate(timeout=PATIENCE)
            connection.close()
        assert process.returncode == 0
        assert "relay_stopping" in output
        assert "Traceback" not in output

    def test_logs_may_be_json_and_hold_no_secret(self) -> None:
        with serving(RELAY_LOG_FORMAT="json", RELAY_APP_ID="shop", RELAY_APP_KEY="key", RELAY_APP_SECRET=SECRET) as (
            process,
            _,
        ):
            process.terminate()
            output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert '"event": "relay_stopping"' in output
        assert SECRET not in output


class TestReload:
    @pytest.mark.parametrize("arguments", [("reload",), ("reload", "--all")])
    def test_without_other_nodes_it_says_how_one_alone_is_reloaded(self, arguments: tuple[str, ...]) -> None:
        result = run(*arguments)
        assert result.exit_code == 2
        assert "send SIGHUP to a relay that is alone" in result.output

    def test_without_redis_it_says_that_nobody_was_told(self) -> None:
        result = run("reload", "--all", RELAY_REDIS_URL="redis://127.0.0.1:1")
        assert result.exit_code == 1
        assert "the nodes cannot be reached: Redis at 127.0.0.1:1" in result.output

    def test_a_refusal_of_redis_is_shown(self, redis: RedisServer) -> None:
        redis.client.config_set("maxmemory", 1)
        try:
            result = run("reload", "--all", RELAY_REDIS_URL=redis.unix_url)
        finally:
            redis.client.config_set("maxmemory", 0)
        assert result.exit_code == 1
        assert "OOM" in result.output
