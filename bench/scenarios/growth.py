"""A desk with years behind it: 100,000 conversations and 2,000,000 messages. What people wait for must not grow with them.

One call at a time, so that it is the database that is measured.
"""

import time
from collections.abc import Callable
from typing import Final
from uuid import uuid4

from bench.desks import Desk, Operator
from bench.filling import LONG, fill
from bench.loop import Loop
from bench.publisher import Publisher
from bench.result import Result
from bench.scenarios.desk import Request
from bench.sizes import Sizes
from bench.talks import PATH
from bench.timed import percentiles

_SHARES: Final = {"p50_ms": 0.5, "max_ms": 1.0}
_PAGE: Final = 50

# How long one call may take, in seconds.
_PATIENCE: Final = 60.0


def run(desk: Desk, sizes: Sizes) -> Result:
    """The median and the longest of each kind of call, in milliseconds."""
    operator = desk.operators[0]
    filled = fill(desk.database_url, operator.id, sizes.growth_tickets, sizes.growth_messages)
    result = Result({"growth.tickets": float(filled.tickets), "growth.messages": float(filled.messages)})
    loop = Loop()
    publisher = Publisher(desk.http, loop, lambda: None)
    for name, call in _calls(operator, filled.long_ticket, filled.long_ticket + filled.tickets // 2).items():
        seconds = []
        for _ in range(sizes.growth_calls):
            request = desk.request(*call())
            start = time.perf_counter()
            publisher.send(request)
            loop.run(lambda: not publisher.is_waiting, _PATIENCE)
            seconds.append(time.perf_counter() - start)
        result.figures |= percentiles(f"growth_{name}", seconds, _SHARES)
    result.refused += publisher.refused
    publisher.close()
    loop.close()
    return result


def _calls(operator: Operator, ticket_id: int, middle: int) -> dict[str, Callable[[], Request]]:
    """What people wait for; each call is made anew, as a repeated message would be found and not stored."""
    history = f"/get_messages?limit={_PAGE}&ticket_id={ticket_id}"
    said = {"ticket_id": ticket_id, "content": "Hello"}
    return {
        "mine": lambda: ("GET", "/operator/tickets", operator.headers, None),
        "queue": lambda: ("GET", "/operator/queue", operator.headers, None),
        "all": lambda: ("GET", "/operator/chats?view=all", operator.headers, None),
        "closed": lambda: ("GET", "/operator/chats?view=closed", operator.headers, None),
        "deep": lambda: ("GET", f"/operator/chats?view=closed&before={middle}", operator.headers, None),
        "chat": lambda: ("GET", f"/operator/chats/{ticket_id}", operator.headers, None),
        "history": lambda: ("GET", history, operator.headers, None),
        "end": lambda: ("GET", f"{history}&after={LONG - _PAGE}", operator.headers, None),
        "message": lambda: ("POST", PATH, operator.headers, {**said, "client_id": str(uuid4())}),
        "create": lambda: ("POST", "/create_ticket", {}, {"name": "Anna", "message": "Hello"}),
    }
