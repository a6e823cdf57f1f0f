"""The calls about a conversation, over HTTP."""

import uuid
from typing import Any

import aiohttp
import orjson
import pytest

from support_api.config import Settings
from support_api.services.sessions import Sessions
from tests.support_api.conftest import Running, Start
from tests.support_api.helpers import Caller, RecordingRelay, open_ticket

PATHS = ["/create_ticket", "/create_ticket.php"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_ticket_is_made_by_form_json_and_multipart(nobody: Caller, path: str) -> None:
    multipart = aiohttp.FormData(default_to_multipart=True)
    multipart.add_field("name", "Анна")
    multipart.add_field("message", "Привет")
    for answer in (
        await nobody.form(path, name="Анна", message=" Привет "),
        await nobody.post(path, name="Анна", message="Привет"),
        await nobody.send("POST", path, data=multipart),
    ):
        assert answer.status == 200, answer.text
        made = answer.json
        assert isinstance(made["ticket_id"], int)
        assert made["status"] == "waiting"
        assert made["ticket"]["visitor_name"] == "Анна"
        assert made["message"]["content"] == "Привет"
        assert made["message"]["sender_id"] == made["visitor_id"]
        assert made["message"]["created_at"].endswith("Z")
        assert "visitor_email" not in made["ticket"]


async def test_a_new_visitor_gets_a_cookie_that_scripts_cannot_read(nobody: Caller) -> None:
    answer = await nobody.form("/create_ticket", message="Hello")
    cookie = answer.cookies["visitor_id"]
    assert cookie.value == answer.json["visitor_token"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"] == str(365 * 86400)
    assert answer.json["visitor_id"] != cookie.value


async def test_the_cookie_makes_the_next_ticket_the_same_visitors(nobody: Caller) -> None:
    first = await nobody.form("/create_ticket", message="Hello")
    again = nobody.with_headers({"Cookie": f"visitor_id={first.json['visitor_token']}"})
    second = await again.form("/create_ticket", message="Hello")
    assert second.json["visitor_id"] == first.json["visitor_id"]
    assert second.json["ticket_id"] != first.json["ticket_id"]


async def test_the_header_wins_over_the_cookie(nobody: Caller) -> None:
    anna, boris = await open_ticket(nobody), await open_ticket(nobody)
    both = anna.caller.with_headers({"Cookie": f"visitor_id={boris.token}"})
    assert (await both.get("/get_messages", ticket_id=anna.ticket_id)).status == 200
    assert (await both.get("/get_messages", ticket_id=boris.ticket_id)).status == 403


@pytest.mark.parametrize("fields", [{}, {"name": ""}, {"name": "  "}, {"name": None}])
async def test_a_visitor_without_a_name_is_a_guest(nobody: Caller, fields: dict[str, Any]) -> None:
    answer = await nobody.post("/create_ticket", message="Hello", **fields)
    assert answer.json["ticket"]["visitor_name"] == "Гость"


async def test_a_repeated_create_answers_with_the_same_ticket(nobody: Caller) -> None:
    anna = await open_ticket(nobody, client_id="c1")
    first = await anna.caller.post("/create_ticket", message="Hello", client_id="c2")
    again = await anna.caller.post("/create_ticket", message="Hello", client_id="c2")
    assert (again.status, again.json["ticket"]) == (200, first.json["ticket"])
    assert first.json["ticket_id"] != anna.ticket_id


async def test_a_create_whose_first_answer_was_lost_finds_its_ticket_without_a_token(nobody: Caller) -> None:
    unguessable = str(uuid.uuid4())
    first = await nobody.post("/create_ticket", message="Hello", client_id=unguessable)
    again = await nobody.post("/create_ticket", message="Hello", client_id=unguessable)
    assert again.json["ticket"] == first.json["ticket"]
    assert again.json["visitor_id"] == first.json["visitor_id"]


async def test_a_short_client_id_opens_nobody_elses_ticket(nobody: Caller) -> None:
    first = await nobody.post("/create_ticket", message="Hello", client_id="1")
    again = await nobody.post("/create_ticket", message="Hello", client_id="1")
    assert again.json["ticket_id"] != first.json["ticket_id"]


async def test_the_client_id_of_a_create_is_told_to_nobody(nobody: Caller) -> None:
    answer = await nobody.post("/create_ticket", message="Hello", client_id=str(uuid.uuid4()))
    assert answer.json["message"]["client_id"] is None


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": " \n "}, "message"),
        ({"message": "x" * 4001}, "message"),
        ({"message": "😀" * 2300}, "message"),
        ({"message": '"' * 4000 + "жж" * 1}, "message"),
        ({"message": "a\0b"}, "message"),
        ({"message": 5}, "message"),
        ({"message": ["x"]}, "message"),
        ({"message": "x", "name": "n" * 101}, "name"),
        ({"message": "x", "name": {}}, "name"),
        ({"message": "x", "email": "no"}, "email"),
        ({"message": "x", "email": "a@" + "b" * 254}, "email"),
        ({"message": "x", "email": 5}, "email"),
        ({"message": "x", "client_id": "c" * 65}, "client_id"),
        ({"message": "x", "client_id": 5}, "client_id"),
    ],
)
async def test_a_bad_field_is_named(nobody: Caller, fields: dict[str, Any], wrong: str) -> None:
    answer = await nobody.post("/create_ticket", **fields)
    assert answer.status == 422
    assert answer.json["error"]["field"] == wrong
    assert answer.code == "invalid_field"
    assert answer.json["error"]["message"]


async def test_the_longest_texts_are_taken(nobody: Caller) -> None:
    answer = await nobody.post("/create_ticket", message="ж" * 4000, name="n" * 100, email="a@b")
    assert answer.status == 200
    assert answer.json["message"]["content"] == "ж" * 4000


async def test_the_largest_event_fits_into_what_a_relay_takes(nobody: Caller, relay: RecordingRelay) -> None:
    await nobody.post("/create_ticket", message="😀" * 2249, name="\U0001f600" * 100)
    (event,) = await relay.events(1)
    assert len(orjson.dumps(event.data)) <= 10_240


async def test_the_text_of_people_is_kept_as_it_is(nobody: Caller) -> None:
    text = "<script>alert('1')</script> & \"quoted\" \\ жук 😀\nline"
    anna = await open_ticket(nobody, message=text)
    history = await anna.caller.get("/get_messages", ticket_id=anna.ticket_id)
    assert history.json["messages"][0]["content"] == text
    assert history.headers["Content-Type"].startswith("application/json")


async def test_events_of_a_conversation_come_in_order(running: Running, relay: RecordingRelay) -> None:
    operator, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content="from anna", socket_id="1.2")
    await olga.post("/send_support_message", ticket_id=anna.ticket_id, content="from olga", socket_id="undefined")
    await olga.post("/close_ticket", ticket_id=anna.ticket_id)
    heard = await relay.events(6)
    channel = f"private-ticket-{anna.ticket_id}"
    assert [(one.name, one.channel, one.socket_id) for one in heard] == [
        ("ticket:assigned", f"private-operator-{operator.id}", None),
        ("ticket:new", "private-support-queue", None),
        ("message:new", channel, "1.2"),
        ("message:new", channel, None),
        ("ticket:closed", channel, None),
        ("ticket:updated", "private-support-queue", None),
    ]
    assert heard[0].data["ticket_id"] == anna.ticket_id
    first, second = heard[2].data["message"], heard[3].data["message"]
    assert (first["sender_type"], first["sender_name"], first["seq"]) == ("visitor", "Anna", 2)
    assert (second["sender_type"], second["sender_id"], second["sender_name"]) == ("operator", str(operator.id), "Olga")
    assert heard[4].data["closed_by"] == "operator"


async def test_the_answer_to_a_message_is_what_the_event_says(nobody: Caller, relay: RecordingRelay) -> None:
    anna = await open_ticket(nobody)
    answer = await anna.caller.form(
        "/send_support_message.php", ticket_id=str(anna.ticket_id), content=" hi ", client_id="c"
    )
    assert answer.status == 200
    assert answer.json["message"]["content"] == "hi"
    assert answer.json["message"]["client_id"] == "c"
    heard = await relay.events(2)
    assert heard[1].data == answer.json


async def test_a_repeated_message_is_stored_and_told_once(nobody: Caller, relay: RecordingRelay) -> None:
    anna = await open_ticket(nobody)
    fields = {"ticket_id": anna.ticket_id, "content": "hi", "client_id": "c"}
    first = await anna.caller.post("/send_support_message", **fields)
    second = await anna.caller.post("/send_support_message", **fields)
    assert (second.status, second.json) == (200, first.json)
    await anna.caller.post("/close_ticket", ticket_id=anna.ticket_id)
    heard = await relay.events(4)
    assert [one.name for one in heard].count("message:new") == 1


async def test_messages_are_stored_and_answered_while_the_relay_is_away(nobody: Caller, relay: RecordingRelay) -> None:
    relay.status = 503
    anna = await open_ticket(nobody)
    for number in range(3):
        sent = await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content=f"m{number}")
        assert sent.status == 200
    assert relay.heard == []
    relay.status = 200
    heard = await relay.events(4)
    assert [one.data["message"]["content"] for one in heard[1:]] == ["m0", "m1", "m2"]


async def test_history_is_read_from_a_seq_on(nobody: Caller) -> None:
    anna = await open_ticket(nobody)
    for number in range(3):
        await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content=f"m{number}")
    for path in ("/get_messages", "/get_messages.php"):
        part = await anna.caller.get(path, ticket_id=anna.ticket_id, after=1, limit=2)
        assert [one["seq"] for one in part.json["messages"]] == [2, 3]
        assert part.json["has_more"] is True
        assert part.json["ticket"]["last_seq"] == 4
    rest = await anna.caller.get("/get_messages", ticket_id=anna.ticket_id, after=3)
    assert ([one["seq"] for one in rest.json["messages"]], rest.json["has_more"]) == ([4], False)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ({}, "ticket_id"),
        ({"ticket_id": "x"}, "ticket_id"),
        ({"ticket_id": "0"}, "ticket_id"),
        ({"ticket_id": "99999999999999999999"}, "ticket_id"),
        ({"ticket_id": "1", "after": "-1"}, "after"),
        ({"ticket_id": "1", "limit": "501"}, "limit"),
        ({"ticket_id": "1", "limit": "0"}, "limit"),
    ],
)
async def test_a_bad_query_is_named(nobody: Caller, query: dict[str, str], wrong: str) -> None:
    anna = await open_ticket(nobody)
    answer = await anna.caller.get("/get_messages", **query)
    assert (answer.status, answer.json["error"]["field"]) == (422, wrong)


async def test_the_email_is_for_the_operator_who_serves_the_visitor(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody, email="anna@example.com")
    query = {"ticket_id": anna.ticket_id}
    assert (await olga.get("/get_messages", **query)).json["ticket"]["visitor_email"] == "anna@example.com"
    assert "visitor_email" not in (await anna.caller.get("/get_messages", **query)).json["ticket"]
    assert "visitor_email" not in (await anna.caller.post("/close_ticket", **query)).json["ticket"]


@pytest.mark.parametrize("path", ["/typing", "/typing.php"])
async def test_typing_is_told_in_the_callers_own_role(running: Running, relay: RecordingRelay, path: str) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    await relay.events(2)
    body = {"ticket_id": str(anna.ticket_id), "sender_type": "operator", "socket_id": "1.2"}
    answer = await anna.caller.form(path, **body)
    assert (answer.status, answer.json) == (200, {})
    await relay.events(3)
    await olga.form(path, ticket_id=str(anna.ticket_id), sender_type="visitor")
    heard = await relay.events(4)
    assert [(one.name, one.data, one.socket_id) for one in heard[2:]] == [
        ("visitor:typing", {"ticket_id": anna.ticket_id}, "1.2"),
        ("operator:typing", {"ticket_id": anna.ticket_id}, None),
    ]


async def test_typing_goes_out_once_a_second_at_most(nobody: Caller, relay: RecordingRelay) -> None:
    anna = await open_ticket(nobody)
    for _ in range(5):
        assert (await anna.caller.post("/typing", ticket_id=anna.ticket_id)).status == 200
    await anna.caller.post("/close_ticket", ticket_id=anna.ticket_id)
    await relay.wait_for(lambda: "ticket:closed" in [one.name for one in relay.heard])
    assert [one.name for one in relay.heard].count("visitor:typing") <= 1


async def test_a_closed_ticket_takes_nothing_more_but_is_still_read(nobody: Caller) -> None:
    anna = await open_ticket(nobody)
    closed = await anna.caller.post("/close_ticket.php", ticket_id=anna.ticket_id)
    assert (closed.json["ticket"]["status"], closed.json["ticket"]["closed_by"]) == ("closed", "visitor")
    sent = await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content="x")
    assert (sent.status, sent.code) == (409, "ticket_closed")
    assert (await anna.caller.post("/typing", ticket_id=anna.ticket_id)).status == 409
    again = await anna.caller.post("/close_ticket", ticket_id=anna.ticket_id)
    assert (again.status, again.json) == (200, closed.json)
    assert (await anna.caller.get("/get_messages", ticket_id=anna.ticket_id)).status == 200
    signed = await anna.caller.post("/auth", channel_name=f"private-ticket-{anna.ticket_id}", socket_id="1.2")
    assert (signed.status, signed.code) == (409, "ticket_closed")


async def test_a_closed_ticket_stays_forbidden_to_strangers(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna, boris = await open_ticket(running.nobody), await open_ticket(running.nobody)
    fields = {"channel_name": f"private-ticket-{anna.ticket_id}", "socket_id": "1.2"}
    assert (await olga.post("/close_ticket", ticket_id=anna.ticket_id)).status == 200
    assert (await boris.caller.post("/auth", **fields)).status == 403
    assert (await olga.post("/auth", **fields)).status == 409


async def test_too_many_tickets_from_one_address_wait(start: Start, settings: Settings) -> None:
    from dataclasses import replace

    running = await start(replace(settings, tickets_per_minute=2))
    await open_ticket(running.nobody)
    await open_ticket(running.nobody)
    answer = await running.nobody.post("/create_ticket", message="x")
    assert (answer.status, answer.code) == (429, "too_many")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "conversations" in answer.json["error"]["message"]


async def test_a_message_is_one_transaction_whoever_sends_it(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    monkeypatch.setattr(Sessions, "operator_of", lambda *_: pytest.fail("a transaction of its own"))
    for caller in (anna.caller, olga):
        answer = await caller.post("/send_support_message", ticket_id=anna.ticket_id, content="x")
        assert answer.status == 200


async def test_too_many_messages_of_one_sender_wait_and_others_do_not(start: Start, settings: Settings) -> None:
    from dataclasses import replace

    running = await start(replace(settings, messages_per_minute=2))
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    fields = {"ticket_id": anna.ticket_id, "content": "x"}
    statuses = [(await anna.caller.post("/send_support_message", **fields)).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert (await olga.post("/send_support_message", **fields)).status == 200
    statuses = [(await running.nobody.post("/send_support_message", **fields)).status for _ in range(3)]
    assert statuses == [403, 403, 429]


async def test_to_end_and_reopen_a_conversation_again_and_again_counts_as_to_write_into_it(
    start: Start, settings: Settings
) -> None:
    """Each time the system says something in it, and all operators are told."""
    from dataclasses import replace

    running = await start(replace(settings, messages_per_minute=2))
    anna = await open_ticket(running.nobody)
    statuses = []
    for _ in range(3):
        await anna.caller.post("/close_ticket", ticket_id=anna.ticket_id)
        statuses.append((await anna.caller.post("/reopen_ticket", ticket_id=anna.ticket_id)).status)
    assert statuses == [200, 200, 429]
    assert (await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content="x")).status == 429


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u202eadmin\u200b", "admin"),
        ("Anna\x1b[2J\nMaria", "Anna[2J Maria"),
        ("علی\u200cرضا", "علی\u200cرضا"),
        ("\u200b", "Гость"),
        ("\u202e \u3164", "Гость"),
    ],
)
async def test_a_name_shows_what_it_is(running: Running, name: str, shown: str) -> None:
    _, olga = await running.online("Olga")
    answer = await running.nobody.post("/create_ticket", message="Hello", name=name)
    assert answer.json["ticket"]["visitor_name"] == shown
    assert answer.json["message"]["sender_name"] == shown
    listed = await olga.get("/operator/tickets")
    assert [one["visitor_name"] for one in listed.json["tickets"]] == [shown]


@pytest.mark.parametrize("text", ["\u200b", "\u2060 \ufeff", "\u202e", "\u3164", "\x07"])
async def test_a_message_of_which_nothing_can_be_seen_is_refused(running: Running, text: str) -> None:
    answer = await running.nobody.post("/create_ticket", message=text)
    assert (answer.status, answer.json["error"]["field"]) == (422, "message")
    anna = await open_ticket(running.nobody)
    answer = await anna.caller.post("/send_support_message", ticket_id=anna.ticket_id, content=text)
    assert (answer.status, answer.json["error"]["field"]) == (422, "content")


async def test_a_message_keeps_every_character_of_it(running: Running) -> None:
    text = "\u200b\u202eabc\u202c 👨\u200d👩\u200d👧 علی\u200cرضا"
    answer = await running.nobody.post("/create_ticket", message=text)
    assert answer.json["message"]["content"] == text


async def test_an_email_of_which_something_cannot_be_seen_is_none(running: Running) -> None:
    answer = await running.nobody.post("/create_ticket", message="x", email="a\u200b@b")
    assert (answer.status, answer.json["error"]["field"]) == (422, "email")
