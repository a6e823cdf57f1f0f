"""The calls by which operators look up what was asked."""

import pytest

from tests.support_api.conftest import Running
from tests.support_api.helpers import Caller, open_ticket

PATHS = ("/operator/chats", "/operator/chats/1")


async def test_a_closed_ticket_is_listed_opened_and_read_by_any_operator_who_cannot_write_in_it(
    running: Running,
) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody, email="anna@example.com")
    assert (await olga.post("/close_ticket", ticket_id=anna.ticket_id)).status == 200
    _, petr = await running.online("Petr")
    page = (await petr.get("/operator/chats", view="closed")).json
    (listed,) = page["tickets"]
    assert (listed["ticket_id"], listed["message"], listed["visitor_email"]) == (1, "Hello", "anna@example.com")
    assert page["has_more"] is False
    chat = (await petr.get("/operator/chats/1")).json
    assert (chat["ticket"]["status"], chat["others"]) == ("closed", {"tickets": [], "has_more": False})
    history = await petr.get("/get_messages", ticket_id=1)
    assert [one["content"] for one in history.json["messages"]] == ["Hello"]
    assert (await petr.post("/send_support_message", ticket_id=1, content="hi")).code == "not_yours"
    assert (await petr.post("/close_ticket", ticket_id=1)).code == "not_yours"
    assert (await petr.form("/auth", channel_name="private-ticket-1", socket_id="1.2")).code == "not_yours"


async def test_a_list_goes_on_where_the_page_before_ended(running: Running) -> None:
    _, olga = await running.online("Olga")
    numbers = [(await open_ticket(running.nobody)).ticket_id for _ in range(3)]
    first = (await olga.get("/operator/chats", view="mine", limit=2)).json
    assert ([one["ticket_id"] for one in first["tickets"]], first["has_more"]) == (numbers[:0:-1], True)
    rest = (await olga.get("/operator/chats", view="mine", limit=2, before=numbers[1])).json
    assert ([one["ticket_id"] for one in rest["tickets"]], rest["has_more"]) == (numbers[:1], False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("view", "theirs"),
        ("operator", "0"),
        ("group", "x"),
        ("from", "yesterday"),
        ("from", "2026-01-02T03:04:05"),
        ("to", "0001-01-01T00:00:00+23:00"),
        ("before", "-1"),
        ("limit", "51"),
    ],
)
async def test_what_is_no_filter_is_refused_by_its_name(running: Running, field: str, value: str) -> None:
    _, olga = await running.online("Olga")
    answer = await olga.get("/operator/chats", **{field: value})
    assert (answer.status, answer.json["error"]["field"]) == (422, field)


@pytest.mark.parametrize("path", PATHS)
async def test_lists_are_for_operators_who_are_logged_in(running: Running, path: str) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    for caller in (running.nobody, anna.caller, await disabled(running)):
        answer = await caller.get(path)
        assert (answer.status, answer.code) == (401, "login_needed")
    # An operator's session counts for nothing on the pages of others.
    assert (await olga.with_headers({"Origin": "https://shop.example"}).get(path)).code == "login_needed"
    _, petr = await running.online("Petr")
    assert (await petr.get("/operator/chats/1")).code == "not_yours"
    assert (await petr.get("/operator/chats/4711")).code == "unknown_ticket"
    assert (await petr.get("/operator/chats/x")).status == 422
    assert (await petr.get("/operator/chats", view="all")).json["tickets"] == []


async def disabled(running: Running) -> Caller:
    gone = await running.add_operator("Gone")
    caller = await running.log_in(gone)
    await running.desk.services.operators.disable(gone.email)
    return caller
