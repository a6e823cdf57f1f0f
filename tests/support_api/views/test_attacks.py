"""The attack matrix: each caller against each call about a ticket, and each channel."""

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from support_api.config import Settings
from tests.support_api.conftest import Running, Start
from tests.support_api.helpers import Answer, Caller, Visitor, open_ticket

SUFFIXES = ["", ".php"]
CALLS = ["send_support_message", "typing", "read", "get_messages", "auth", "close_ticket"]
REOPEN = "reopen_ticket"
UNKNOWN = 4711


@dataclass(frozen=True)
class Stage:
    """Anna's ticket is Olga's; Boris has a ticket of his own that is Petr's."""

    callers: dict[str, Caller]
    anna: Visitor
    boris: Visitor
    olga_id: int


@pytest.fixture
async def stage(running: Running) -> Stage:
    olga, olgas = await running.online("Olga", max_tickets=1)
    anna = await open_ticket(running.nobody)
    _, petrs = await running.online("Petr", max_tickets=1)
    boris = await open_ticket(running.nobody, name="Boris")
    gone = await running.add_operator("Gone")
    gones = await running.log_in(gone)
    await running.desk.services.operators.disable(gone.email)
    session = petrs.headers["Cookie"]
    callers = {
        "visitor": anna.caller,
        "visitor by cookie": running.nobody.with_headers({"Cookie": f"visitor_id={anna.token}"}),
        "operator": olgas,
        "other operator who is the visitor": anna.caller.with_headers({"Cookie": session}),
        "operator who is another visitor": boris.caller.with_headers(olgas.headers),
        "nobody": running.nobody,
        "other visitor": boris.caller,
        "other operator": petrs,
        "other operator who is another visitor": boris.caller.with_headers({"Cookie": session}),
        "disabled operator": gones,
        "public id as cookie": running.nobody.with_headers({"Cookie": f"visitor_id={anna.id}"}),
        "public id as token": running.nobody.with_headers({"Authorization": f"Bearer {anna.id}"}),
        "visitor's token as session": running.nobody.with_headers({"Cookie": f"operator_session={anna.token}"}),
        "session as visitor's token": running.nobody.with_headers(
            {"Authorization": f"Bearer {olgas.headers['Cookie'].partition('=')[2]}"}
        ),
        "forged token": running.nobody.with_headers({"Authorization": f"Bearer {anna.token[:-2]}AA"}),
        "no bearer": running.nobody.with_headers({"Authorization": f"Basic {anna.token}"}),
    }
    return Stage(callers, anna, boris, olga.id)


ADMITTED = [
    "visitor",
    "visitor by cookie",
    "operator",
    "other operator who is the visitor",
    "operator who is another visitor",
]
REFUSED = [
    "nobody",
    "other visitor",
    "other operator",
    "other operator who is another visitor",
    "disabled operator",
    "public id as cookie",
    "public id as token",
    "visitor's token as session",
    "session as visitor's token",
    "forged token",
    "no bearer",
]


async def call(caller: Caller, name: str, suffix: str, ticket_id: Any, **more: Any) -> Answer:
    path = f"/{name}{suffix}"
    if name == "get_messages":
        return await caller.get(path, ticket_id=ticket_id)
    if name == "auth":
        return await caller.form(path, channel_name=f"private-ticket-{ticket_id}", socket_id="1.2")
    return await caller.post(path, **({"ticket_id": ticket_id, "content": "hi", "seq": 1} | more))


@pytest.mark.parametrize("who", ADMITTED)
async def test_who_takes_part_is_admitted(stage: Stage, who: str) -> None:
    for name in CALLS:
        for suffix in SUFFIXES:
            answer = await call(stage.callers[who], name, suffix, stage.anna.ticket_id)
            assert answer.status == 200, (name, suffix, answer.text)


@pytest.mark.parametrize("who", REFUSED)
async def test_who_takes_no_part_is_refused_and_changes_nothing(stage: Stage, who: str) -> None:
    before = await call(stage.anna.caller, "get_messages", "", stage.anna.ticket_id)
    for name in CALLS:
        for suffix in SUFFIXES:
            answer = await call(stage.callers[who], name, suffix, stage.anna.ticket_id)
            # Who is an operator is told that it is a colleague's; to anybody else it is nothing.
            code = "not_yours" if who.startswith("other operator") else "forbidden"
            assert (answer.status, answer.code) == (403, code), (name, suffix)
            assert "Anna" not in answer.text
    assert (await call(stage.anna.caller, "get_messages", "", stage.anna.ticket_id)).json == before.json


async def test_a_conversation_is_opened_again_by_its_visitor_and_by_operators_alone(stage: Stage) -> None:
    ticket_id = stage.anna.ticket_id
    refused = [who for who in REFUSED if not who.startswith("other operator")]
    await call(stage.anna.caller, "close_ticket", "", ticket_id)
    for who in refused:
        answer = await call(stage.callers[who], REOPEN, "", ticket_id)
        assert (answer.status, answer.code) == (403, "forbidden"), who
    for who in ("visitor", "operator", "other operator"):
        answer = await call(stage.callers[who], REOPEN, "", ticket_id)
        assert (answer.status, answer.json["ticket"]["status"]) == (200, "active"), who
        assert "visitor_email" not in answer.json["ticket"]
        await call(stage.anna.caller, "close_ticket", "", ticket_id)


OPERATORS = ["operator", "operator who is another visitor"]


@pytest.mark.parametrize("who", [*ADMITTED, *REFUSED])
async def test_notes_are_written_and_read_by_the_operator_who_serves(stage: Stage, who: str) -> None:
    if who in OPERATORS:
        expected: tuple[int, str | None] = (200, None)
    else:
        expected = (403, "not_yours") if who.startswith("other operator") else (401, "login_needed")
    caller, ticket_id = stage.callers[who], stage.anna.ticket_id
    written = await caller.post("/operator/notes", ticket_id=ticket_id, content="A regular")
    read = await caller.get("/operator/notes", ticket_id=ticket_id)
    for answer in (written, read):
        assert (answer.status, None if answer.status == 200 else answer.code) == expected
    kept = (await stage.callers["operator"].get("/operator/notes", ticket_id=ticket_id)).json["notes"]
    assert len(kept) == (1 if who in OPERATORS else 0)


async def test_an_unknown_ticket_is_unknown_to_everybody(stage: Stage) -> None:
    for who in (*ADMITTED, *REFUSED):
        for name in CALLS:
            answer = await call(stage.callers[who], name, "", UNKNOWN)
            assert (answer.status, answer.code) == (404, "unknown_ticket"), (who, name)


@pytest.mark.parametrize("ticket_id", ["x", "", "-1", "0", "1.0", "1e3", "٣", "9" * 30, " 1"])
async def test_what_is_no_ticket_number_is_refused(stage: Stage, ticket_id: str) -> None:
    for name in ("send_support_message", "typing", "get_messages", "close_ticket"):
        answer = await call(stage.anna.caller, name, "", ticket_id)
        assert (answer.status, answer.json["error"]["field"]) == (422, "ticket_id"), name


@pytest.mark.parametrize("ticket_id", [1.5, True, [1], {"a": 1}, None, -1])
async def test_a_ticket_number_of_another_type_is_refused(stage: Stage, ticket_id: object) -> None:
    for name in ("send_support_message", "typing", "close_ticket"):
        answer = await call(stage.anna.caller, name, "", ticket_id)
        assert (answer.status, answer.json["error"]["field"]) == (422, "ticket_id")


@pytest.mark.parametrize("content", [None, "", "  \n", "x" * 4001, 5, ["x"], {"a": 1}, True, "\0"])
async def test_content_that_is_empty_too_long_or_no_text_is_refused(stage: Stage, content: object) -> None:
    answer = await call(stage.anna.caller, "send_support_message", "", stage.anna.ticket_id, content=content)
    assert (answer.status, answer.json["error"]["field"]) == (422, "content")


@pytest.mark.parametrize(
    "socket_id", ["undefined", "", "null", "1", "1.2.3", "1.2\n", "a.b", 12, None, ["1.2"], "１.２"]
)
async def test_a_bad_socket_id_counts_as_absent(stage: Stage, socket_id: object) -> None:
    for name in ("send_support_message", "typing"):
        answer = await call(stage.anna.caller, name, "", stage.anna.ticket_id, socket_id=socket_id)
        assert answer.status == 200, answer.text


async def test_an_operator_cannot_write_as_another_side(stage: Stage) -> None:
    answer = await call(
        stage.callers["operator"], "send_support_message", "", stage.anna.ticket_id, sender_type="visitor"
    )
    assert answer.json["message"]["sender_type"] == "operator"


CHANNELS = ["private-support-queue", "private-operator-{olga}"]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_an_operator_joins_the_operators_channels(stage: Stage, channel: str) -> None:
    name = channel.format(olga=stage.olga_id)
    for suffix in SUFFIXES:
        answer = await stage.callers["operator"].form(f"/auth{suffix}", channel_name=name, socket_id="1.2")
        assert answer.status == 200
        assert answer.json["auth"].startswith("app-key:")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_who_is_no_operator_joins_none_of_them(stage: Stage, channel: str) -> None:
    name = channel.format(olga=stage.olga_id)
    for who in ("visitor", "nobody", "disabled operator", "visitor's token as session"):
        answer = await stage.callers[who].form("/auth", channel_name=name, socket_id="1.2")
        assert answer.status == 403, who


async def test_an_operator_does_not_join_another_operators_channel(stage: Stage) -> None:
    name = f"private-operator-{stage.olga_id}"
    answer = await stage.callers["other operator"].form("/auth", channel_name=name, socket_id="1.2")
    assert answer.status == 403


@pytest.mark.parametrize(
    "channel",
    [
        "public",
        "private-x",
        "presence-x",
        "private-ticket-01",
        "private-ticket-1x",
        "private-encrypted-x",
        "#server-to-user-1",
    ],
)
async def test_nobody_joins_an_unknown_channel(stage: Stage, channel: str) -> None:
    for who in ("visitor", "operator", "nobody"):
        answer = await stage.callers[who].form("/auth", channel_name=channel, socket_id="1.2")
        assert answer.status == 403, who


@pytest.mark.parametrize("socket_id", ["undefined", "", "1", "1.2:private-ticket-2", None, 12])
async def test_nothing_is_signed_for_a_bad_socket_id(stage: Stage, socket_id: object) -> None:
    answer = await stage.anna.caller.post("/auth", channel_name="private-ticket-1", socket_id=socket_id)
    assert (answer.status, answer.json["error"]["field"]) == (422, "socket_id")


@pytest.mark.parametrize("channel", [None, "", 5, ["private-ticket-1"], "x" * 201])
async def test_a_channel_name_of_another_kind_is_refused(stage: Stage, channel: object) -> None:
    answer = await stage.anna.caller.post("/auth", channel_name=channel, socket_id="1.2")
    assert (answer.status, answer.json["error"]["field"]) == (422, "channel_name")


async def test_what_is_signed_for_an_operator_names_them_and_for_a_visitor_nobody(stage: Stage) -> None:
    user = f"operator-{stage.olga_id}"
    own = [f"private-ticket-{stage.anna.ticket_id}", *(name.format(olga=stage.olga_id) for name in CHANNELS)]
    for channel in own:
        answer = await stage.callers["operator"].form("/auth", channel_name=channel, socket_id="1.2")
        assert orjson.loads(answer.json["channel_data"]) == {"user_id": user}
        assert answer.json["auth"] == _signed(f"1.2:{channel}:{answer.json['channel_data']}")
    for who in ("visitor", "visitor by cookie", "other operator who is the visitor"):
        answer = await call(stage.callers[who], "auth", "", stage.anna.ticket_id)
        assert set(answer.json) == {"auth"}, who


async def test_an_operator_signs_in_to_the_relay_as_themselves_and_nobody_else_does(stage: Stage) -> None:
    for suffix in SUFFIXES:
        answer = await stage.callers["operator"].form(f"/user_auth{suffix}", socket_id="1.2", user_id="operator-2")
        assert orjson.loads(answer.json["user_data"]) == {"id": f"operator-{stage.olga_id}"}
        assert answer.json["auth"] == _signed(f"1.2::user::{answer.json['user_data']}")
        for who in (
            "visitor",
            "nobody",
            "disabled operator",
            "visitor's token as session",
            "session as visitor's token",
        ):
            refused = await stage.callers[who].form(f"/user_auth{suffix}", socket_id="1.2")
            assert (refused.status, refused.code) == (401, "login_needed"), who
        for socket_id in ("undefined", "", "1", "1.2:private-ticket-2"):
            refused = await stage.callers["operator"].form(f"/user_auth{suffix}", socket_id=socket_id)
            assert (refused.status, refused.json["error"]["field"]) == (422, "socket_id")
        for origin in ("https://evil.example", "https://shop.example"):
            caller = stage.callers["operator"].with_headers({"Origin": origin})
            assert (await caller.form(f"/user_auth{suffix}", socket_id="1.2")).code == "foreign_origin"


async def test_another_pusher_server_gets_the_signatures_that_it_knows(start: Start, settings: Settings) -> None:
    running = await start(replace(settings, relay_extensions=False))
    _, olgas = await running.online("Olga")
    answer = await olgas.form("/auth", channel_name="private-support-queue", socket_id="1.2")
    assert set(answer.json) == {"auth"}


def _signed(text: str) -> str:
    return "app-key:" + hmac.new(b"app-secret", text.encode(), hashlib.sha256).hexdigest()


async def test_what_is_signed_is_what_the_relay_checks(stage: Stage, running: Running) -> None:
    answer = await stage.anna.caller.post("/auth", channel_name="private-ticket-1", socket_id="12.34")
    assert answer.json == {"auth": _signed("12.34:private-ticket-1")}
    assert running.desk.settings.relay_app_key == "app-key"
