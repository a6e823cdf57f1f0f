"""SIGTERM and Ctrl-C, once or twice, with browsers connected: both processes go quickly and report no failure."""

import asyncio
import signal
import time
from signal import SIGINT, SIGTERM

import pytest

from tests.e2e.screens import IN_BROWSER, People
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER

# Seconds. An operator who stops a process waits for it; a supervisor kills it after ten.
QUICKLY = 5.0


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([SIGTERM], id="SIGTERM"),
        pytest.param([SIGINT], id="Ctrl-C"),
        pytest.param([SIGINT, SIGINT], id="Ctrl-C twice"),
        pytest.param([SIGTERM, SIGTERM], id="SIGTERM twice"),
    ],
)
async def test_both_processes_end_quickly_and_well_with_browsers_connected(
    people: People, product: Product, signals: list[signal.Signals]
) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await panel.send("Good day")
    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))

    # The desk first and then the relay, as `make run` would end them if the relay were slow.
    for process in (product.support, product.relay):
        began = time.monotonic()
        code = await asyncio.to_thread(process.interrupt, signals)
        assert code == 0, process.transcript()
        assert time.monotonic() - began < QUICKLY
        assert "Traceback" not in process.transcript()
    assert product.stored(ticket) == [("visitor", "Hello"), ("operator", "Good day")]


async def test_desk_ends_quickly_though_the_relay_hangs_and_keeps_what_it_could_not_deliver(
    people: People, product: Product
) -> None:
    widget = await people.visitor()
    await widget.open()
    product.relay.pause()
    try:
        await widget.start("Ivan", "Hello")
        began = time.monotonic()
        code = await asyncio.to_thread(product.support.terminate)
        took = time.monotonic() - began
    finally:
        product.relay.resume()
    assert code == 0
    assert took < 2 * QUICKLY
    assert product.undelivered() == 1
