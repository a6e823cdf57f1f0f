"""Starts a relay and a support desk before it, with two operators who are logged in, and asks the desk what a scenario needs.

The desk gets a core of its own; the relay shares the other one with the generator, which sleeps while it has nothing to read.
"""

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from bench import servers
from bench.target import Target

# Nobody is refused for coming too often, and an operator who was there once stays there.
_LIMITS: Final = {
    "SUPPORT_TICKETS_PER_MINUTE": "0",
    "SUPPORT_MESSAGES_PER_MINUTE": "0",
    "SUPPORT_OPEN_TICKETS_PER_VISITOR": "0",
    "SUPPORT_OPEN_TICKETS_PER_NETWORK": "0",
    "SUPPORT_OPERATOR_TIMEOUT": "86400",
    "SUPPORT_SWEEP_INTERVAL": "3600",
}
_OPERATORS: Final = 2
_PASSWORD: Final = "a password for the benchmark"

# The most active tickets that an operator may have.
MAX_TICKETS: Final = 100

# How long the desk may take to answer a call that is not measured, or to add an operator, in seconds.
_PATIENCE: Final = 60.0


class Operator(Struct, frozen=True):
    """One who is logged in: number, and the headers that prove it."""

    id: int
    headers: Mapping[str, str]


class Desk(Struct, frozen=True):
    """A running desk: where it is as the `http` of a target, the relay behind it, its database and its operators."""

    http: Target
    relay: Target
    database_url: str
    operators: tuple[Operator, ...] = ()

    def request(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, object] | None) -> bytes:
        """A whole request as a page of the desk's own site sends it."""
        data = b"" if body is None else json.dumps(body).encode()
        where = f"{self.http.host}:{self.http.port}"
        lines = {"Host": where, "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) bench", "Accept": "*/*", **headers}
        if body is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(data)), "Origin": f"http://{where}"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"{method} {path} HTTP/1.1\r\n{head}Sec-Fetch-Site: same-origin\r\n\r\n".encode() + data

    def call(
        self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, object] | None = None
    ) -> tuple[dict[str, Any], str]:
        """What the desk answers, and the cookie that it sets. Raises OSError when it refuses."""
        connection = HTTPConnection(self.http.host, self.http.port, timeout=_PATIENCE)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"The desk answered {method} {path} with {answer.status}: {text}")
        return json.loads(text), (answer.headers["Set-Cookie"] or "").partition(";")[0]


@contextmanager
def running(database_url: str | None = None, *, is_pinned: bool = True) -> Iterator[Desk]:
    """A desk with its relay and operators while the context lasts; without a URL on an SQLite file of its own.

    Raises OSError when something does not start.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        servers.running(servers.ours(), is_pinned=False) as relay,
    ):
        url = database_url or f"sqlite:///{folder}/desk.sqlite3"
        environ = {**_LIMITS, "SUPPORT_DATABASE_URL": url, "SUPPORT_RELAY_URL": f"http://{relay.host}:{relay.port}"}
        environ |= {"SUPPORT_LOG_LEVEL": "warning", "PYTHONPATH": str(servers.ROOT)}
        mark = secrets.token_hex(4)
        for number in range(_OPERATORS):
            _add_operator(environ, f"{mark}-{number}@example.com")
        with servers.started_desk(environ, is_pinned=is_pinned) as http:
            desk = Desk(http, relay, url)
            yield from _with_operators(desk, [f"{mark}-{number}@example.com" for number in range(_OPERATORS)])


def _with_operators(desk: Desk, emails: list[str]) -> Iterator[Desk]:
    """The desk while these operators are there; they log out in the end, as the database may outlive this desk."""
    operators = []
    for email in emails:
        answer, cookie = desk.call("POST", "/operator/login", {}, {"email": email, "password": _PASSWORD})
        operators.append(Operator(answer["operator_id"], {"Cookie": cookie}))
        desk.call("POST", "/operator/heartbeat", operators[-1].headers, {})
    yield replace(desk, operators=tuple(operators))
    for one in operators:
        desk.call("POST", "/operator/logout", one.headers, {})


def _add_operator(environ: Mapping[str, str], email: str) -> None:
    command = [sys.executable, "-m", "support_api", "operator", "add", "--name", "Bench", "--email", email]
    command += ["--password-stdin", "--max-tickets", str(MAX_TICKETS)]
    done = subprocess.run(
        command,
        input=_PASSWORD,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise OSError(f"An operator could not be added: {done.stderr}")
