"""A node is killed (SIGKILL) under 200 members of a presence channel: when are those on the other nodes told?"""

import json
import os
import signal
import time
from collections import Counter
from typing import Final

from msgspec.structs import replace

from bench import frames
from bench.checks import Verdict
from bench.loop import READ_BYTES, Loop
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import DEADLINE, Client, ServerMisbehaved, close_clients, open_clients

_CHANNEL: Final = "presence-bench-ghosts"
_CONFIRMED: Final = "pusher_internal:subscription_succeeded"
_REMOVED: Final = "pusher_internal:member_removed"

# Members at the other nodes, who are to be told.
_WITNESSES: Final = 5

# How long the members settle before the kill, and doubles may still come at the end, in seconds.
_QUIET: Final = 0.5


class Member:
    """Notes that it is in, and when it was told of each member who left."""

    def __init__(self, client: Client, loop: Loop) -> None:
        self._sock = client.sock
        self._loop = loop
        self._data = b""
        self.is_in = False
        self.times: list[float] = []
        self.left: Counter[str] = Counter()
        loop.watch(client.sock, self.read)

    def read(self) -> None:
        """Take what has arrived; nobody reads from a node that was killed."""
        now = time.perf_counter()
        try:
            data = self._sock.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            self._loop.forget(self._sock)
            return
        self._data += data
        end = 0
        for _, payload, after in frames.split(self._data):
            self._take(json.loads(payload), now)
            end = after
        self._data = self._data[end:]

    def _take(self, message: dict[str, str], now: float) -> None:
        if message["event"] == _CONFIRMED:
            self.is_in = True
        elif message["event"] == _REMOVED:
            self.left[json.loads(message["data"])["user_id"]] += 1
            self.times.append(now)


def run(target: Target, sizes: Sizes) -> Result:
    """Seconds from the kill until a witness heard of the first ghost, and until all had heard of all."""
    doomed = target.nodes[-1]
    if not target.others or doomed.pid is None:
        raise ValueError("needs two nodes that were started for it")
    loop = Loop()
    crowd, _ = _join(doomed, loop, sizes.ghosts, "ghost")
    clients, witnesses = _join(target.nodes[0], loop, _WITNESSES, "witness")
    loop.rest(_QUIET)
    killed = time.perf_counter()
    os.kill(doomed.pid, signal.SIGKILL)
    loop.run(lambda: all(len(witness.left) >= sizes.ghosts for witness in witnesses), sizes.ghosts_deadline)
    loop.rest(_QUIET)
    result = _result(witnesses, sizes.ghosts, killed)
    close_clients(loop, [*crowd, *clients])
    return result


def _join(node: Target, loop: Loop, count: int, name: str) -> tuple[list[Client], list[Member]]:
    """So many members at this one node. Raises ServerMisbehaved."""
    clients = open_clients(replace(node, others=()), loop, count)
    ids = [client.take_socket_id() for client in clients]
    members = [Member(client, loop) for client in clients]
    for index, (client, socket_id) in enumerate(zip(clients, ids, strict=True)):
        data = json.dumps({"user_id": f"{name}-{index}"})
        client.sock.send(frames.subscribe(_CHANNEL, node.channel_auth(socket_id, _CHANNEL, data), data))
    if not loop.run(lambda: all(member.is_in for member in members), DEADLINE):
        raise ServerMisbehaved(f"The server let in {sum(member.is_in for member in members)} of {count} members")
    return clients, members


def _result(witnesses: list[Member], ghosts: int, killed: float) -> Result:
    times = [moment - killed for witness in witnesses for moment in witness.times]
    verdict = Verdict(expected=ghosts * len(witnesses), arrived=len(times))
    for witness in witnesses:
        verdict.lost += ghosts - len(witness.left)
        verdict.doubled += witness.left.total() - len(witness.left)
    figures = {
        "ghosts.first_s": min(times, default=None),
        "ghosts.last_s": max(times) if not verdict.lost else None,
        "ghosts.untold": float(verdict.lost),
    }
    return Result(figures, verdict)
