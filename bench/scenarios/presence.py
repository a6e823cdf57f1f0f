"""Presence storm: 200 members join one channel as fast as the server lets them; again with new channels."""

import json
import re
from collections import Counter
from functools import reduce
from operator import add
from typing import Final

from bench import frames
from bench.checks import Verdict
from bench.loop import READ_BYTES, Loop
from bench.process import Meter, Usage
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import Client, close_clients, open_clients

_COUNT: Final = re.compile(rb'\\"count\\":(\d+)')
_CONFIRMED: Final = "pusher_internal:subscription_succeeded"
_ADDED: Final = "pusher_internal:member_added"

# How long doubles may still come after a storm, in seconds. Not measured.
_SETTLE: Final = 0.05


class Tally:
    """How many members all members know of together."""

    def __init__(self) -> None:
        self.known = 0


class Member:
    """One client of the channel, and what it was told."""

    __slots__ = ("_at", "_client", "_tally")

    def __init__(self, client: Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally
        self._at = 0
        client.inbox = b""

    def read(self) -> None:
        """Count whom this member was told of: the confirmation says how many there are, each other message adds one."""
        client = self._client
        client.inbox += client.sock.recv(READ_BYTES)
        for _, payload, end in frames.split(client.inbox, self._at):
            self._at = end
            count = _COUNT.search(payload)
            self._tally.known += int(count[1]) if count else 1

    def verdict(self, total: int) -> Verdict:
        """Everybody must be known, exactly once."""
        told: Counter[str] = Counter()
        verdict = Verdict(expected=total)
        for _, payload, _ in frames.split(self._client.inbox):
            body = json.loads(payload)
            if body["event"] == _CONFIRMED:
                told.update(json.loads(body["data"])["presence"]["hash"].keys())
            elif body["event"] == _ADDED:
                told[str(json.loads(body["data"])["user_id"])] += 1
            else:
                verdict.strange += 1
        verdict.arrived = told.total()
        verdict.doubled = verdict.arrived - len(told)
        verdict.lost = total - len(told)
        return verdict


def run(target: Target, sizes: Sizes) -> Result:
    """Joins a second and server CPU a join, over all storms but the first."""
    result = Result()
    loop = Loop()
    clients = open_clients(target, loop, sizes.members)
    ids = [client.take_socket_id() for client in clients]
    usages = [
        _storm(target, loop, clients, ids, f"presence-bench-{storm}", result) for storm in range(sizes.storms + 1)
    ]
    whole = reduce(add, usages[1:])
    result.figures |= whole.figures("presence", len(clients) * sizes.storms)
    close_clients(loop, clients)
    return result


def _storm(target: Target, loop: Loop, clients: list[Client], ids: list[str], channel: str, result: Result) -> Usage:
    """Let all join, and wait until everybody has been told of everybody."""
    requests = [_join(target, channel, socket_id, index) for index, socket_id in enumerate(ids)]
    tally = Tally()
    members = [Member(client, tally) for client in clients]
    for client, member in zip(clients, members, strict=True):
        loop.watch(client.sock, member.read)
    meter = Meter(target, loop)
    for client, request in zip(clients, requests, strict=True):
        client.sock.send(request)
    loop.run(lambda: tally.known >= len(clients) ** 2, 20.0)
    usage = meter.stop()
    loop.rest(_SETTLE)
    for member in members:
        result.verdict += member.verdict(len(clients))
    return usage


def _join(target: Target, channel: str, socket_id: str, index: int) -> bytes:
    data = json.dumps({"user_id": f"user-{index}", "user_info": {"name": f"Member number {index}", "role": "bench"}})
    return frames.subscribe(channel, target.channel_auth(socket_id, channel, data), data)
