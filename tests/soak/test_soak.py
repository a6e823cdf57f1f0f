"""A real relay under a mixed load for minutes: nothing is lost, doubled or out of order, and nothing grows.

SOAK_SECONDS says for how long; SOAK_SEED repeats who did what (not when: that is the machine's).
"""

import os
import re
import secrets
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import linear_regression, median
from typing import Final

import pytest

from bench.process import cpu_seconds, resident_bytes
from bench.target import Target
from tests.helpers.processes import HOST, RelayProcess, free_port, running_relay
from tests.soak.crowd import XHR_USER, Crowd, Guest, close_code, request

SEED: Final = int(os.environ.get("SOAK_SEED", "0")) or secrets.randbits(32)

# What may wait for one client, in bytes: little, so that one who does not read is soon cut.
BACKLOG: Final = 65_536
FLOOD: Final = "flood"
FLOOD_BYTES: Final = 9_000
# The system's own buffers take some megabytes of each reader before the relay notices anything.
MOST_FLOOD: Final = 3_000

# Memory counts from the second fifth of the time on. The last fifth may hold so much more than the second, in bytes, and
# the line through all that was measured since then may rise by so much in an hour.
GROWTH: Final = 4 * 2**20
SLOPE: Final = 60 * 2**20
# Below so many seconds noise is all that there is to see: a short run may grow by so much in all.
LONG_ENOUGH: Final = 120
SHORT_GROWTH: Final = 32 * 2**20

STEP: Final = 0.1
SAMPLE_EVERY: Final = 0.5
REPORT_EVERY: Final = 10.0


@dataclass(frozen=True)
class Plan:
    """How many there are, how much they do a step (a tenth of a second), and for how long, in seconds."""

    seconds: float
    steady: int
    restless: int
    by_xhr: int
    slow: int
    rooms: int
    moves: int
    flood_every: float

    @property
    def connections(self) -> int:
        return self.steady + self.restless + self.by_xhr


SHORT: Final = Plan(4, steady=120, restless=60, by_xhr=2, slow=2, rooms=4, moves=5, flood_every=2)
LONG: Final = Plan(
    float(os.environ.get("SOAK_SECONDS", "300")),
    steady=1_500,
    restless=495,
    by_xhr=5,
    slow=5,
    rooms=15,
    moves=20,
    flood_every=30,
)


@dataclass
class Samples:
    """What the relay's process held, since the crowd was complete: seconds, bytes of memory, open files."""

    at: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def take(self, at: float, pid: int) -> None:
        self.at.append(at)
        self.memory.append(resident_bytes(pid) or 0)
        self.files.append(open_files(pid))

    def growth(self) -> float:
        """Bytes by which the last fifth is above the second."""
        fifth = len(self.memory) // 5
        return median(self.memory[-fifth:]) - median(self.memory[fifth : 2 * fifth])

    def slope(self) -> float:
        """Bytes an hour, from the second fifth on."""
        fifth = len(self.memory) // 5
        return linear_regression(self.at[fifth:], self.memory[fifth:]).slope * 3_600


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


class Soak:
    """One run."""

    def __init__(
        self, relay: RelayProcess, metrics_port: int, crowd: Crowd, plan: Plan, say: Callable[[str], None]
    ) -> None:
        self.relay = relay
        self.plan = plan
        self.say = say
        self.metrics_url = f"http://{HOST}:{metrics_port}/metrics"
        self.crowd = crowd
        self.random = crowd.random
        self.rooms = [f"room-{at}" for at in range(plan.rooms)]
        self.private = [f"private-{at}" for at in range(plan.steady // 10)]
        self.lobbies = [f"presence-{at}" for at in range(plan.restless // 12)]
        self.caches = [f"cache-{at}" for at in range(5)]
        self.samples = Samples()
        self.cut = 0
        self.said = 0
        self.back_ends = [crowd.back_end(f"b{at}", [*self.rooms[at:], *self.rooms[:at]]) for at in range(3)]
        self.keeper = crowd.back_end("keeper", self.caches)
        self.flooder = crowd.back_end("flooder", [FLOOD])

    # --- the run ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        files = open_files(self.relay.pid)
        self.gather()
        cpu = cpu_seconds(self.relay.pid) or 0.0
        self.live()
        cpu = (cpu_seconds(self.relay.pid) or 0.0) - cpu
        self.check_deliveries()
        self.check_metrics()
        self.check_members()
        self.part()
        self.check_memory()
        assert self.crowd.until(lambda: open_files(self.relay.pid) <= files), "files stay open"
        assert self.crowd.ledger.problems == []
        assert "Traceback" not in self.relay.output()
        self.say(
            f"soak: {self.plan.connections} connections for {self.plan.seconds:.0f} s, {self.crowd.opened} opened, "
            f"{self.crowd.ledger.deliveries} deliveries, none lost, doubled or out of order; {self.cut} slow readers cut; "
            f"memory {self.samples.growth() / 2**20:+.1f} MiB, {self.samples.slope() / 2**20:+.0f} MiB an hour, "
            f"{self.samples.memory[-1] / 2**20:.0f} MiB at the end; relay busy {cpu / self.plan.seconds:.0%} of a core"
        )

    def gather(self) -> None:
        """Everybody comes, and those who stay join what they hear from the first event to the last."""
        crowd = self.crowd
        crowd.steady = crowd.come(self.plan.steady)
        for at, guest in enumerate(crowd.steady):
            channels = [self.rooms[at % len(self.rooms)], self.private[at % len(self.private)]]
            if at % 100 == 0:
                channels.append(FLOOD)
            guest.ear.whole.update(channels)
            for channel in channels:
                guest.join(channel)
        crowd.restless = crowd.come(self.plan.restless)
        crowd.come_by_xhr(self.plan.by_xhr, self.rooms[:2])
        assert crowd.until(lambda: self.metric("subscriptions") == self.subscriptions()), "not everybody could join"

    def live(self) -> None:
        """Do a little, a step after the other, until the time is over."""
        started = time.monotonic()
        sampled = reported = started - SAMPLE_EVERY
        flooded = started
        while (now := time.monotonic()) < started + self.plan.seconds:
            self.step()
            if now - flooded >= self.plan.flood_every:
                flooded = now
                self.flood()
            if now - sampled >= SAMPLE_EVERY or not self.samples.at:
                sampled = now
                self.samples.take(now - started, self.relay.pid)
            if now - reported >= REPORT_EVERY:
                reported = now
                self.report(now - started)
            self.crowd.loop.rest(max(0.0, now + STEP - time.monotonic()))
            assert self.crowd.ledger.problems == []

    def step(self) -> None:
        for back_end in (*self.back_ends, self.keeper):
            back_end.publish()
        for guest in self.random.sample(self.crowd.steady, 3):
            channel = min(guest.ear.channels & set(self.private))
            guest.speak(channel, self.crowd.ledger.next_stamp(guest.ear.name, channel))
            self.said += 1
        for _ in range(self.plan.moves):
            self.move(self.random.randrange(len(self.crowd.restless)))

    def move(self, at: int) -> None:
        """One of the restless joins, leaves, or goes and comes back as another."""
        guest = self.crowd.restless[at]
        if self.random.random() < 0.05:
            guest.close()
            (self.crowd.restless[at],) = self.crowd.come(1)
        elif len(guest.ear.channels) >= 3 or (guest.ear.channels and self.random.random() < 0.4):
            guest.leave(self.random.choice(sorted(guest.ear.channels)))
        else:
            self.join_something(guest)

    def join_something(self, guest: Guest) -> None:
        channel = self.random.choice([*self.rooms, *self.caches, *self.lobbies])
        if channel in guest.ear.channels:
            return
        if channel in self.lobbies:
            guest.join(channel, user=f"u{self.random.randrange(20)}")
        elif channel in self.caches:
            guest.join(channel, cached_from=self.keeper.name)
        else:
            guest.join(channel)

    def flood(self) -> None:
        """Some come who do not read, and are cut; the others in the channel get everything."""
        slow = self.crowd.come_and_not_read(self.plan.slow, FLOOD)
        self.cut += len(slow)
        before = self.flooder.published
        while self.metric("slow_clients_cut_total") < self.cut:
            assert self.flooder.published - before < MOST_FLOOD, "who does not read is not cut"
            for _ in range(50):
                self.flooder.publish(FLOOD_BYTES)
                assert self.crowd.loop.run(lambda: not self.flooder.is_waiting, 10.0)
        assert [close_code(sock) for sock in slow] == [4100] * len(slow)

    def part(self) -> None:
        """Everybody goes: the relay has nothing left."""
        crowd = self.crowd
        for back_end in crowd.back_ends:
            assert back_end.refused == 0
            back_end.close()
        request(crowd.target, "POST", f"/users/{XHR_USER}/terminate_connections", b"{}")
        assert crowd.until(lambda: not any(guest.is_open for guest in crowd.by_xhr)), "XHR clients were not closed"
        for guest in crowd.by_websocket():
            guest.close()
        for name in ("connections", "channels", "subscriptions"):
            assert crowd.until(lambda name=name: self.metric(name) == 0), f"there are still {name}"  # type: ignore[misc]

    # --- what has to be true ---------------------------------------------------------------------------------------------

    def check_deliveries(self) -> None:
        """Wait for the last ones; each has to be there."""
        crowd = self.crowd

        def is_complete() -> bool:
            return all(guest.is_settled() for guest in crowd.by_websocket()) and not any(self.missing())

        assert crowd.until(is_complete), f"lost: {list(filter(None, self.missing()))[:20]}"

    def missing(self) -> list[int]:
        return [guest.ear.missing() for guest in self.crowd.everybody()]

    def check_metrics(self) -> None:
        """The relay's own figures against ours."""
        occupied = {channel for guest in self.crowd.everybody() for channel in guest.ear.channels}
        published = sum(end.published for end in self.crowd.back_ends)
        expected = {
            "connections": self.plan.connections,
            "channels": len(occupied),
            "subscriptions": self.subscriptions(),
            "connections_opened_total": self.crowd.opened,
            "events_published_total": published,
            "client_events_total": self.said,
            "slow_clients_cut_total": self.cut,
            "rate_limited_total": 0,
        }
        assert {name: self.metric(name) for name in expected} == expected
        assert self.metric("messages_received_total", "refused") == 0

    def check_members(self) -> None:
        """Who is in the presence channels, as everybody in them was told and as the API says."""
        known = [
            (name, guest.ear.members[name])
            for guest in self.crowd.restless
            for name in guest.ear.channels & set(self.lobbies)
        ]
        for channel in {name for name, _ in known}:
            answer = request(self.crowd.target, "GET", f"/channels/{channel}/users")
            users = Counter(user["id"] for user in answer["users"])  # type: ignore[attr-defined]
            assert all(Counter(told) == users for name, told in known if name == channel), channel

    def check_memory(self) -> None:
        samples = self.samples
        if self.plan.seconds < LONG_ENOUGH:
            assert max(samples.memory) - samples.memory[0] < SHORT_GROWTH
        else:
            figures = f"{samples.growth() / 2**20:+.1f} MiB, {samples.slope() / 2**20:+.0f} MiB an hour"
            assert samples.growth() < GROWTH, figures
            assert samples.slope() < SLOPE, figures
        # A connection more for whoever is just going, and those of the back ends.
        assert max(samples.files) < self.plan.connections + 50

    def subscriptions(self) -> int:
        return sum(len(guest.ear.channels) for guest in self.crowd.everybody())

    def metric(self, name: str, kind: str | None = None) -> int:
        """A figure of the one app; of its messages, those of one kind."""
        labels = 'app="[^"]*"' if kind is None else f'app="[^"]*",kind="{kind}"'
        with urllib.request.urlopen(self.metrics_url, timeout=10.0) as answer:  # noqa: S310 - the scheme is ours
            found = re.search(rf"^relay_{name}{{{labels}}} (\S+)$", answer.read().decode(), re.MULTILINE)
        assert found is not None, name
        return int(float(found[1]))

    def report(self, at: float) -> None:
        samples = self.samples
        self.say(
            f"soak {at:4.0f} s: {self.crowd.opened} opened, {self.crowd.ledger.deliveries} deliveries, {self.cut} cut, "
            f"{samples.memory[-1] / 2**20:.1f} MiB, {samples.files[-1]} files"
        )


def soak(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    def say(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{text}")
            sys.stdout.flush()

    metrics_port = free_port()
    with running_relay(backlog_bytes=BACKLOG, metrics_port=metrics_port, log_level="error") as relay:
        say(f"soak: SOAK_SEED={SEED}")
        target = Target(HOST, relay.port, relay.app_id, relay.key, relay.secret)
        with Crowd(target, Random(SEED)) as crowd:  # noqa: S311 - it has to be repeatable
            Soak(relay, metrics_port, crowd, plan, say).run()


def test_for_some_seconds_nothing_is_lost_and_everything_is_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    soak(SHORT, capsys)


@pytest.mark.long
def test_for_minutes_nothing_is_lost_and_nothing_grows(capsys: pytest.CaptureFixture[str]) -> None:
    soak(LONG, capsys)
