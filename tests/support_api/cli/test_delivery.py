"""The commands about events on their way to the relay."""

import sqlite3
from contextlib import closing

import pytest

from tests.support_api.cli.commands import run


def stored_events(env: dict[str, str], *refusals: str | None) -> None:
    """Events in the outbox, with the reasons for which they were refused."""
    path = env["SUPPORT_DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as database, database:
        for number, refusal in enumerate(refusals, 1):
            refused_at = None if refusal is None else "2026-01-02 03:04:06.000000"
            values = (number, "private-ticket-1", "message:new", '{"content":"private"}', refused_at, refusal)
            database.execute(
                "INSERT INTO support_outbox (id, channel, event, payload, refused_at, refusal, created_at) "
                "VALUES (?, ?, ?, ?, ?, ?, '2026-01-02 03:04:05.000000')",
                values,
            )


def test_what_the_relay_refused_is_listed_without_its_data(env: dict[str, str]) -> None:
    stored_events(env, "too\x1b[2J great", None)
    listed = run(env, "outbox", "list")
    (line,) = listed.stdout.splitlines()
    number, channel, event, size, made, refused, reason = line.split("\t")
    assert (number, channel, event, size, reason) == ("1", "private-ticket-1", "message:new", "21", "too [2J great")
    assert (made[:19], refused[:19]) == ("2026-01-02T03:04:05", "2026-01-02T03:04:06")
    assert listed.stderr == "1 wait for the relay, 1 were set aside.\n"
    assert "content" not in listed.output


def test_what_the_relay_refused_is_brought_back(env: dict[str, str]) -> None:
    stored_events(env, "no", "no", "no", None)
    assert run(env, "outbox", "retry", "2").output == "1 will be sent again.\n"
    wrong = run(env, "outbox", "retry", "1", "4", "9")
    assert (wrong.exit_code, wrong.stdout) == (1, "1 will be sent again.\n")
    assert "Not set aside: 4, 9." in wrong.output
    assert run(env, "outbox", "retry", "--all").output == "1 will be sent again.\n"
    assert run(env, "outbox", "list").stderr == "4 wait for the relay, 0 were set aside.\n"


@pytest.mark.parametrize("arguments", [[], ["--all", "1"], ["x"], ["0"], [str(2**63)]])
def test_it_is_said_what_to_bring_back(env: dict[str, str], arguments: list[str]) -> None:
    assert run(env, "outbox", "retry", *arguments).exit_code == 2


def test_an_event_that_holds_up_all_others_can_be_skipped(env: dict[str, str]) -> None:
    stored_events(env, "no", None, None)
    assert run(env, "outbox", "skip").output == "2 (message:new on private-ticket-1) was set aside.\n"
    assert run(env, "outbox", "skip").exit_code == 0
    nothing = run(env, "outbox", "skip")
    assert (nothing.exit_code, nothing.output) == (1, "Error: No event waits.\n")
