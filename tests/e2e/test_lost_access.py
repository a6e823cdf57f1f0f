"""What an operator's own program can still hear, relay and desk together, after the desk has taken a chat or the account.

No browser: a hostile client opens spare connections, fetches signatures in stock and never signs in.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from http import HTTPStatus

import pytest

from tests.e2e.screens import eventually
from tests.faults.callers import Listener, Person, connected, person
from tests.helpers.processes import ROOT, environment
from tests.helpers.product import ANNA, BORIS, Product

JOINED = "pusher_internal:subscription_succeeded"
UNSUBSCRIBED = "pusher_internal:unsubscribed"
REFUSED = "pusher:subscription_error"


async def signed(one: Person, channel: str, socket_id: str) -> tuple[int, dict[str, str]]:
    return await one.post("/auth", channel_name=channel, socket_id=socket_id)


async def refusals(listener: Listener, channel: str, auth: dict[str, str]) -> str:
    """The answer to an attempt to join; it is told in two dialects."""
    answer = await listener.join(channel, auth)
    if answer == REFUSED:
        assert (await listener.next())[0] == "pusher:error"
    return answer


@pytest.mark.parametrize("signs_in", [False, True])
async def test_no_connection_and_no_signature_of_before_brings_a_former_operator_back(
    product: Product, *, signs_in: bool
) -> None:
    async with AsyncExitStack() as stack:
        visitor, annas, boriss = [
            await stack.enter_async_context(person(name, product)) for name in ("Ivan", "Anna", "Boris")
        ]
        await annas.log_in(ANNA)
        ticket = await visitor.create("Hello")
        await boriss.log_in(BORIS)
        channel = f"private-ticket-{ticket}"
        sockets = [await stack.enter_async_context(connected(product.relay)) for _ in range(3)]
        stock = [(await signed(annas, channel, socket_id))[1] for _, socket_id in sockets]
        if signs_in:
            _, signature = await annas.post("/user_auth", socket_id=sockets[2][1])
            await sockets[2][0].socket.send_json({"event": "pusher:signin", "data": signature})
            assert (await sockets[2][0].next())[0] == "pusher:signin_success"
        assert await sockets[0][0].join(channel, stock[0]) == JOINED

        status, _ = await annas.post("/transfer_ticket", ticket_id=ticket, operator_id=BORIS.id)
        assert status == HTTPStatus.OK
        assert (await sockets[0][0].next())[0] == UNSUBSCRIBED
        for (listener, _), auth in zip(sockets, stock, strict=True):
            assert await refusals(listener, channel, auth) == REFUSED
        for _, socket_id in [*sockets, await stack.enter_async_context(connected(product.relay))]:
            status, _ = await signed(annas, channel, socket_id)
            assert status == HTTPStatus.FORBIDDEN

        # A chat that comes back is heard on a new connection.
        await visitor.say(ticket, "private now")
        status, _ = await boriss.post("/transfer_ticket", ticket_id=ticket, operator_id=ANNA.id)
        assert status == HTTPStatus.OK
        await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
        _, auth = await signed(annas, channel, sockets[1][1])
        assert await refusals(sockets[1][0], channel, auth) == REFUSED
        listener, socket_id = await stack.enter_async_context(connected(product.relay))
        _, auth = await signed(annas, channel, socket_id)
        assert await listener.join(channel, auth) == JOINED
        await visitor.say(ticket, "welcome back")
        name, data = await listener.next()
        assert (name, data["message"]["content"]) == ("message:new", "welcome back")


async def test_a_disabled_operators_open_panel_hears_nothing_more_signed_in_or_not(product: Product) -> None:
    async with AsyncExitStack() as stack:
        visitor, annas = [await stack.enter_async_context(person(name, product)) for name in ("Ivan", "Anna")]
        await annas.log_in(ANNA)
        ticket = await visitor.create("Hello")
        channels = [f"private-ticket-{ticket}", f"private-operator-{ANNA.id}", "private-support-queue"]
        silent, panel = [await stack.enter_async_context(connected(product.relay)) for _ in range(2)]
        for listener, socket_id in (silent, panel):
            for channel in channels:
                _, auth = await signed(annas, channel, socket_id)
                assert await listener.join(channel, auth) == JOINED
        _, signature = await annas.post("/user_auth", socket_id=panel[1])
        await panel[0].socket.send_json({"event": "pusher:signin", "data": signature})
        assert (await panel[0].next())[0] == "pusher:signin_success"

        await disable(product, ANNA.email)
        for listener in (silent[0], panel[0]):
            assert [(await listener.next())[0] for _ in channels] == [UNSUBSCRIBED] * len(channels)
        closing = await panel[0].socket.receive(timeout=5.0)
        assert closing.data == 4009
        await visitor.say(ticket, "to the next one only")
        await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
        # A ping is answered after all that was sent before.
        await silent[0].socket.send_json({"event": "pusher:ping", "data": {}})
        assert (await silent[0].next())[0] == "pusher:pong"


async def disable(product: Product, email: str) -> None:
    """Disable an account from the command line, as an administrator does, beside the running desk."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support_api",
        "operator",
        "disable",
        "--email",
        email,
        cwd=ROOT,
        env=environment("SUPPORT_", {"database_url": f"sqlite:///{product.database}"}),
    )
    assert await process.wait() == 0
