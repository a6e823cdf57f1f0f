"""Conversations at a desk: in each a visitor and an operator, who write in turn and hear each other on their own sockets."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from bench import frames
from bench.checks import Verdict, stamp
from bench.desks import Desk, Operator
from bench.loop import READ_BYTES, Loop
from bench.publisher import Publisher
from bench.websocket import Client, open_clients, subscribe_clients

PATH: Final = "/send_support_message"

# What a message's content begins with: the sender, who is always 0 as each side hears one other, and its number.
_STAMP: Final = re.compile(rb"0000-(\d{8})-")


class Ear:
    """One side's socket: notes when which message arrived there."""

    def __init__(self, client: Client) -> None:
        self._sock = client.sock
        self._rest = b""
        self.arrived: list[float] = []
        self.verdict = Verdict()
        self._last = -1

    def read(self) -> None:
        """Take what has arrived."""
        self._rest += self._sock.recv(READ_BYTES)
        now, at = time.perf_counter(), 0
        for _, payload, end in frames.split(self._rest):
            at = end
            found = _STAMP.search(payload)
            if found is not None:  # else it is what the desk itself has to say
                self._hear(int(found[1]), payload, now)
        self._rest = self._rest[at:]

    def _hear(self, number: int, payload: bytes, now: float) -> None:
        """Messages of one sender must come in their order, once each, unchanged."""
        verdict = self.verdict
        verdict.arrived += 1
        verdict.strange += stamp(0, number).encode() not in payload
        verdict.doubled += number <= self._last
        verdict.misordered += number > self._last + 1
        self._last = max(self._last, number)
        self.arrived.append(now)


class Talker:
    """One side of a conversation. It sends one message at a time; what is due meanwhile waits for the answer."""

    def __init__(self, desk: Desk, loop: Loop, ticket_id: int, headers: Mapping[str, str], client: Client) -> None:
        self.publisher = Publisher(desk.http, loop, self._on_answer)
        self.due: list[float] = []
        self.answered: list[float] = []
        self.socket_id = client.take_socket_id()
        self.ear = Ear(client)
        self._client = client
        self._loop = loop
        self._desk = desk
        self._headers = headers
        self._ticket_id = ticket_id
        self._ready = 0
        self._sent = 0

    def listen(self) -> None:
        """From now on what arrives is noted."""
        self._loop.watch(self._client.sock, self.ear.read)

    def say(self, due: float) -> None:
        """A message is due: send it now, or when the one before is answered."""
        self.due.append(due)
        self._ready += 1
        if not self.publisher.is_waiting:
            self._send_next()

    @property
    def is_quiet(self) -> bool:
        """Whether all that was due is answered."""
        return len(self.answered) == len(self.due)

    def _send_next(self) -> None:
        if not self._ready:
            return
        self._ready -= 1
        content = {"content": stamp(0, self._sent), "ticket_id": self._ticket_id}
        self._sent += 1
        ids = {"socket_id": self.socket_id, "client_id": str(uuid4())}
        self.publisher.send(self._desk.request("POST", PATH, self._headers, {**content, **ids}))

    def _on_answer(self) -> None:
        self.answered.append(time.perf_counter())
        self._send_next()


class Talk:
    """One conversation and its two sides."""

    def __init__(self, desk: Desk, loop: Loop, opened: Mapping[str, str | int], operator: Operator) -> None:
        self.ticket_id = int(opened["ticket_id"])
        self.operator = operator
        self.visitor = {"Authorization": f"Bearer {opened['visitor_token']}"}
        self._clients = open_clients(desk.relay, loop, 2)
        headers = (self.visitor, operator.headers)
        self.sides = [
            Talker(desk, loop, self.ticket_id, one, client) for one, client in zip(headers, self._clients, strict=True)
        ]
        channel = f"private-ticket-{self.ticket_id}"
        requests = [frames.subscribe(channel, desk.relay.channel_auth(one.socket_id, channel)) for one in self.sides]
        subscribe_clients(loop, self._clients, requests)
        for one in self.sides:
            one.listen()

    @property
    def is_done(self) -> bool:
        """Whether all is answered, and has arrived at the other side."""
        return all(
            one.is_quiet and len(other.ear.arrived) >= len(one.due) for one, other in (self.sides, reversed(self.sides))
        )

    def since(self, marks: Sequence[int]) -> list[tuple[float, float, float]]:
        """(due, answered, arrived at the other side) of each message, but for the first so many of either side."""
        return [
            moments
            for one, other, mark in zip(self.sides, reversed(self.sides), marks, strict=True)
            for moments in zip(one.due[mark:], one.answered[mark:], other.ear.arrived[mark:], strict=False)
        ]

    def verdict(self) -> Verdict:
        """What became of all messages."""
        total = Verdict()
        for one, other in (self.sides, self.sides[::-1]):
            heard = other.ear.verdict
            heard.expected = len(one.due)
            heard.lost = heard.expected - heard.arrived + heard.doubled
            total += heard
        return total

    def close(self, loop: Loop) -> None:
        """Drop its connections."""
        for one, client in zip(self.sides, self._clients, strict=True):
            one.publisher.close()
            loop.forget(client.sock)
            client.sock.close()
