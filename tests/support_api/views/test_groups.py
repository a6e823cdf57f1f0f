"""The calls about groups, notes and rest, and who gets no answer to them."""

import pytest

from tests.support_api.conftest import Running
from tests.support_api.helpers import Caller, Visitor, open_ticket


@pytest.fixture
async def team(running: Running) -> tuple[Running, Caller, Caller, Visitor]:
    """Olga serves a visitor; Petr is of repairs (1)."""
    _, olga = await running.online("Olga", max_tickets=1)
    visitor = await open_ticket(running.nobody)
    petr, petrs = await running.online("Petr")
    await running.desk.services.groups.add("Repairs")
    await running.desk.services.groups.join("Repairs", petr.email)
    return running, olga, petrs, visitor


async def test_a_ticket_is_opened_for_a_group_and_says_so(team: tuple[Running, Caller, Caller, Visitor]) -> None:
    running, olga, _, _ = team
    made = (await running.nobody.post("/create_ticket", message="Hello", group="1")).json
    assert (made["ticket"]["group_id"], made["ticket"]["operator_name"]) == (1, "Petr")
    assert (await olga.get("/operator/groups")).json == {"groups": [{"group_id": 1, "name": "Repairs", "members": [2]}]}
    refused = await running.nobody.post("/create_ticket", message="Hello", group="sales")
    assert (refused.status, refused.json["error"]["field"]) == (422, "group")


async def test_a_ticket_goes_to_a_group_with_a_note_for_the_next_operator_alone(
    team: tuple[Running, Caller, Caller, Visitor],
) -> None:
    running, olga, petrs, visitor = team
    ticket_id = visitor.ticket_id
    moved = await olga.post("/transfer_ticket", ticket_id=ticket_id, group_id=1, note=" Broken hinge ")
    assert (moved.json["ticket"]["operator_name"], moved.json["ticket"]["group_name"]) == ("Petr", "Repairs")
    (note,) = (await petrs.get("/operator/notes", ticket_id=ticket_id)).json["notes"]
    assert (note["content"], note["operator_name"], note["kind"]) == ("Broken hinge", "Olga", "transfer")
    assert "hinge" not in (await visitor.caller.get("/get_messages", ticket_id=ticket_id)).text
    both = running.nobody.with_headers(olga.headers | visitor.caller.headers)
    for caller, code in ((olga, "not_yours"), (both, "not_yours"), (visitor.caller, "login_needed")):
        answer = await caller.get("/operator/notes", ticket_id=ticket_id)
        assert answer.code == code
        assert "hinge" not in answer.text


@pytest.mark.parametrize(("field", "value"), [("group_id", 99), ("group_id", "x"), ("note", "x" * 4001), ("note", 5)])
async def test_a_group_or_note_of_another_kind_is_refused(
    team: tuple[Running, Caller, Caller, Visitor], field: str, value: object
) -> None:
    _, olga, _, visitor = team
    answer = await olga.post("/transfer_ticket", ticket_id=visitor.ticket_id, **{field: value})
    assert (answer.status, answer.json["error"]["field"]) == (422, field)


async def test_one_transfer_goes_to_a_colleague_or_to_a_group(team: tuple[Running, Caller, Caller, Visitor]) -> None:
    _, olga, _, visitor = team
    answer = await olga.post("/transfer_ticket", ticket_id=visitor.ticket_id, operator_id=2, group_id=1)
    assert (answer.status, answer.json["error"]["field"]) == (422, "group_id")


async def test_groups_and_notes_are_for_operators(team: tuple[Running, Caller, Caller, Visitor]) -> None:
    running, _, _, visitor = team
    for caller in (running.nobody, visitor.caller):
        for path in ("/operator/groups", f"/operator/notes?ticket_id={visitor.ticket_id}"):
            assert (await caller.send("GET", path)).code == "login_needed"


async def test_a_ticket_rests_until_a_moment_that_its_operator_names(
    team: tuple[Running, Caller, Caller, Visitor],
) -> None:
    running, olga, petrs, visitor = team
    until = "2030-01-02T03:04:05+01:00"
    rested = await olga.post("/operator/snooze", ticket_id=visitor.ticket_id, until=until)
    assert rested.json["ticket"]["snoozed_until"] == "2030-01-02T02:04:05.000Z"
    for caller, code in ((petrs, "not_yours"), (visitor.caller, "login_needed"), (running.nobody, "login_needed")):
        assert (await caller.post("/operator/snooze", ticket_id=visitor.ticket_id, until=until)).code == code
    bad = await olga.post("/operator/snooze", ticket_id=visitor.ticket_id, until="tomorrow")
    assert (bad.status, bad.json["error"]["field"]) == (422, "until")
    assert (await olga.post("/operator/snooze", ticket_id=visitor.ticket_id)).json["ticket"]["snoozed_until"] is None
