"""A lease as a process holds it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from relay.client import Event as RelayEvent
from relay.client import PushlerClient
from support_api.delivery import lease as module
from support_api.delivery.lease import Lease, LeasePace, has_ended, new_holder
from support_api.delivery.outbox import BATCH, Outbox, Pace
from support_api.errors import StoreUnavailable
from support_api.models.outbox import Event
from support_api.services import Services
from tests.support_api.helpers import RecordingRelay, announced, eventually

QUICK = LeasePace(lasts=0.3, renewal=0.02, margin=0.1)


class Leases:
    """The store of a lease that a test gives and takes."""

    def __init__(self, *, is_free: bool = True) -> None:
        self.is_free = is_free
        self.is_away = False
        self.asked = 0
        self.given_back: list[str] = []

    async def take(self, name: str, holder: str, seconds: float, _has_ended: Callable[[str], bool]) -> bool:
        assert (name, holder, seconds) == ("outbox", "me", QUICK.lasts)
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable
        return self.is_free

    async def give_back(self, _name: str, holder: str) -> None:
        self.given_back.append(holder)


def lease_of(
    leases: Leases, given_back: asyncio.Event | None = None, on_taken: Callable[[], None] = lambda: None
) -> Lease:
    return Lease(leases, "outbox", "me", given_back or asyncio.Event(), on_taken, QUICK)


async def until(check: Callable[[], bool]) -> None:
    async def is_so() -> bool:
        return check()

    await eventually(is_so)


async def test_it_is_held_while_it_is_renewed_and_given_back_in_the_end() -> None:
    leases, taken = Leases(), asyncio.Event()
    lease = lease_of(leases, on_taken=taken.set)
    assert not lease.is_held
    async with lease.running():
        await taken.wait()
        assert lease.is_held
        await until(lambda: leases.asked > 20)  # longer than it lasts
        assert lease.is_held
    assert leases.given_back == ["me"]


async def test_what_was_never_held_is_not_given_back() -> None:
    leases = Leases(is_free=False)
    lease = lease_of(leases)
    async with lease.running():
        await until(lambda: leases.asked > 2)
        assert not lease.is_held
    assert leases.given_back == []


async def test_a_holder_that_cannot_renew_it_is_sure_of_it_only_until_shortly_before_it_runs_out() -> None:
    leases = Leases()
    lease = lease_of(leases)
    loop = asyncio.get_running_loop()
    async with lease.running():
        await until(lambda: lease.is_held)
        leases.is_away = True
        asked, before = leases.asked, loop.time()
        await until(lambda: not lease.is_held)
        assert loop.time() - before < QUICK.lasts
        assert leases.asked > asked
        leases.is_away = False
        await until(lambda: lease.is_held)


async def test_who_lost_it_does_not_count_on_it_any_more() -> None:
    leases = Leases()
    lease = lease_of(leases)
    async with lease.running():
        await until(lambda: lease.is_held)
        leases.is_free = False
        await until(lambda: not lease.is_held)


async def test_what_another_gives_back_is_tried_for_at_once() -> None:
    leases, given_back = Leases(is_free=False), asyncio.Event()
    patient = LeasePace(lasts=QUICK.lasts, renewal=3600.0)
    lease = Lease(leases, "outbox", "me", given_back, pace=patient)
    async with lease.running():
        await until(lambda: leases.asked == 1)
        leases.is_free = True
        given_back.set()
        await until(lambda: leases.asked == 2)


# --- Whose it is ----------------------------------------------------------------------------------------------------


def test_a_process_on_this_machine_that_is_no_more_is_known_to_have_ended() -> None:
    code = "from support_api.delivery.lease import new_holder; print(new_holder())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert has_ended(said.stdout.strip())
    assert not has_ended(new_holder())
    assert len(new_holder()) <= 64


@pytest.mark.parametrize("holder", ["", "-1-a", "elsewhere-999999999-a", "{place}-x-a", "{place}-²-a", "{place}"])
def test_of_others_it_is_not_known(holder: str) -> None:
    place = new_holder().partition("-")[0]
    assert not has_ended(holder.format(place=place))


def test_where_the_machine_does_not_say_which_it_is_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_BOOT", tmp_path / "nothing")
    assert new_holder().startswith(f"-{os.getpid()}-")
    assert not has_ended(new_holder())


# --- The outbox under a lease ---------------------------------------------------------------------------------------


class Switch:
    """A lease, and how often somebody asked for it."""

    def __init__(self, *, is_held: bool) -> None:
        self.state = is_held
        self.asked = 0

    @property
    def is_held(self) -> bool:
        self.asked += 1
        return self.state


EVENTS = [Event("private-ticket-1", f"e{number}", {}) for number in range(30)]


async def test_only_who_holds_the_lease_delivers(services: Services, relay: RecordingRelay) -> None:
    switch, quick = Switch(is_held=False), Pace(first_pause=0.01, poll=0.01)
    async with client_of(relay) as client, Outbox(services.outbox, client, quick, lease=switch).running():
        await announced(services, EVENTS)
        asked = switch.asked
        await until(lambda: switch.asked > asked + 2)
        assert relay.requests == 0
        switch.state = True
        await relay.events(len(EVENTS))
        switch.state = False
        await announced(services, EVENTS)
    assert [one.name for one in relay.heard] == [one.name for one in EVENTS]


async def test_who_gets_the_lease_delivers_at_once(services: Services, relay: RecordingRelay) -> None:
    switch, slow = Switch(is_held=False), Pace(first_pause=60, longest_pause=60, poll=60)
    await announced(services, EVENTS)
    async with client_of(relay) as client:
        outbox = Outbox(services.outbox, client, slow, lease=switch)
        async with outbox.running():
            await until(lambda: switch.asked > 0)
            switch.state = True
            outbox.wake()
            await relay.events(len(EVENTS))
    assert [one.name for one in relay.heard] == [one.name for one in EVENTS]


async def test_who_loses_the_lease_between_two_requests_leaves_the_rest_to_others(
    services: Services, relay: RecordingRelay
) -> None:
    switch, quick = Switch(is_held=True), Pace(first_pause=0.01, poll=0.01)

    class Losing:
        def __init__(self, client: PushlerClient) -> None:
            self.unsubscribe_user = client.unsubscribe_user
            self.terminate_connections = client.terminate_connections
            self._client = client

        async def trigger_batch(self, batch: Sequence[RelayEvent]) -> dict[str, Any]:
            switch.state = False
            return await self._client.trigger_batch(batch)

    await announced(services, EVENTS)
    async with client_of(relay) as client:
        async with Outbox(services.outbox, Losing(client), quick, lease=switch).running():
            await relay.events(1)
        assert len(relay.heard) == BATCH
        async with Outbox(services.outbox, client, quick).running():
            await relay.events(len(EVENTS))
    assert [one.name for one in relay.heard] == [one.name for one in EVENTS]


def client_of(relay: RecordingRelay) -> PushlerClient:
    return PushlerClient("app-key", "app-secret", app_id="1", url=relay.url, pauses=())
