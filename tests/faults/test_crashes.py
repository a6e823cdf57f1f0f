"""kill -9 in the middle of a conversation: what was answered with 200 is stored once and shown once, in order."""

import asyncio
import random
from collections.abc import Awaitable

import pytest

from tests.e2e.screens import IN_BROWSER, People, eventually
from tests.faults.callers import Person, person
from tests.helpers.processes import Process
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER

KILLS = 3
MESSAGES_BETWEEN_KILLS = (2, 9)


async def talk(ticket: int, people: list[Person], stop: asyncio.Event) -> None:
    """Everybody writes numbered messages, one after the other, until `stop`; and once more, at least, after it."""

    async def write(one: Person) -> None:
        number = 0
        while not stop.is_set():
            await one.say(ticket, f"{one.name} {number}")
            number += 1
        await one.say(ticket, f"{one.name} says goodbye")

    await asyncio.gather(*(write(one) for one in people))


async def crash_at_random(victims: list[Process], people: list[Person], chance: random.Random) -> None:
    """Kill one victim after another, each after some more messages, and start each again."""
    for victim in victims:
        count = len(people[0].accepted) + chance.randint(*MESSAGES_BETWEEN_KILLS)
        await eventually(lambda count=count: _has_accepted(people[0], count), True)  # type: ignore[misc]  # binds the loop's value
        # Somewhere within the next message, not right after one.
        await asyncio.sleep(chance.uniform(0, 0.02))
        victim.kill()
        await asyncio.to_thread(victim.start)


async def _has_accepted(one: Person, count: int) -> bool:
    return len(one.accepted) >= count


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(("relay",), id="the relay"),
        pytest.param(("support",), id="the support desk"),
        pytest.param(("relay", "support"), id="both in turn"),
    ],
)
async def test_every_message_that_was_accepted_around_a_kill_is_stored_once_and_on_both_screens_once_in_order(
    people: People, product: Product, parts: tuple[str, ...]
) -> None:
    chance = random.Random(f"crashes {parts}")  # noqa: S311 - the same moments in each run, nothing secret
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await panel.expect(("visitor", "Hello"))
    async with person("visitor", product) as visitor, person("operator", product) as operator:
        # The same visitor as in the browser, and the same operator.
        visitor.token = next(one["value"] for one in await widget.context.cookies() if one["name"] == "visitor_id")
        writers = [visitor, await operator.log_in(ANNA)]
        processes: dict[str, Process] = {"relay": product.relay, "support": product.support}
        victims = [processes[parts[at % len(parts)]] for at in range(KILLS)]
        stop = asyncio.Event()
        talking = asyncio.create_task(talk(ticket, writers, stop))
        await crash_at_random(victims, writers, chance)
        stop.set()
        await talking

    stored = product.stored(ticket)
    assert stored[0] == ("visitor", "Hello")
    for one in writers:
        assert [text for side, text in stored[1:] if side == one.name] == one.accepted
    await panel.expect(*stored)
    await widget.expect(*stored)
    assert (await widget.messages(), await panel.messages()) == (stored, stored)
    await eventually(lambda: _undelivered(product), 0)


def _undelivered(product: Product) -> Awaitable[int]:
    return asyncio.to_thread(product.undelivered)
