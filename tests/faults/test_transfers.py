"""kill -9 of the support desk while a chat changes hands: once or not at all, and with it all that follows."""

import asyncio
import random
from http import HTTPStatus

import aiohttp

from tests.e2e.screens import eventually
from tests.faults.callers import Listener, Person, connected, person
from tests.helpers.product import ANNA, BORIS, Account, Product

ROUNDS = 3
UNSUBSCRIBED = "pusher_internal:unsubscribed"


async def signature(one: Person, channel: str, socket_id: str) -> dict[str, str]:
    """What the desk signs for an operator who may listen."""
    status, answer = await one.post("/auth", channel_name=channel, socket_id=socket_id)
    assert status == HTTPStatus.OK, answer
    return answer


async def hand_over(one: Person, ticket: int, to: Account | None) -> None:
    """Hand the chat over, again and again until the desk says that it is done, or that it was done before it died."""
    while True:
        try:
            body = {"ticket_id": ticket, "operator_id": None if to is None else to.id, "over_limit": True}
            status, answer = await one.post("/transfer_ticket", **body)
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(0.02)
            continue
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            assert status == HTTPStatus.OK or answer["error"]["code"] == "not_yours", answer
            return


async def all_until_taken(listener: Listener) -> list[str]:
    """The names of what the listener hears, up to the end of its subscription."""
    heard: list[str] = []
    while not heard or heard[-1] != UNSUBSCRIBED:
        heard.append((await listener.next())[0])
    return heard


async def test_a_transfer_around_a_kill_happens_once_and_takes_the_channel_from_who_had_it(product: Product) -> None:
    chance = random.Random("transfers")  # noqa: S311 - the same moments in each run, nothing secret
    async with (
        person("Ivan", product) as visitor,
        person("Anna", product) as annas,
        person("Boris", product) as boriss,
    ):
        await annas.log_in(ANNA)
        ticket = await visitor.create("Hello")
        await boriss.log_in(BORIS)
        channel = f"private-ticket-{ticket}"
        hands = [(annas, ANNA), (boriss, BORIS)]
        for at in range(ROUNDS):
            (former, _), (_, target) = hands[at % 2], hands[(at + 1) % 2]
            async with connected(product.relay) as (listener, socket_id):
                signed = await signature(former, channel, socket_id)
                assert await listener.join(channel, signed) == "pusher_internal:subscription_succeeded"
                handing = asyncio.create_task(hand_over(former, ticket, target))
                # Before, within or right after the call.
                await asyncio.sleep(chance.uniform(0, 0.03))
                product.support.kill()
                await asyncio.to_thread(product.support.start)
                await handing

                assert await all_until_taken(listener) == [UNSUBSCRIBED], "nothing of what was said since"
                assert await listener.join(channel, signed) == "pusher:subscription_error"
            status, answer = await former.post("/send_support_message", ticket_id=ticket, content="too late")
            assert (status, answer["error"]["code"]) == (HTTPStatus.FORBIDDEN, "not_yours")
            assert _holders(product) == [(ticket, target.id)]
            assert _counters(product) == _rows(product)
        await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
    said = [text for side, text in product.stored(ticket) if side == "system"]
    assert len(said) == ROUNDS, "once each time"
    assert [text for side, text in product.stored(ticket) if side != "system"] == ["Hello"]


async def test_a_loss_that_the_relay_has_not_heard_of_when_the_desk_is_killed_is_told_before_anything_else(
    product: Product,
) -> None:
    async with person("Ivan", product) as visitor, person("Anna", product) as annas:
        await annas.log_in(ANNA)
        ticket = await visitor.create("Hello")
        await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
        channel = f"private-ticket-{ticket}"
        async with connected(product.relay) as (listener, socket_id):
            assert await listener.join(channel, await signature(annas, channel, socket_id))
            product.relay.pause()
            await hand_over(annas, ticket, None)
            await visitor.say(ticket, "for the next operator's eyes")
            assert product.undelivered() > 0
            product.support.kill()
            product.relay.resume()
            await asyncio.to_thread(product.support.start)
            heard = await all_until_taken(listener)
            await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
            assert heard == [UNSUBSCRIBED]


def _holders(product: Product) -> list[tuple[int, int]]:
    return product.rows("SELECT id, operator_id FROM support_tickets WHERE status = 'active'")


def _counters(product: Product) -> list[tuple[int, int]]:
    return product.rows("SELECT user_id, active_tickets FROM support_operators_online ORDER BY user_id")


def _rows(product: Product) -> list[tuple[int, int]]:
    return product.rows(
        "SELECT o.id, count(t.id) FROM support_operators o"
        " LEFT JOIN support_tickets t ON t.operator_id = o.id AND t.status = 'active' GROUP BY o.id ORDER BY o.id"
    )
