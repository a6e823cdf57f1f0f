"""The command line, in this process and as a real one."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support_api import cli
from support_api.database.schema import schema_sql
from tests.support_api.cli.commands import add, run

ROOT = Path(__file__).parent.parent.parent.parent


def test_the_first_run_makes_an_operator_and_the_second_one_does_not(env: dict[str, str]) -> None:
    first = run(env, "first-run")
    assert "http://127.0.0.1:8080/operator" in first.output
    found = re.search(r"the password +(\S+)", first.output)
    assert found is not None
    assert len(found[1]) >= 16
    second = run(env, "first-run")
    assert "operator password" in second.output
    assert "Log in" not in second.output
    assert run(env, "operator", "list").output.count("\n") == 1


@pytest.mark.parametrize(
    ("executable", "shown"),
    [
        ("{folder}/.venv/bin/python", ".venv/bin/python"),
        ("/opt/python/bin/python3", "/opt/python/bin/python3"),
        ("", "python"),
    ],
)
def test_the_first_run_shows_commands_that_work_in_this_folder(
    env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str, shown: str
) -> None:
    add(env)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", executable.format(folder=tmp_path))
    assert f" {shown} -m support_api operator password " in run(env, "first-run").output


def test_the_settings_are_shown_without_secrets(env: dict[str, str]) -> None:
    shown = run(env | {"SUPPORT_SECRET_KEY": "mine"}, "check-config")
    assert shown.exit_code == 0
    assert "port = 8080" in shown.output
    assert "mine" not in shown.output
    assert "secret_keys = (***,)" in shown.output


@pytest.mark.parametrize("command", ["check-config", "serve", "first-run"])
def test_wrong_settings_are_all_named_and_nothing_is_done(env: dict[str, str], command: str) -> None:
    refused = run(env | {"SUPPORT_PORT": "x", "SUPPORT_COLOUR": "red"}, command)
    assert refused.exit_code == 2
    assert "SUPPORT_PORT: expected" in refused.output
    assert "SUPPORT_COLOUR: unknown setting, expected one of SUPPORT_HOST, SUPPORT_PORT, " in refused.output
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("group", [[], ["operator"], ["outbox"]])
def test_the_list_of_commands_says_whole_sentences(env: dict[str, str], group: list[str]) -> None:
    commands = run(env, *group, "-h").output.partition("Commands:")[2]
    assert commands
    assert "..." not in commands


def test_the_schema_is_printed(env: dict[str, str]) -> None:
    assert run(env, "schema").output == schema_sql()
    assert run(env, "schema", "--dialect", "postgresql").output == schema_sql("postgresql")


@pytest.mark.parametrize("command", ["serve", "first-run"])
def test_a_database_that_cannot_be_used_gets_one_line(env: dict[str, str], tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    refused = run(env | {"SUPPORT_DATABASE_URL": f"sqlite:///{tmp_path}/file/desk"}, command)
    assert refused.exit_code == 1
    assert refused.output.count("\n") == 1
    assert "its folder cannot be made" in refused.output


def test_a_busy_port_gets_one_line(env: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = run(env | {"SUPPORT_PORT": port}, "serve")
    assert refused.exit_code == 1
    hint = "Choose another with SUPPORT_HOST and SUPPORT_PORT."
    assert refused.output == f"Error: Cannot listen on 127.0.0.1:{port}: Address already in use. {hint}\n"


def test_an_unknown_host_gets_one_line(env: dict[str, str]) -> None:
    own = {"SUPPORT_SECRET_KEY": "m" * 32, "SUPPORT_RELAY_APP_SECRET": "m" * 16, "SUPPORT_HOST": "no.such.host.invalid"}
    refused = run(env | own, "serve")
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: Cannot listen on no.such.host.invalid:8080: ")
    assert "SUPPORT_HOST" in refused.output
    assert refused.output.count("\n") == 1


def test_the_desk_serves_in_this_process_until_it_is_told_to_stop(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told_to_stop() -> None:
        return

    monkeypatch.setattr(cli, "_told_to_stop", told_to_stop)
    served = run(env | {"SUPPORT_PORT": "0"}, "serve")
    assert served.exit_code == 0, served.output
    assert re.search(r"^Support desk listening on http://127\.0\.0\.1:\d+$", served.output, re.MULTILINE)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),  # noqa: S104 - nothing is bound
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("desk.example", "http://desk.example:1"),
    ],
)
def test_the_address_shown_is_one_that_a_browser_opens(host: str, url: str) -> None:
    assert cli.base_url(host, 1) == url


def test_without_uvloop_asyncio_runs_it(env: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run(env, "operator", "list").exit_code == 0


@contextmanager
def process(env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A desk as a process of its own; yields it with its address."""
    started = subprocess.Popen(
        [sys.executable, "-m", "support_api", "serve"],
        cwd=ROOT,
        env=os.environ | env | {"SUPPORT_PORT": "0", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    guard = threading.Timer(30, started.kill)
    guard.start()
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        assert line.startswith("Support desk listening on "), line
        yield started, line.split()[-1]
    finally:
        guard.cancel()
        if started.poll() is None:
            started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


def post(url: str, body: str) -> str:
    request = urllib.request.Request(url, body.encode(), method="POST")  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own server
        return str(answer.read().decode())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_process_cleanly(env: dict[str, str], number: signal.Signals) -> None:
    with process(env) as (started, url):
        assert '"ticket_id":1' in post(f"{url}/create_ticket.php", "message=hello")
        started.send_signal(number)
        assert started.wait(20) == 0


def test_whatever_was_answered_is_there_after_a_kill(env: dict[str, str]) -> None:
    answered: list[str] = []
    with process(env) as (started, url):
        killer = threading.Timer(0.4, started.kill)
        killer.start()
        with suppress(OSError):
            for number in range(10_000):
                post(f"{url}/create_ticket", f"message=m{number}")
                answered.append(f"m{number}")
        killer.join()
        started.wait()
    assert answered
    with process(env) as (_, url), urllib.request.urlopen(f"{url}/up", timeout=10) as up:  # noqa: S310 - our own server
        assert up.status == 200
    database = sqlite3.connect(env["SUPPORT_DATABASE_URL"].removeprefix("sqlite:///"))
    try:
        stored = [row[0] for row in database.execute("SELECT content FROM support_messages ORDER BY id")]
        waiting = database.execute("SELECT count(*) FROM support_outbox WHERE event = 'ticket:new'").fetchone()
        assert stored[: len(answered)] == answered
        assert len(stored) <= len(answered) + 1
        assert waiting == (len(stored),)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        database.close()
