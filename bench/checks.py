"""Every delivery is checked for loss, doubles, order and content, at the price of one comparison of bytes a read.

An event carries its publisher and a number: "0003-00000042-xxxx…". All subscribers of a channel must get the same bytes, so
the first one to get something appends it to a shared log, and each other one is compared with that log. The log itself,
and the bytes of whoever differed from it, are read frame by frame after the clock has stopped.
"""

import re
import socket
from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from bench import frames
from bench.loop import BUFFER, READ_BYTES, VIEW

_STAMP: Final = re.compile(rb"(\d{4})-(\d{8})-x*")
_HEAD: Final = len("0000-00000000-")

# Bytes of an event's data, in all scenarios that say nothing else.
PAYLOAD_BYTES: Final = 200


def stamp(publisher: int, number: int, size: int = PAYLOAD_BYTES) -> str:
    """The data of a publisher's event `number`, counted from 0: always `size` characters."""
    return f"{publisher:04}-{number:08}-".ljust(size, "x")


class Verdict(Struct):
    """What became of the deliveries that should have been made."""

    expected: int = 0
    arrived: int = 0
    lost: int = 0
    doubled: int = 0
    misordered: int = 0
    strange: int = 0
    """Frames that are no event of ours, and events whose data was changed."""

    def __iadd__(self, other: "Verdict") -> "Verdict":
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def is_clean(self) -> bool:
        """Whether each delivery arrived once, in order, unchanged, and nothing else did."""
        return self.expected == self.arrived and not (self.lost or self.doubled or self.misordered or self.strange)


def verify(stream: bytes | bytearray, sent: dict[int, int], size: int = PAYLOAD_BYTES) -> Verdict:
    """Check what one subscriber got; `sent` is publisher → how many events it published."""
    verdict = Verdict(expected=sum(sent.values()))
    seen: Counter[tuple[int, int]] = Counter()
    last: dict[int, int] = {}
    end = 0
    for opcode, payload, at in frames.split(stream):
        end = at
        if opcode != frames.TEXT:
            continue
        found = _STAMP.search(payload)
        publisher, number = (int(found[1]), int(found[2])) if found else (-1, 0)
        if found is None or len(found[0]) != size or number >= sent.get(publisher, 0):
            verdict.strange += 1
            continue
        verdict.misordered += number < last.get(publisher, -1)
        last[publisher] = number
        seen[publisher, number] += 1
    verdict.strange += end != len(stream)
    verdict.arrived = seen.total()
    verdict.doubled = verdict.arrived - len(seen)
    verdict.lost = verdict.expected - len(seen)
    return verdict


class Log(Struct):
    """What the subscribers of one channel got: the bytes that they have in common, and how many they got together."""

    common: bytearray = field(default_factory=bytearray)
    received: int = 0
    frame_bytes: int = 0
    """The size of one delivery, known after the first; all are of one size."""

    def learn(self) -> None:
        """Take the size of a delivery from the first one. To be called when it has arrived."""
        self.frame_bytes = next(end for opcode, _, end in frames.split(self.common) if opcode == frames.TEXT)

    @property
    def deliveries(self) -> float:
        """How many deliveries have arrived, of all subscribers."""
        return self.received / self.frame_bytes if self.frame_bytes else 0.0


class Subscriber:
    """One reader of a channel. Its `read` is the hot loop of the generator."""

    __slots__ = ("_at", "_log", "_own", "_receive", "is_open")

    def __init__(self, sock: socket.socket, log: Log) -> None:
        self._receive = sock.recv_into
        self._log = log
        self._at = 0
        self._own: bytearray | None = None
        self.is_open = True

    def read(self) -> None:
        """Take what has arrived."""
        try:
            size = self._receive(BUFFER, READ_BYTES, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionResetError):
            size = 0
        if not size:
            self.is_open = False
            return
        log = self._log
        if self._own is not None or not log.common.startswith(VIEW[:size], self._at):
            self._extend(size)
        self._at += size
        log.received += size

    def verify(self, sent: dict[int, int], common: Verdict, size: int = PAYLOAD_BYTES) -> Verdict:
        """What this reader got; `common` is the verdict on the log, which holds for whoever got all of it."""
        if self._own is None and self._at == len(self._log.common):
            return common
        return verify(self._log.common[: self._at] if self._own is None else self._own, sent, size)

    def _extend(self, size: int) -> None:
        common = self._log.common
        data = bytes(VIEW[:size])
        known = len(common) - self._at
        if self._own is None and known <= size and common.endswith(data[:known], self._at):
            common += data[known:]
            return
        if self._own is None:
            self._own = common[: self._at]
        self._own += data


def verify_all(subscribers: Iterable[Subscriber], log: Log, sent: dict[int, int], size: int = PAYLOAD_BYTES) -> Verdict:
    """The sum over all subscribers of a channel."""
    common = verify(log.common, sent, size)
    total = Verdict()
    for subscriber in subscribers:
        total += subscriber.verify(sent, common, size)
    return total
