"""Looks at the Redis of a relay as its nodes will use it: which it is, how far away, what this user may not do.

Must not know what to do about it. Writes one key of its own in each primary, for a second.
"""

import time
from statistics import median
from typing import Any, Final

from hiredis import ReplyError
from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.cluster.keys import Keys, slot_of
from relay.cluster.redis.link import Link, LinkFailed
from relay.cluster.redis.scripts import BASE
from relay.cluster.redis.topology import NotFound, Primary, Topology, parse_url

# Answers that are timed.
ROUND_TRIPS: Final = 20

# What the relay's scripts do to keys and topics, tried on one of each.
_TRIAL: Final = f"""#!lua
{BASE}
call('XADD', base .. 'doctor', '*', 'm', '')
call('PEXPIRE', base .. 'doctor', 1000)
call(ARGV[1], base .. 'doctor', '')
return call('TIME')
"""


class Inspection(Struct, frozen=True):
    """One primary. `policy` is its maxmemory-policy, "" where that may not be asked; `round_trip` in seconds, of half of the
    answers at most; `clock`: so many seconds is its clock ahead of this machine's; `shape`: format and number of partitions
    of the nodes that use it, "" where none has yet; `refusal`: what it said when it was used as the nodes will."""

    place: str
    version: str
    policy: str
    round_trip: float
    clock: float
    shape: str
    refusal: str


async def inspect(url: str, prefix: str, partitions: int) -> list[Inspection]:
    """All primaries that the URL leads to. Raises ConnectionError with a text for the operator."""
    place = parse_url(url)
    topology, keys = Topology(place), Keys(prefix, partitions)
    try:
        return [
            await _inspect(primary, topology, keys, is_sharded=place.kind == "cluster")
            for primary in await topology.find()
        ]
    except (NotFound, LinkFailed) as error:
        raise ConnectionError(str(error)) from error


async def _inspect(primary: Primary, topology: Topology, keys: Keys, *, is_sharded: bool) -> Inspection:
    """Raises LinkFailed."""
    link = Link(primary.endpoint, topology.access)
    greeting = await link.connect()
    try:
        round_trip = await _round_trip(link)
        policy = await link.ask("CONFIG", "GET", "maxmemory-policy")
        tags = [tag for tag in keys.tags if primary.has(slot_of(tag))]
        answer = await _try(link, keys, tags, is_sharded=is_sharded)
        control = keys.control_partition
        shape = await link.ask("GET", keys.key(control, "shape")) if keys.tags[control] in tags else None
    finally:
        link.abort("seen")
    return Inspection(
        str(primary.endpoint),
        f"{greeting.server} {greeting.version}",
        policy.get(b"maxmemory-policy", b"").decode() if isinstance(policy, dict) else "",
        round_trip,
        _time_of(answer) - time.time() if isinstance(answer, list) else 0.0,
        shape.decode() if isinstance(shape, bytes) else "",
        "" if isinstance(answer, list) else _text_of(answer),
    )


async def _try(link: Link, keys: Keys, tags: list[str], *, is_sharded: bool) -> Any:
    """Its time, when it did what the scripts do."""
    verb = "SPUBLISH" if is_sharded else "PUBLISH"
    if not tags:  # more primaries than partitions: nothing is asked of this one
        return await link.ask("TIME")
    return await link.ask("EVAL", _TRIAL, 1, f"{keys.prefix}:{{{tags[0]}}}:", verb)


async def _round_trip(link: Link) -> float:
    seconds = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        await link.ask("ECHO", "")
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def _time_of(answer: list[Any]) -> float:
    seconds, microseconds = answer
    return int(seconds) + int(microseconds) / 1_000_000


def _text_of(answer: Any) -> str:
    if isinstance(answer, Unavailable):
        return answer.reason
    return str(answer) if isinstance(answer, ReplyError) else "an answer that was not expected"
