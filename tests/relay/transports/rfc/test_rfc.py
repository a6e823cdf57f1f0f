"""The WebSocket side of a real relay against RFC 6455 and RFC 7692, case by case."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import uvloop

from tests.helpers.relay import running_relay
from tests.relay.transports.rfc.cases import COMPRESSING, PLAIN, Case, Relay
from tests.relay.transports.rfc.peer import open_peer
from tests.relay.transports.rfc.sections import SECTIONS

CASES = [case for section in SECTIONS for case in section.cases]


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """The event loop that a relay has in production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture(scope="module")
def relay(runner: asyncio.Runner) -> Iterator[Relay]:
    """One relay for all cases: what a client did wrong must not be felt by the next one."""
    context = relay_with_listeners()
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@asynccontextmanager
async def relay_with_listeners() -> AsyncIterator[Relay]:
    async with running_relay(PLAIN, COMPRESSING) as running:
        listeners = {app.key: await open_peer(running, app) for app in (PLAIN, COMPRESSING)}
        for listener in listeners.values():
            await listener.join()
        yield Relay(running, listeners)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(case: Case, relay: Relay, runner: asyncio.Runner) -> None:
    runner.run(case.play(relay))
