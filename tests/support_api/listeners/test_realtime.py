"""What browsers are told, and how it is stored for delivery."""

import pytest
from msgspec.structs import replace

from support_api.listeners import realtime
from support_api.models.happenings import (
    AccessEnded,
    AccountDisabled,
    Happening,
    MessageWritten,
    NoteWritten,
    SessionEnded,
    TicketAssigned,
    TicketClosed,
    TicketHandedOver,
    TicketOpened,
    TicketRested,
    TicketReturned,
)
from support_api.models.messages import Message, SenderType
from support_api.models.notes import Note, NoteKind
from support_api.models.outbox import TOPIC
from support_api.models.tickets import TicketStatus, TicketSummary
from support_api.services import Services
from tests.support_api.helpers import START
from tests.support_api.rules.test_access import OLGA, ticket


def test_only_a_ticket_with_an_operator_can_be_assigned() -> None:
    assert realtime.ticket_assigned(ticket(OLGA), "hello").channel == "private-operator-1"
    with pytest.raises(ValueError, match="no operator"):
        realtime.ticket_assigned(ticket(None), "hello")


def test_an_open_ticket_has_nobody_who_closed_it() -> None:
    assert realtime.ticket_closed(ticket()).payload == {"ticket_id": 7, "closed_by": None, "closed_at": None}
    closed = replace(ticket(), status=TicketStatus.CLOSED, closed_by=SenderType.VISITOR, closed_at=START)
    assert realtime.ticket_closed(closed).payload["closed_by"] == "visitor"


@pytest.mark.parametrize("sender", [SenderType.VISITOR, SenderType.OPERATOR])
def test_typing_is_named_after_who_types(sender: SenderType) -> None:
    event = realtime.typing(7, sender, "1.2")
    assert (event.name, event.channel) == (f"{sender.value}:typing", "private-ticket-7")
    assert (event.payload, event.exclude_socket) == ({"ticket_id": 7}, "1.2")


SUMMARY, WAITING = TicketSummary(ticket(OLGA), "hello"), TicketSummary(ticket(None), "hello")
NOTE = Note(1, 7, 2, "Petr", "They know", 1, NoteKind.TRANSFER, START)
MESSAGE = Message(3, 7, 2, SenderType.OPERATOR, "1", "Olga", "Hi", None, START)


@pytest.mark.parametrize(
    ("happening", "expected"),
    [
        (TicketOpened(WAITING, MESSAGE), ["ticket:new private-support-queue"]),
        (TicketOpened(SUMMARY, MESSAGE), ["ticket:assigned private-operator-1", "ticket:new private-support-queue"]),
        (MessageWritten(MESSAGE, "1.2"), ["message:new private-ticket-7"]),
        (
            TicketAssigned(SUMMARY),
            [
                "ticket:assigned private-operator-1",
                "ticket:updated private-support-queue",
                "ticket:updated private-ticket-7",
                "ticket:operator private-ticket-7",
            ],
        ),
        (TicketReturned(ticket(None)), ["ticket:updated private-support-queue", "ticket:updated private-ticket-7"]),
        (TicketHandedOver(ticket(OLGA), ticket(None)), ["ticket:transferred private-operator-1"]),
        (TicketRested(ticket(OLGA)), ["ticket:updated private-support-queue"]),
        (NoteWritten(NOTE, 1), ["note:new private-operator-1"]),
        (NoteWritten(NOTE, None), []),
        (TicketClosed(ticket(OLGA)), ["ticket:closed private-ticket-7", "ticket:updated private-support-queue"]),
        (AccessEnded(1, 7), ["unsubscribe private-ticket-7"]),
        (SessionEnded(1), ["unsubscribe "]),
        (AccountDisabled(1), ["unsubscribe ", "terminate "]),
    ],
    ids=lambda one: type(one).__name__ if not isinstance(one, list) else "",
)
def test_each_happening_is_told_to_whom_it_concerns(happening: Happening, expected: list[str]) -> None:
    assert [f"{event.name} {event.channel}" for event in realtime.events_of(happening)] == expected


async def test_what_happened_is_stored_in_its_order_and_wakes_who_delivers(services: Services) -> None:
    happened: list[Happening] = [SessionEnded(1), TicketClosed(ticket(OLGA)), MessageWritten(MESSAGE, "1.2")]
    await services.database.writing(lambda tx: realtime.listen(tx, happened))
    stored = [one.event for one in await services.outbox.pending(10)]
    assert stored == [event for one in happened for event in realtime.events_of(one)]
    assert services.database.news(TOPIC).is_set()


async def test_where_nothing_happened_nobody_is_woken(services: Services) -> None:
    await services.database.writing(lambda tx: realtime.listen(tx, []))
    assert await services.outbox.pending(10) == []
    assert not services.database.news(TOPIC).is_set()
