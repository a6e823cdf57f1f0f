"""Notes among operators: who writes and reads them, and that visitors never do."""

import pytest

from support_api.errors import InvalidField, LoginNeeded, NotYours, UnknownTicket
from support_api.models.messages import Draft
from support_api.models.notes import NoteKind
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.services import Services
from tests.support_api.helpers import acting

NEW = NewTicket("a" * 32, "Anna", None, "Hello")
OLGA, PETR = 1, 2
ANNA, BY_OLGA, BY_PETR = Identity("a" * 32), acting(OLGA), acting(PETR)


@pytest.fixture
async def staffed(services: Services) -> Services:
    """Olga has ticket 1; Petr is there and offline."""
    for name in ("Olga", "Petr"):
        await services.operators.add(name, f"{name}@example.com", "hash", 2)
    await services.operators.heartbeat(OLGA, OperatorStatus.ONLINE, None)
    await services.tickets.create(NEW)
    await told(services)
    return services


async def told(services: Services) -> list[tuple[str, str]]:
    """Name and channel of what was announced since the last call."""
    pending = await services.outbox.pending(1000)
    await services.outbox.forget([one.id for one in pending])
    return [(one.event.name, one.event.channel) for one in pending]


async def test_a_note_stands_behind_the_newest_message_and_goes_to_the_operator_alone(staffed: Services) -> None:
    await staffed.tickets.add_message(1, Draft("And one more thing"), ANNA)
    await told(staffed)
    note = await staffed.notes.write(1, "A regular", BY_OLGA)
    assert (note.content, note.after_seq, note.kind, note.operator_id) == ("A regular", 2, NoteKind.NOTE, OLGA)
    assert await told(staffed) == [("note:new", "private-operator-1")]
    assert await staffed.notes.of_ticket(1, BY_OLGA) == [note]
    history = await staffed.tickets.history(1, 0, 100, ANNA)
    assert (history.ticket.last_seq, [one.content for one in history.messages]) == (2, ["Hello", "And one more thing"])


async def test_a_repeat_stores_and_tells_nothing_more(staffed: Services) -> None:
    first = await staffed.notes.write(1, "A regular", BY_OLGA, "c1")
    await told(staffed)
    assert await staffed.notes.write(1, "A regular", BY_OLGA, "c1") == first
    assert await told(staffed) == []
    assert await staffed.notes.of_ticket(1, BY_OLGA) == [first]
    await staffed.transfers.transfer(1, PETR, BY_OLGA)
    with pytest.raises(InvalidField, match="client_id"):
        await staffed.notes.write(1, "Mine", BY_PETR, "c1")


async def test_any_operator_notes_on_what_is_closed_and_nobody_is_told_who_does_not_serve(staffed: Services) -> None:
    await staffed.transfers.put_back(1, BY_OLGA)
    await told(staffed)
    await staffed.notes.write(1, "Seen before", BY_PETR)
    assert await told(staffed) == []
    await staffed.transfers.take(1, BY_OLGA)
    await staffed.tickets.close(1, BY_OLGA)
    await staffed.notes.write(1, "Look again", BY_PETR)
    assert [one.content for one in await staffed.notes.of_ticket(1, BY_PETR)] == ["Seen before", "Look again"]


@pytest.mark.parametrize(
    ("who", "refusal"),
    [
        (ANNA, LoginNeeded),
        (Identity(), LoginNeeded),
        (BY_PETR, NotYours),
        (Identity("a" * 32, BY_PETR.operator), NotYours),
    ],
    ids=["visitor", "nobody", "another operator", "another who is the visitor"],
)
async def test_who_does_not_serve_the_ticket_neither_writes_nor_reads_a_note(
    staffed: Services, who: Identity, refusal: type[Exception]
) -> None:
    await staffed.notes.write(1, "A regular", BY_OLGA)
    await told(staffed)
    with pytest.raises(refusal):
        await staffed.notes.write(1, "Mine", who)
    with pytest.raises(refusal):
        await staffed.notes.of_ticket(1, who)
    assert await told(staffed) == []
    assert len(await staffed.notes.of_ticket(1, BY_OLGA)) == 1


async def test_an_unknown_ticket_has_no_notes(staffed: Services) -> None:
    with pytest.raises(UnknownTicket):
        await staffed.notes.write(4711, "A regular", BY_OLGA)
