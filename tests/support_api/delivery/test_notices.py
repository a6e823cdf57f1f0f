"""Events that nobody waits for."""

import asyncio
from typing import Any

import pytest

from relay.client import RelayUnavailable
from support_api.delivery import notices as notices_module
from support_api.delivery.notices import Notices
from support_api.models.outbox import Event

EVENT = Event("private-ticket-1", "visitor:typing", {"ticket_id": 1}, "1.2")


class Relay:
    """Answers when it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = asyncio.Event()
        self.error = error
        self.heard: list[tuple[str, str, object, str | None]] = []

    async def trigger(self, channels: str, event: str, data: object, socket_id: str | None = None) -> dict[str, Any]:
        await self.go.wait()
        self.heard.append((channels, event, data, socket_id))
        if self.error is not None:
            raise self.error
        return {}


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_notice_goes_out_without_anybody_waiting() -> None:
    relay = Relay()
    notices = Notices(relay)
    async with notices.running():
        notices.send(EVENT)
        relay.go.set()
        await settle()
    assert relay.heard == [("private-ticket-1", "visitor:typing", {"ticket_id": 1}, "1.2")]


async def test_a_notice_is_dropped_when_the_relay_is_away() -> None:
    relay = Relay(RelayUnavailable("http://relay", "no answer"))
    notices = Notices(relay)
    async with notices.running():
        relay.go.set()
        notices.send(EVENT)
        await settle()
        notices.send(EVENT)
        await settle()
    assert len(relay.heard) == 2


async def test_notices_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices_module, "AT_ONCE", 2)
    relay = Relay()
    notices = Notices(relay)
    async with notices.running():
        for _ in range(5):
            notices.send(EVENT)
        relay.go.set()
        await settle()
        assert len(relay.heard) == 2
        notices.send(EVENT)
        await settle()
    assert len(relay.heard) == 3


async def test_a_stop_drops_what_is_under_way() -> None:
    relay = Relay()
    notices = Notices(relay)
    async with asyncio.timeout(5), notices.running():
        notices.send(EVENT)
        await settle()
    assert relay.heard == []
