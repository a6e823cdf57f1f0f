"""The commands about operators' accounts."""

import sqlite3
from pathlib import Path

import pytest

from tests.support_api.cli.commands import PASSWORD, add, run


def test_an_operator_is_added_and_listed(env: dict[str, str]) -> None:
    assert "Operator 1 (olga@example.com)" in add(env, "--max-tickets", "3", email=" OLGA@example.com").output
    listed = run(env, "operator", "list")
    assert listed.output == "1\tolga@example.com\tOlga\toffline\t0/3\n"
    assert PASSWORD not in Path(env["SUPPORT_DATABASE_URL"].removeprefix("sqlite:///")).read_bytes().decode("latin-1")


def test_an_operators_name_shows_what_it_is(env: dict[str, str]) -> None:
    arguments = ["operator", "add", "--email", "olga@example.com", "--password-stdin", "--name"]
    assert run(env, *arguments, "\u200b\u202e", stdin=f"{PASSWORD}\n").exit_code == 2
    assert run(env, *arguments, "\u202eOl\u200bga ", stdin=f"{PASSWORD}\n").exit_code == 0
    assert "\tOlga\t" in run(env, "operator", "list").output


def test_an_email_that_is_taken_is_refused(env: dict[str, str]) -> None:
    add(env)
    again = add(env)
    assert again.exit_code == 1
    assert again.output.startswith("Error: 'email' must be one that no other operator has")


@pytest.mark.parametrize(
    ("more", "email", "password"),
    [
        ((), "no", PASSWORD),
        ((), "a@b", "short"),
        (("--max-tickets", "101"), "a@b", PASSWORD),
        (("--name", " "), "a@b", PASSWORD),
    ],
)
def test_an_operator_with_a_bad_value_is_refused(
    env: dict[str, str], more: tuple[str, ...], email: str, password: str
) -> None:
    assert add(env, *more, email=email, password=password).exit_code != 0
    assert run(env, "operator", "list").output == ""


def test_a_password_never_stands_in_the_arguments(env: dict[str, str]) -> None:
    for command in (["add", "--name", "Olga"], ["password"]):
        assert run(env, "operator", *command, "--email", "a@b").exit_code == 2


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["password", "--password-stdin"], "has a new password"),
        (["limit", "--max-tickets", "9"], "below 9"),
        (["disable"], "is disabled"),
        (["enable"], "may log in again"),
    ],
)
def test_an_operator_is_changed_by_email(env: dict[str, str], command: list[str], said: str) -> None:
    add(env)
    changed = run(env, "operator", *command, "--email", "olga@example.com", stdin="another password\n")
    assert (changed.exit_code, said in changed.output) == (0, True)
    unknown = run(env, "operator", *command, "--email", "nobody@example.com", stdin="another password\n")
    assert unknown.exit_code == 1
    assert unknown.output == "Error: There is no operator with the e-mail nobody@example.com.\n"


def test_a_disabled_operator_is_listed_as_such(env: dict[str, str]) -> None:
    add(env)
    run(env, "operator", "disable", "--email", "olga@example.com")
    assert "\tdisabled\t" in run(env, "operator", "list").output


def test_an_operator_who_was_not_heard_of_for_long_is_listed_as_gone(env: dict[str, str]) -> None:
    add(env)

    def heard(status: str, ago: str) -> None:
        database = sqlite3.connect(env["SUPPORT_DATABASE_URL"].removeprefix("sqlite:///"))
        with database:
            moment = f"strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '{ago}')"
            database.execute(f"UPDATE support_operators_online SET status = '{status}', last_seen = {moment}")  # noqa: S608 - our own words
        database.close()

    for status, ago, shown in [
        ("online", "-1 seconds", "online"),
        ("online", "-61 seconds", "gone"),
        ("away", "-61 seconds", "gone"),
        ("offline", "-61 seconds", "offline"),
    ]:
        heard(status, ago)
        assert f"\t{shown}\t" in run(env, "operator", "list").output
