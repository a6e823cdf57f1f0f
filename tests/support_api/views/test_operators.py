"""The operators' calls, over HTTP."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
import structlog
from aiohttp import web

from support_api.errors import LoginsBusy
from support_api.models.operators import Identity, Operator, OperatorStatus
from support_api.services.passwords import Passwords
from support_api.services.sessions import Sessions
from support_api.views.identity import logged_in
from tests.support_api.conftest import Running
from tests.support_api.helpers import PASSWORD, Caller, RecordingRelay, open_ticket

CALLS = [
    ("GET", "/operator/me"),
    ("GET", "/operator/tickets"),
    ("GET", "/operator/queue"),
    ("POST", "/operator/heartbeat"),
]


async def test_logging_in_opens_a_session_for_the_operator(running: Running) -> None:
    operator = await running.add_operator("Olga")
    answer = await running.nobody.post("/operator/login", email=" OLGA@example.com ", password=PASSWORD)
    assert (answer.status, answer.json) == (200, {"operator_id": operator.id, "name": "Olga", "email": operator.email})
    cookie = answer.cookies["operator_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"]) == (True, "Lax", "/", "43200")
    caller = running.nobody.with_headers({"Cookie": f"operator_session={cookie.value}"})
    me = await caller.get("/operator/me")
    assert me.json == answer.json | {"status": "offline", "max_tickets": 5, "active_tickets": 0}


async def test_a_wrong_password_and_an_unknown_email_get_the_same_answer(running: Running) -> None:
    await running.add_operator("Olga")
    wrong = await running.nobody.post("/operator/login", email="olga@example.com", password="wrong")
    unknown = await running.nobody.post("/operator/login", email="nobody@example.com", password=PASSWORD)
    assert (wrong.status, wrong.text) == (unknown.status, unknown.text)
    assert wrong.status == 401
    assert wrong.code == "wrong_login"
    assert "operator_session" not in wrong.cookies


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"email": "a@b"},
        {"password": "x"},
        {"email": 1, "password": "x"},
        {"email": "a@b", "password": 1},
        {"email": "a@b", "password": "x" * 1025},
        {"email": "a@b", "password": ""},
    ],
)
async def test_a_login_without_its_fields_is_refused(nobody: Caller, fields: dict[str, Any]) -> None:
    assert (await nobody.post("/operator/login", **fields)).status == 422


async def test_after_ten_failures_even_the_right_password_waits(running: Running) -> None:
    await running.add_operator("Olga")
    await running.add_operator("Petr")
    fields = {"email": "olga@example.com", "password": "wrong"}
    answers = await asyncio.gather(*(running.nobody.post("/operator/login", **fields) for _ in range(15)))
    assert sorted(one.status for one in answers) == [401] * 10 + [429] * 5
    right = await running.nobody.post("/operator/login", email="Olga@example.com", password=PASSWORD)
    assert right.status == 429
    assert int(right.headers["Retry-After"]) <= 300
    other = await running.nobody.post("/operator/login", email="petr@example.com", password=PASSWORD)
    assert other.status == 200


async def test_a_failed_log_in_is_one_line_in_the_log_without_password_and_email(running: Running) -> None:
    with structlog.testing.capture_logs() as lines:
        await running.nobody.post("/operator/login", email="Nobody@example.com", password="s3cret")
        await running.nobody.post("/operator/login", email="nobody@example.com ", password="s3cret")
    first, second = (line for line in lines if line["event"] == "login_failed")
    assert (first["event"], first["log_level"], first["address"]) == ("login_failed", "info", "127.0.0.1")
    assert first["email_hash"] == second["email_hash"] == sha256(b"nobody@example.com").hexdigest()[:12]
    assert "s3cret" not in str(lines)
    assert "nobody@" not in str(lines).lower()


async def test_who_comes_too_often_is_one_line_in_the_log(running: Running) -> None:
    fields = {"email": "nobody@example.com", "password": "wrong"}
    for _ in range(10):
        await running.nobody.post("/operator/login", **fields)
    with structlog.testing.capture_logs() as lines:
        assert (await running.nobody.post("/operator/login", **fields)).status == 429
    (line,) = lines
    expected = {"event": "refused_for_now", "log_level": "info", "address": "127.0.0.1", "method": "POST"}
    assert line == expected | {"path": "/operator/login", "code": "too_many"}


async def test_after_fifty_failures_with_many_emails_an_address_waits(running: Running) -> None:
    await running.add_operator("Olga")
    for number in range(50):
        answer = await running.nobody.post("/operator/login", email=f"e{number}@example.com", password="wrong")
        assert answer.status == 401
    right = await running.nobody.post("/operator/login", email="olga@example.com", password=PASSWORD)
    assert (right.status, right.code) == (429, "too_many")
    assert 200 < int(right.headers["Retry-After"]) <= 300


async def test_a_log_in_that_was_not_looked_at_does_not_count_as_a_failure(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await running.add_operator("Olga")
    fields = {"email": "olga@example.com", "password": PASSWORD}

    async def busy(_self: Passwords, _hash: str | None, _password: str) -> bool:
        raise LoginsBusy

    with monkeypatch.context() as patch:
        patch.setattr(Passwords, "matches", busy)
        for _ in range(60):
            answer = await running.nobody.post("/operator/login", **fields)
            assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "logins_busy", "1")
    assert (await running.nobody.post("/operator/login", **fields)).status == 200


async def test_successful_logins_do_not_count_as_failures(running: Running) -> None:
    await running.add_operator("Olga")
    fields = {"email": "olga@example.com", "password": PASSWORD}
    assert {(await running.nobody.post("/operator/login", **fields)).status for _ in range(52)} == {200}


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_who_is_not_logged_in_is_asked_to(nobody: Caller, method: str, path: str) -> None:
    anna = await open_ticket(nobody)
    for caller in (nobody, anna.caller, nobody.with_headers({"Cookie": "operator_session=forged"})):
        answer = await caller.send(method, path)
        assert (answer.status, answer.code) == (401, "login_needed")


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_disabled_operator_is_logged_out_at_once(running: Running, method: str, path: str) -> None:
    operator, caller = await running.online("Olga")
    assert (await caller.send(method, path)).status == 200
    await running.desk.services.operators.disable(operator.email)
    assert (await caller.send(method, path)).status == 401
    answer = await running.nobody.post("/operator/login", email=operator.email, password=PASSWORD)
    assert answer.status == 401


@pytest.mark.parametrize(
    ("path", "ticket_id", "fields", "status"),
    [
        ("/operator/notes", 1, {"content": "They pay late"}, 401),
        ("/operator/snooze", 1, {"until": "2027-01-02T03:04:05Z"}, 401),
        ("/transfer_ticket", 1, {}, 401),
        ("/close_ticket", 1, {}, 403),
        ("/reopen_ticket", 2, {}, 403),
    ],
)
async def test_a_session_that_ends_while_the_body_comes_changes_nothing_any_more(
    running: Running, monkeypatch: pytest.MonkeyPatch, path: str, ticket_id: int, fields: dict[str, str], status: int
) -> None:
    operator, olga = await running.online("Olga")
    for _ in range(2):
        await open_ticket(running.nobody)
    await olga.post("/close_ticket", ticket_id=2)

    async def was_logged_in(*_: object) -> Operator:
        return operator

    monkeypatch.setattr(Sessions, "operator_of", was_logged_in)
    before = await running.desk.services.tickets.read(ticket_id)
    await running.desk.services.operators.set_password(operator.email, "another hash")
    assert (await olga.post(path, ticket_id=ticket_id, **fields)).status == status
    assert await running.desk.services.tickets.read(ticket_id) == before
    assert await running.desk.services.notes.of_ticket(ticket_id, Identity(operator=operator)) == []


async def test_logging_out_ends_the_session_and_takes_the_operator_offline(running: Running) -> None:
    operator, caller = await running.online("Olga")
    answer = await caller.send("POST", "/operator/logout")
    assert (answer.status, answer.json) == (200, {})
    assert answer.cookies["operator_session"].value == ""
    assert (await caller.get("/operator/me")).status == 401
    assert (await running.desk.services.operators.presence(operator.id)).status == "offline"
    assert (await open_ticket_status(running.nobody)) == "waiting"
    assert (await caller.send("POST", "/operator/logout")).status == 200
    assert (await running.nobody.send("POST", "/operator/logout")).status == 200


async def open_ticket_status(nobody: Caller) -> str:
    return str((await nobody.post("/create_ticket", message="x")).json["status"])


@pytest.mark.parametrize("status", ["away", "offline"])
async def test_an_operator_who_is_not_online_gets_no_new_tickets(running: Running, status: str) -> None:
    _, caller = await running.online("Olga")
    answer = await caller.post("/operator/heartbeat", status=status)
    assert answer.json == {"status": status, "max_tickets": 5, "active_tickets": 0}
    assert await open_ticket_status(running.nobody) == "waiting"


async def test_a_heartbeat_takes_waiting_tickets_and_tells_everybody(running: Running, relay: RecordingRelay) -> None:
    operator, caller = await running.online("Olga", max_tickets=0)
    anna = await open_ticket(running.nobody, message="help")
    answer = await caller.post("/operator/heartbeat", max_tickets=2)
    assert answer.json == {"status": "online", "max_tickets": 2, "active_tickets": 1}
    heard = await relay.events(5)
    assert [(one.name, one.channel) for one in heard[1:]] == [
        ("ticket:assigned", f"private-operator-{operator.id}"),
        ("ticket:updated", "private-support-queue"),
        ("ticket:updated", f"private-ticket-{anna.ticket_id}"),
        ("ticket:operator", f"private-ticket-{anna.ticket_id}"),
    ]
    assert heard[1].data["message"] == "help"
    expected = {"ticket_id": anna.ticket_id, "status": "active", "operator_id": operator.id, "operator_name": "Olga"}
    assert (
        heard[2].data
        == heard[3].data
        == expected | {"group_id": None, "group_name": None, "visitor_left_at": None, "snoozed_until": None}
    )


@pytest.mark.parametrize(
    "fields", [{"status": "busy"}, {"status": 1}, {"max_tickets": 101}, {"max_tickets": -1}, {"max_tickets": "many"}]
)
async def test_a_heartbeat_with_a_bad_field_is_refused(running: Running, fields: dict[str, Any]) -> None:
    _, caller = await running.online("Olga")
    answer = await caller.post("/operator/heartbeat", **fields)
    assert (answer.status, answer.json["error"]["field"]) == (422, next(iter(fields)))


async def test_an_operator_sees_his_tickets_with_email_and_the_queue_without(running: Running) -> None:
    _, olga = await running.online("Olga", max_tickets=1)
    _, petr = await running.online("Petr", max_tickets=0)
    mine = await open_ticket(running.nobody, email="a@example.com", message="first")
    waiting = await open_ticket(running.nobody, email="b@example.com", message="second")
    (listed,) = (await olga.get("/operator/tickets")).json["tickets"]
    assert (listed["ticket_id"], listed["message"], listed["visitor_email"]) == (
        mine.ticket_id,
        "first",
        "a@example.com",
    )
    assert (await petr.get("/operator/tickets")).json == {"tickets": []}
    for caller in (olga, petr):
        (queued,) = (await caller.get("/operator/queue")).json["tickets"]
        assert (queued["ticket_id"], queued["message"], queued["status"]) == (waiting.ticket_id, "second", "waiting")
        assert "visitor_email" not in queued
    await olga.post("/close_ticket", ticket_id=mine.ticket_id)
    (listed,) = (await olga.get("/operator/tickets")).json["tickets"]
    assert listed["ticket_id"] == waiting.ticket_id


@pytest.mark.parametrize("change", ["password", "disable"])
async def test_a_log_in_that_is_being_checked_does_not_outlive_its_password(
    running: Running, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    operators = running.desk.services.operators
    olga = await running.add_operator("Olga")
    matches = Passwords.matches

    async def slow(self: Passwords, password_hash: str | None, password: str) -> bool:
        right = await matches(self, password_hash, password)
        if change == "password":
            await operators.set_password(olga.email, await self.hash("another password"))
        else:
            await operators.disable(olga.email)
        return right

    monkeypatch.setattr(Passwords, "matches", slow)
    answer = await running.nobody.post("/operator/login", email=olga.email, password=PASSWORD)
    assert (answer.status, answer.code) == (401, "wrong_login")
    assert "operator_session" not in answer.cookies


@pytest.mark.parametrize("path", ["/operator/heartbeat", "/take_ticket"])
async def test_who_logs_out_is_not_there_again_by_a_call_that_was_on_its_way(
    running: Running, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    olga, caller = await running.online("Olga", max_tickets=0)
    await open_ticket(running.nobody)

    async def late(request: web.Request) -> Operator:
        operator = await logged_in(request)
        assert (await caller.post("/operator/logout")).status == 200
        return operator

    monkeypatch.setattr("support_api.views.operators.logged_in", late)
    answer = await caller.post(path, ticket_id=1, over_limit=True)
    assert (answer.status, answer.code) == (401, "login_needed")
    presence = await running.desk.services.operators.presence(olga.id)
    assert (presence.status, presence.active_tickets) == (OperatorStatus.OFFLINE, 0)
    assert len(await running.desk.services.tickets.waiting()) == 1
