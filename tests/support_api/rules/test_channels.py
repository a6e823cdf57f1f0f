"""The names of the desk's channels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support_api.errors import Forbidden
from support_api.rules.channels import (
    OperatorChannel,
    QueueChannel,
    TicketChannel,
    operator_channel,
    parse_channel,
    ticket_channel,
)


def test_a_name_that_was_built_is_read_as_what_it_was_built_from() -> None:
    assert parse_channel(ticket_channel(12)) == TicketChannel(12)
    assert parse_channel(operator_channel(3)) == OperatorChannel(3)


def test_channels_of_the_desk_are_understood() -> None:
    assert parse_channel("private-ticket-12") == TicketChannel(12)
    assert parse_channel("private-operator-3") == OperatorChannel(3)
    assert parse_channel("private-support-queue") == QueueChannel()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ticket-1",
        "private-ticket-",
        "private-ticket-0",
        "private-ticket-01",
        "private-ticket-1 ",
        "private-ticket-1\n",
        "private-ticket--1",
        "private-ticket-1x",
        "private-ticket-١",
        "private-ticket-9999999999999999999",
        "private-ticket-99999999999999999999",
        "private-operator-01",
        "private-support-queue2",
        "presence-ticket-1",
        "private-encrypted-ticket-1",
        "PRIVATE-TICKET-1",
    ],
)
def test_any_other_channel_is_refused(name: str) -> None:
    with pytest.raises(Forbidden):
        parse_channel(name)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_a_channel_name_is_either_refused_or_the_one_spelling_of_a_channel(name: str) -> None:
    try:
        channel = parse_channel(name)
    except Forbidden:
        return
    match channel:
        case TicketChannel(number):
            assert name == f"private-ticket-{number}"
        case OperatorChannel(number):
            assert name == f"private-operator-{number}"
        case QueueChannel():
            assert name == "private-support-queue"
