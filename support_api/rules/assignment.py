"""Who gets the next ticket. Pure: operators and the time come in, a choice with its reason goes out."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from support_api.models.assignment import Candidate, Choice, Kind
from support_api.models.operators import OperatorStatus, Presence

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class LeastLoaded(Struct, frozen=True):
    """The operator with the fewest active tickets; among equals the one who has waited longest for a new one.

    `timeout`: an operator whose last heartbeat is older than this is not online, whatever their status says.
    """

    timeout: timedelta

    def __call__(self, operators: Sequence[Candidate], now: datetime) -> Choice:
        """Chooses among `operators`. `operator_id` is None when nobody is online or everybody is at the limit."""
        online = [one for one in operators if is_online(one, self.timeout, now)]
        if not online:
            return Choice(None, "nobody is online")
        free = [one for one in online if one.active_tickets < one.max_tickets]
        if not free:
            return Choice(None, "everybody is at the limit")
        chosen = min(free, key=_turn)
        return Choice(chosen.operator_id, f"has {chosen.active_tickets} of {chosen.max_tickets}")


def suits(operator: Candidate, ticket: Kind) -> bool:
    """Whether a waiting ticket may become this operator's by itself: it is for everybody, or for a group of theirs, and they
    are not who gave it back. By hand anybody may take it."""
    is_for_them = ticket.group_id is None or ticket.group_id in operator.groups
    return is_for_them and operator.operator_id != ticket.returned_by


def is_online(operator: Candidate | Presence, timeout: timedelta, now: datetime) -> bool:
    """Whether somebody takes tickets now: they say so, and the last heartbeat is not older than `timeout`."""
    return operator.status is OperatorStatus.ONLINE and now - operator.last_seen <= timeout


def _turn(operator: Candidate) -> tuple[int, datetime, int]:
    return operator.active_tickets, operator.last_assigned_at or _NEVER, operator.operator_id
