"""The call that writes a note, and all that a visitor can read afterwards."""

import pytest

from tests.support_api.conftest import Running
from tests.support_api.helpers import RecordingRelay, open_ticket

SECRET = "Do not give them a discount"


async def test_a_note_is_in_nothing_that_a_visitor_can_read(running: Running, relay: RecordingRelay) -> None:
    _, olga = await running.online("Olga")
    visitor = await open_ticket(running.nobody)
    ticket_id = visitor.ticket_id
    written = await olga.post("/operator/notes", ticket_id=ticket_id, content=f" {SECRET} ", client_id="c1")
    assert (written.status, written.json["note"]["content"], written.json["note"]["kind"]) == (200, SECRET, "note")
    assert (await olga.get("/operator/notes", ticket_id=ticket_id)).json["notes"] == [written.json["note"]]
    await relay.wait_for(lambda: any(one.name == "note:new" for one in relay.heard))
    assert [one.channel for one in relay.heard if SECRET in str(one.data)] == ["private-operator-1"]
    caller = visitor.caller
    answers = [
        await caller.get("/get_messages", ticket_id=ticket_id),
        await caller.get("/get_messages", ticket_id=ticket_id, before=99),
        await caller.post("/create_ticket", message="Hello", client_id="c1"),
        await caller.post("/send_support_message", ticket_id=ticket_id, content="Hello?", client_id="c1"),
        await caller.get("/operator/notes", ticket_id=ticket_id),
        await caller.post("/operator/notes", ticket_id=ticket_id, content="Hello?", client_id="c1"),
        await caller.get(f"/operator/chats/{ticket_id}"),
        await caller.get("/operator/search", q="discount"),
        await caller.form("/auth", channel_name="private-operator-1", socket_id="1.2"),
        await caller.post("/close_ticket", ticket_id=ticket_id),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 401, 401, 401, 401, 403, 200]
    assert not any(SECRET in answer.text for answer in answers)


@pytest.mark.parametrize("content", [None, "", "  ", "x" * 4001, 5])
async def test_a_note_is_as_long_as_a_message(running: Running, content: object) -> None:
    _, olga = await running.online("Olga")
    visitor = await open_ticket(running.nobody)
    answer = await olga.post("/operator/notes", ticket_id=visitor.ticket_id, content=content)
    assert (answer.status, answer.json["error"]["field"]) == (422, "content")
