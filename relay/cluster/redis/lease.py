"""What a node knows of its lease in one partition, and of the partition's data: under which name it is known, since when, and
whether the data are those of before.

Must not know links. Redis ends a lease that is not renewed (Times); whoever lost theirs comes back as a new node and
reports all that they hold (docs/decisions/0022).
"""

import secrets
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

_LETTERS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
EPOCH_LENGTH: Final = 8


class Greeting(Struct, frozen=True):
    """What followed from an answer to `hello` or `beat`: the newest entry of the log, whether the data are others than those
    known before, and whether the time in which the cluster is rebuilt has just ended."""

    top: bytes
    is_new_epoch: bool
    is_rebuilt: bool


class Lease:
    """The lease of this node. `now` is in seconds, monotonic. `shape` is what all nodes have to agree on, in the partition
    that holds it."""

    __slots__ = (
        "_is_known",
        "_run_id",
        "_shape",
        "epoch",
        "is_rebuilding",
        "may_lack",
        "must_assert",
        "node",
        "nodes",
        "renewed_at",
    )

    def __init__(self, shape: str = "") -> None:
        self._shape = shape
        self.node = ""
        self._is_known = False
        self._run_id = ""
        self.epoch = ""
        self.nodes = 0
        self.is_rebuilding = False
        # Whether Redis has to be told anew all that this node holds.
        self.must_assert = False
        # Whether the log may lack entries that others saw: so until it was read.
        self.may_lack = False
        self.renewed_at = float("-inf")

    def begin(self, run_id: str, *, has_all: bool = False) -> None:
        """There is a link to a Redis of this `run_id`. Another one than before may have less than was written to that, unless
        it `has_all`: replicas follow with a delay, and files are written with one."""
        if self._run_id not in {"", run_id} and not has_all:
            self.must_assert = self.may_lack = True
        self._run_id = run_id

    def lose(self) -> None:
        """The node was taken for dead: what it had is being taken back."""
        self._is_known = False
        self.must_assert = True

    def next_call(self) -> tuple[str, Sequence[str]]:
        """The script to call now, and its arguments."""
        if self._is_known:
            return "beat", (self.node,)
        self.node = secrets.token_hex(6)
        epoch = "".join(secrets.choice(_LETTERS) for _ in range(EPOCH_LENGTH))
        return "hello", (self.node, epoch, self.epoch, self._shape)

    def take(self, answer: Sequence[Any], now: float) -> Greeting:
        """An answer to `hello` or `beat`."""
        epoch, top, rest_of_rebuild, self.nodes = answer
        before, self.epoch = self.epoch, epoch.decode()
        was_rebuilding, self.is_rebuilding = self.is_rebuilding, rest_of_rebuild > 0
        is_new_epoch = before not in {"", self.epoch}
        self._is_known = True
        self.must_assert = self.must_assert or is_new_epoch
        self.renewed_at = now
        return Greeting(top, is_new_epoch, was_rebuilding and not self.is_rebuilding)
