"""kill -9 of the support desk between what it has stored and what it has told: nothing stays untold."""

import asyncio
from collections.abc import Awaitable

from tests.e2e.screens import eventually
from tests.faults.callers import listening, person
from tests.helpers.product import ANNA, Product


async def test_events_that_were_stored_but_not_delivered_when_the_desk_was_killed_are_delivered_after_its_restart(
    product: Product,
) -> None:
    async with person("Ivan", product) as visitor, person("Anna", product) as operator:
        await operator.log_in(ANNA)
        ticket = await visitor.create("Hello")
        await eventually(lambda: _undelivered(product), 0)
        product.relay.kill()
        for number in range(3):
            await visitor.say(ticket, str(number))
        await eventually(lambda: _undelivered(product), 3)

        product.support.kill()
        await asyncio.to_thread(product.relay.start)
        async with listening(product.relay, f"private-ticket-{ticket}") as listener:
            await asyncio.to_thread(product.support.start)
            heard = [await listener.next() for _ in range(3)]
            assert [(name, data["message"]["content"]) for name, data in heard] == [
                ("message:new", "0"),
                ("message:new", "1"),
                ("message:new", "2"),
            ]
            await eventually(lambda: _undelivered(product), 0)
            await visitor.say(ticket, "3")
            name, data = await listener.next()
            assert (name, data["message"]["content"]) == ("message:new", "3"), "none of the others came twice"


async def test_event_that_the_relay_may_have_got_when_the_desk_was_killed_is_delivered_again_and_not_lost(
    product: Product,
) -> None:
    async with person("Ivan", product) as visitor, person("Anna", product) as operator:
        await operator.log_in(ANNA)
        ticket = await visitor.create("Hello")
        await eventually(lambda: _undelivered(product), 0)
        async with listening(product.relay, f"private-ticket-{ticket}") as listener:
            product.relay.pause()
            await visitor.say(ticket, "In between")
            product.support.kill()
            product.relay.resume()
            await asyncio.to_thread(product.support.start)

            await eventually(lambda: _undelivered(product), 0)
            await visitor.say(ticket, "After it")
            heard: list[dict[str, object]] = []
            while not heard or heard[-1]["content"] != "After it":
                heard.append((await listener.next())[1]["message"])
    assert [one["content"] for one in heard] in (["In between", "After it"], ["In between", "In between", "After it"])
    assert len({one["id"] for one in heard}) == 2, "a receiver can tell a repetition by its id"
    assert product.stored(ticket) == [("visitor", "Hello"), ("visitor", "In between"), ("visitor", "After it")]


def _undelivered(product: Product) -> Awaitable[int]:
    return asyncio.to_thread(product.undelivered)
