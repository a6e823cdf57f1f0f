"""The events' shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support_api.listeners import realtime
from support_api.models.messages import SenderType
from support_api.models.tickets import TicketStatus
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
