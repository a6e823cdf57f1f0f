"""A support desk at work: messages from their POST to the other side's socket, and what else an operator's day is made of.

Twenty conversations, whose sides write in turn: first at fixed rates, with a clock from when a message is due; then each side
as fast as it is answered, the most that the desk takes. What arrives later than it was answered is the
outbox's lag. Each message must arrive once and in order at the other side.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial, reduce
from itertools import cycle
from operator import add
from typing import Any, Final

from bench.desks import MAX_TICKETS, Desk
from bench.frames import split, subscribe
from bench.loop import READ_BYTES, Loop
from bench.process import Meter, Usage, resident_bytes
from bench.publisher import Publisher
from bench.result import Result
from bench.sizes import Sizes
from bench.talks import Talk
from bench.timed import percentiles
from bench.websocket import ServerMisbehaved, open_clients, subscribe_clients

_SHARES: Final = {"p50_ms": 0.5, "p99_ms": 0.99, "max_ms": 1.0}

# For how long the generator sleeps while there is nothing to read: the relay has the same core. Seconds.
_NAP: Final = 0.001

# What was answered must be at the other side so many seconds later, 99 times of 100, where the desk keeps up.
LAG: Final = 0.1

# Of the fastest that the desk answers: the rates that are tried, one after the other, until it keeps up.
_STEPS: Final = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)

# How long the last messages of a section may take to arrive, in seconds.
_SETTLE: Final = 120.0

# Callers of everything but messages; and messages of a page.
AT_ONCE: Final = 16
_PAGE: Final = 50

_QUEUE: Final = "private-support-queue"

Request = tuple[str, str, Mapping[str, str], Mapping[str, object] | None]


def run(desk: Desk, sizes: Sizes) -> Result:
    """Figures of each section."""
    result, loop = Result(), Loop(_NAP)
    talks = _open_talks(desk, loop, sizes.desk_tickets)
    _at_rate(desk, loop, talks, Result(), "warm_up", sizes.desk_rates[-1], sizes.desk_messages // 4)
    for rate in sizes.desk_rates:
        _at_rate(desk, loop, talks, result, f"desk_{rate}", rate, sizes.desk_messages)
    _as_fast_as_answered(desk, loop, talks, result, sizes)
    for talk in talks:
        result.verdict += talk.verdict()
        result.refused += sum(side.publisher.refused for side in talk.sides)
    result.figures["desk.process_mib"] = (resident_bytes(desk.http.pid) or 0) / 1024**2
    _calls(desk, loop, talks, result, sizes)
    for talk in talks:
        desk.call("POST", "/close_ticket", talk.visitor, {"ticket_id": talk.ticket_id})
        talk.close(loop)
    loop.close()
    return result


def _open_talks(desk: Desk, loop: Loop, count: int) -> list[Talk]:
    """So many conversations, which the operators have already; what is told of that has arrived."""
    (client,) = open_clients(desk.relay, loop, 1)
    subscribe_clients(loop, [client], [subscribe(_QUEUE, desk.relay.channel_auth(client.take_socket_id(), _QUEUE))])
    opened = [desk.call("POST", "/create_ticket", {}, {"name": "Anna", "message": "Hello"})[0] for _ in range(count)]
    heard = bytearray()
    loop.watch(client.sock, lambda: heard.extend(client.sock.recv(READ_BYTES)))
    if not loop.run(lambda: sum(b"ticket:new" in payload for _, payload, _ in split(heard)) >= count, _SETTLE):
        raise ServerMisbehaved("The desk did not tell of all new tickets")
    loop.forget(client.sock)
    client.sock.close()
    operators = {one.id: one for one in desk.operators}
    return [Talk(desk, loop, one, operators[one["ticket"]["operator_id"]]) for one in opened]


def _at_rate(
    desk: Desk, loop: Loop, talks: Sequence[Talk], result: Result, group: str, rate: float, count: int
) -> list[float]:
    """So many messages a second; the lags in seconds, of those that were answered."""
    marks = [[len(side.due) for side in talk.sides] for talk in talks]
    sides = cycle([side for number in (0, 1) for talk in talks for side in [talk.sides[number]]])
    meter = Meter(desk.http, loop)
    start = time.perf_counter() + 0.01
    for number in range(count):
        due = start + number / rate
        loop.wait(due)
        next(sides).say(due)
    loop.run(lambda: all(talk.is_done for talk in talks), _SETTLE)
    usage = meter.stop()
    return _note(talks, marks, result, group, usage)


def _as_fast_as_answered(desk: Desk, loop: Loop, talks: Sequence[Talk], result: Result, sizes: Sizes) -> None:
    """All sides at once; then, where what was answered arrives late, at lower rates until it does not."""
    marks = [[len(side.due) for side in talk.sides] for talk in talks]
    sides = [side for talk in talks for side in talk.sides]
    each = max(1, sizes.desk_flood // len(sides))
    meter = Meter(desk.http, loop)
    now = time.perf_counter()
    for side in sides:
        for _ in range(each):
            side.say(now)
    loop.run(lambda: all(side.is_quiet for side in sides), _SETTLE)
    usage = meter.stop()
    loop.run(lambda: all(talk.is_done for talk in talks), _SETTLE)
    lags = _note(talks, marks, result, "desk_flood", usage)
    rate = each * len(sides) / usage.seconds
    result.figures["desk_flood.per_second"] = most = rate
    for step in _STEPS:
        if _percentile(lags) <= LAG:
            break
        most = rate * step
        lags = _at_rate(desk, loop, talks, Result(), "desk_step", most, round(most * sizes.desk_step_seconds) + 1)
    result.figures["desk_most.per_second"] = most


def _note(
    talks: Sequence[Talk], marks: Sequence[Sequence[int]], result: Result, group: str, usage: Usage
) -> list[float]:
    """Put the figures of a section into `result`; returns the lags."""
    moments = [one for talk, mark in zip(talks, marks, strict=True) for one in talk.since(mark)]
    lags = [max(0.0, arrived - answered) for _, answered, arrived in moments]
    result.figures |= usage.figures(group, len(moments))
    result.figures |= percentiles(group, [arrived - due for due, _, arrived in moments], _SHARES)
    answers = percentiles(group, [answered - due for due, answered, _ in moments], _SHARES)
    result.figures |= {name.replace(".", ".http_"): value for name, value in answers.items()}
    result.figures[f"{group}.lag_ms"] = _percentile(lags) * 1e3
    return lags


def _percentile(lags: Sequence[float]) -> float:
    """The lag that 99 of 100 do not pass."""
    return sorted(lags)[int(len(lags) * 0.99)] if lags else 0.0


def _calls(desk: Desk, loop: Loop, talks: Sequence[Talk], result: Result, sizes: Sizes) -> None:
    """What else there is: open and close conversations, hand them over, read them."""
    crowd = Crowd(desk, loop)
    room = max(1, MAX_TICKETS - len(talks))
    new: Request = ("POST", "/create_ticket", {}, {"name": "Boris", "message": "Hello, where is my order?"})
    for _ in range(max(1, sizes.desk_calls // room)):
        made = crowd.ask("desk_create", [new] * min(room, sizes.desk_calls))
        crowd.ask("desk_close", [_close(one["ticket_id"], _bearer(one["visitor_token"])) for one in made])
    for _ in range(max(1, sizes.desk_calls // len(talks))):
        crowd.ask("desk_transfer", [_hand_over(desk, talk) for talk in talks])
    pages: list[Request] = [
        ("GET", f"/get_messages?limit={_PAGE}&ticket_id={talk.ticket_id}", talk.visitor, None) for talk in talks
    ]
    crowd.ask("desk_history", pages * max(1, sizes.desk_calls // len(pages)))
    crowd.finish(result)


def _close(ticket_id: int, headers: Mapping[str, str]) -> Request:
    return "POST", "/close_ticket", headers, {"ticket_id": ticket_id}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _hand_over(desk: Desk, talk: Talk) -> Request:
    """The conversation goes from the operator who has it to the other one."""
    before = talk.operator
    talk.operator = next(one for one in desk.operators if one is not before)
    fields = {"ticket_id": talk.ticket_id, "operator_id": talk.operator.id, "over_limit": True}
    return "POST", "/transfer_ticket", before.headers, fields


class Crowd:
    """Callers of whom each waits for the answer before the next request."""

    def __init__(self, desk: Desk, loop: Loop, at_once: int = AT_ONCE) -> None:
        self._desk = desk
        self._loop = loop
        self._callers = [Publisher(desk.http, loop, partial(self._go_on, index)) for index in range(at_once)]
        self._requests: Iterator[tuple[int, bytes]] = iter(())
        self._numbers = [0] * at_once
        self._answers: dict[int, bytes] = {}
        self._usages: dict[str, list[Usage]] = {}
        self._counts: Counter[str] = Counter()

    def ask(self, group: str, requests: Sequence[Request]) -> list[dict[str, Any]]:
        """Make these requests, and count them for the group; the answers in the same order. Raises ServerMisbehaved."""
        self._requests = enumerate([self._desk.request(*one) for one in requests])
        self._answers = {}
        meter = Meter(self._desk.http, self._loop)
        for index in range(len(self._callers)):
            self._send(index)
        is_done = self._loop.run(lambda: len(self._answers) == len(requests), _SETTLE)
        self._usages.setdefault(group, []).append(meter.stop())
        self._counts[group] += len(requests)
        if not is_done or self._refused:
            raise ServerMisbehaved(
                f"{len(self._answers)} of {len(requests)} answers, {self._refused} refusals: {group}"
            )
        return [json.loads(self._answers[number].partition(b"\r\n\r\n")[2]) for number in range(len(requests))]

    def finish(self, result: Result) -> None:
        """Put the figures of all groups into `result`, and drop the connections."""
        for group, usages in self._usages.items():
            result.figures |= reduce(add, usages).figures(group, self._counts[group])
        for caller in self._callers:
            caller.close()

    @property
    def _refused(self) -> int:
        return sum(caller.refused for caller in self._callers)

    def _send(self, index: int) -> None:
        following = next(self._requests, None)
        if following is not None:
            self._numbers[index], request = following
            self._callers[index].send(request)

    def _go_on(self, index: int) -> None:
        self._answers[self._numbers[index]] = self._callers[index].last_answer
        self._send(index)
