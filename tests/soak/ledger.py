"""What was sent to whom, and whether it arrived: each event of a sender in a channel once, in order, and to nobody else.

Must not know sockets: an Ear is given the messages of one client.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

# An event's data says who sent it and the how manieth of this sender in this channel it is, from 0.
_STAMPED: Final = re.compile(rb'"channel":"([^"]+)","data":"([a-z0-9]+)-([0-9]+)-')
_MOST_PROBLEMS: Final = 20

# Sender and channel.
Line = tuple[str, str]


def stamp(sender: str, number: int, size: int) -> str:
    return f"{sender}-{number}-".ljust(size, "x")


@dataclass
class Ledger:
    """What all clients share: how many events of each line were sent and answered, and what went wrong."""

    sent: Counter[Line] = field(default_factory=Counter)
    answered: Counter[Line] = field(default_factory=Counter)
    deliveries: int = 0
    problems: list[str] = field(default_factory=list)

    def next_stamp(self, sender: str, channel: str, size: int = 100) -> str:
        """The data of the next event, which is to be sent now."""
        data = stamp(sender, self.sent[sender, channel], size)
        self.sent[sender, channel] += 1
        return data

    def complain(self, text: str) -> None:
        """Note a problem; the first ones say enough."""
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(text)


class Ear:
    """What one client hears. `name` is the sender of its own events, which must not come back to it."""

    __slots__ = ("_floors", "_last", "_leaving", "_ledger", "channels", "members", "name", "pongs", "whole")

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        self.name = name
        # The channels that it is in; and those that it hears from the first event to the last.
        self.channels: set[str] = set()
        self.whole: set[str] = set()
        self.members: dict[str, set[str]] = {}
        self.pongs = 0
        self._last: dict[Line, int] = {}
        self._floors: dict[str, int] = {}
        # Channels that it has left, by the pong after which nothing may come of them any more.
        self._leaving: dict[str, int] = {}

    def joins(self, channel: str, cached_from: str | None = None) -> None:
        """It asks to join; `cached_from` is the one sender of a cache channel, whose last event must come first."""
        self.channels.add(channel)
        self._leaving.pop(channel, None)
        if cached_from is not None:
            self._floors[channel] = self._ledger.answered[cached_from, channel] - 1

    def leaves(self, channel: str, pongs: int) -> None:
        """It asks to leave; the next events of the channel may come until it has heard so many pongs."""
        self.channels.discard(channel)
        self._leaving[channel] = pongs

    def hear(self, payload: bytes) -> str | None:
        """Check one message; returns the name of an event that is not of another client or back end."""
        found = _STAMPED.search(payload)
        if found is not None:
            self._check(found[1].decode(), found[2].decode(), int(found[3]))
            return None
        message = json.loads(payload)
        name, channel = message["event"], message.get("channel")
        match name:
            case "pusher_internal:subscription_succeeded":
                self._forget(channel)
                data = json.loads(message["data"])
                if "presence" in data:
                    self.members[channel] = set(data["presence"]["ids"])
            case "pusher_internal:member_added":
                self._member(channel, json.loads(message["data"])["user_id"], is_added=True)
            case "pusher_internal:member_removed":
                self._member(channel, json.loads(message["data"])["user_id"], is_added=False)
            case "pusher:cache_miss" if self._floors.get(channel, -1) >= 0:
                self._complain(f"misses the last event of {channel}")
            case "pusher:pong":
                self.pongs += 1
                self._leaving = {name: pong for name, pong in self._leaving.items() if pong > self.pongs}
            case "pusher:ping" | "pusher:cache_miss" | "pusher:signin_success" | "pusher:connection_established":
                pass
            case _:
                self._complain(f"was told {payload[:300]!r}")
        return str(name)

    def missing(self) -> int:
        """How many events have not come that should have come since the beginning."""
        lines = [line for line in self._ledger.sent if line[1] in self.whole and line[0] != self.name]
        return sum(self._ledger.sent[line] - 1 - self._last.get(line, -1) for line in lines)

    def _check(self, channel: str, sender: str, number: int) -> None:
        ledger = self._ledger
        ledger.deliveries += 1
        line = sender, channel
        before = self._last.get(line, -1 if channel in self.whole else None)
        self._last[line] = number
        if before is None:
            if not self._floors.get(channel, 0) <= number < ledger.sent[line]:
                self._complain(f"got {sender}'s event {number} of {channel} as the last one")
        elif number != before + 1:
            self._complain(f"got {sender}'s event {number} of {channel} after {before}")
        if sender == self.name:
            self._complain(f"got its own event of {channel}")
        if channel not in self.channels and channel not in self._leaving:
            self._complain(f"got an event of {channel}, where it is not")

    def _forget(self, channel: str) -> None:
        """It is in the channel anew: what came before says nothing about what comes next."""
        if channel not in self.whole:
            self._last = {line: number for line, number in self._last.items() if line[1] != channel}

    def _member(self, channel: str, user: str, *, is_added: bool) -> None:
        members = self.members.setdefault(channel, set())
        if (user in members) is is_added:
            self._complain(f"was told twice that {user} {'came' if is_added else 'went'} in {channel}")
        (members.add if is_added else members.discard)(user)

    def _complain(self, text: str) -> None:
        self._ledger.complain(f"{self.name} {text}")
