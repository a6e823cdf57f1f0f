"""The call of the search."""

import pytest

from tests.support_api.conftest import Running
from tests.support_api.helpers import open_ticket


async def test_what_was_found_leads_to_its_place_and_shows_what_was_looked_for(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody, message="<b>Где</b> заказ?", email="anna@example.com")
    found = (await olga.get("/operator/search", q="заказ")).json
    (hit,) = found["messages"]
    assert (hit["ticket_id"], hit["seq"], hit["status"]) == (anna.ticket_id, 1, "active")
    assert hit["parts"] == [
        {"text": "<b>Где</b> ", "is_hit": False},
        {"text": "заказ", "is_hit": True},
        {"text": "?", "is_hit": False},
    ]
    assert found["has_more"] is False
    (ticket,) = (await olga.get("/operator/search", q="anna@example.com")).json["tickets"]
    assert (ticket["ticket_id"], ticket["visitor_email"]) == (anna.ticket_id, "anna@example.com")
    assert (await olga.get("/operator/search", q="заказ", before=hit["id"])).json["messages"] == []


@pytest.mark.parametrize("query", [None, "", "  ", "?!…", "x" * 201, "x" * 7000])
async def test_what_cannot_be_looked_for_is_refused_with_the_reason(running: Running, query: str | None) -> None:
    _, olga = await running.online("Olga")
    answer = await olga.get("/operator/search", **({} if query is None else {"q": query}))
    assert (answer.status, answer.json["error"]["field"]) == (422, "q")


async def test_the_search_is_for_operators_and_does_not_show_them_a_colleagues_chat(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    gone = await running.add_operator("Gone")
    gones = await running.log_in(gone)
    await running.desk.services.operators.disable(gone.email)
    for caller in (running.nobody, anna.caller, gones, olga.with_headers({"Origin": "https://shop.example"})):
        answer = await caller.get("/operator/search", q="hello")
        assert (answer.status, answer.code) == (401, "login_needed")
    _, petr = await running.online("Petr")
    assert (await petr.get("/operator/search", q="hello")).json == {"tickets": [], "messages": [], "has_more": False}
    assert len((await olga.get("/operator/search", q="hello")).json["messages"]) == 1
