"""The Lua scripts: read from the package, each with what stands before it.

Must not know what they mean. A script is one file of scripts/, which says on top what it gets, touches and answers. All have
one key, the beginning of the partition's names, and build the rest from it. `-- with: emit node` puts _emit.lua and _node.lua
before the script.
"""

from collections.abc import Mapping
from hashlib import sha1
from importlib.resources import files
from typing import Final

from msgspec import Struct

from relay.cluster.counts import INTERVAL, SMALL_CHANNEL, SMALL_INTERVAL
from relay.protocol.webhooks import GRACE

_WITH: Final = "-- with: "
# What every script begins with: its one key, and a shorter name for calls.
BASE: Final = "local base, call = KEYS[1], redis.call"


class Times(Struct, frozen=True):
    """What the cluster waits for, in seconds; tests take less. The same on all nodes."""

    lease: float = 6.0
    """A node that did not beat for so long is dead."""
    beat: float = 2.0
    """A node renews its lease so often."""
    outage: float = 3.0
    """If no node at all beat for so long, Redis was away: nobody is taken for dead for a lease."""
    rebuilding: float = 6.0
    """So long the nodes tell an emptied Redis what they hold."""


class Script(Struct, frozen=True):
    """A script: its name, its text, and what Redis calls it once it is loaded."""

    name: str
    text: bytes
    sha: bytes


# Events of one cause and app that wait in a partition for the back ends.
HOOK_ROOM: Final = 10_000


def load(log_entries: int, times: Times, *, is_sharded: bool) -> Mapping[str, Script]:
    """All scripts by name. `log_entries` are kept in the log of a partition; `is_sharded`: for a Redis Cluster."""
    folder = files(__package__) / "scripts"
    texts = {
        file.name.removesuffix(".lua"): file.read_text() for file in folder.iterdir() if file.name.endswith(".lua")
    }
    values = {
        "@LOG@": str(log_entries),
        "@PUBLISH@": "SPUBLISH" if is_sharded else "PUBLISH",
        "@ROOM@": str(HOOK_ROOM),
        "@GRACE@": _ms(GRACE),
        "@SMALL_CHANNEL@": str(SMALL_CHANNEL),
        "@SMALL_INTERVAL@": _ms(SMALL_INTERVAL),
        "@INTERVAL@": _ms(INTERVAL),
        "@LEASE@": _ms(times.lease),
        "@OUTAGE@": _ms(times.outage),
        "@REBUILDING@": _ms(times.rebuilding),
    }
    return {name: _assemble(name, texts, values) for name in texts if not name.startswith("_")}


def _ms(seconds: float) -> str:
    return str(round(seconds * 1_000))


def _assemble(name: str, texts: Mapping[str, str], values: Mapping[str, str]) -> Script:
    """The first line names Lua and the script's flags: with it Redis refuses a script as a whole, never in the middle."""
    first, *lines = texts[name].splitlines()
    parts = [part for line in lines if line.startswith(_WITH) for part in line.removeprefix(_WITH).split()]
    text = "\n".join([first, BASE, *(texts[f"_{part}"] for part in parts), *lines])
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    encoded = text.encode()
    return Script(name, encoded, sha1(encoded, usedforsecurity=False).hexdigest().encode())
