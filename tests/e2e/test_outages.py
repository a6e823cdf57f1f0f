"""A part of the product is away while people write: they see what is not sent yet, and each message arrives once."""

import asyncio

from playwright.async_api import Route

from tests.e2e.screens import IN_BROWSER, Panel, People, Said, Widget, eventually, isolated, until
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER

SEND = "**/send_support_message"


async def talking(people: People) -> tuple[Widget, Panel, int]:
    """A visitor and an operator who see the same chat."""
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await panel.send("Good day")
    await widget.expect(*GREETING)
    return widget, panel, ticket


GREETING: tuple[Said, ...] = (("visitor", "Hello"), ("operator", "Good day"))


async def test_own_message_is_shown_before_the_server_has_answered(people: People) -> None:
    widget, panel, _ = await talking(people)
    held: asyncio.Queue[Route] = asyncio.Queue()
    await widget.page.route(SEND, held.put)

    await widget.send("How long?")
    route = await asyncio.wait_for(held.get(), 10)
    await eventually(widget.shown, [*((*said, False) for said in GREETING), ("visitor", "How long?", True)])

    await route.continue_()
    await widget.expect(*GREETING, ("visitor", "How long?"))
    await panel.expect(*GREETING, ("visitor", "How long?"))
    await widget.page.unroute(SEND)


async def test_messages_written_while_the_desk_is_down_wait_and_arrive_once_when_it_is_back(
    people: People, product: Product
) -> None:
    widget, panel, ticket = await talking(people)
    await asyncio.to_thread(product.support.kill)

    await widget.send("one")
    await widget.send("two")
    texts = await _retrying(widget)
    await panel.send("three")
    await panel.find("#log .retry").first.wait_for()
    assert await widget.messages() == list(GREETING)

    await asyncio.to_thread(product.support.start)

    await eventually(lambda: _count(product, ticket), 5)
    stored = product.stored(ticket)
    assert [said for said in stored[2:] if said[0] == "visitor"] == [("visitor", "one"), ("visitor", "two")]
    await widget.expect(*stored)
    await panel.expect(*stored)
    assert texts == ["one", "two"]


async def test_visitor_who_reloads_while_the_desk_is_down_keeps_what_he_wrote(people: People, product: Product) -> None:
    widget, panel, _ = await talking(people)
    await widget.page.route(SEND, lambda route: route.abort())
    await widget.send("Do not lose me")
    await _retrying(widget)

    await widget.page.unroute(SEND)
    await widget.page.reload()

    await panel.expect(*GREETING, ("visitor", "Do not lose me"))
    await widget.open()
    await widget.expect(*GREETING, ("visitor", "Do not lose me"))


async def test_message_whose_answer_was_lost_is_stored_and_shown_once(people: People, product: Product) -> None:
    widget, panel, ticket = await talking(people)
    lost: list[int] = []

    async def lose_the_first_answer(route: Route) -> None:
        if lost:
            await route.continue_()
            return
        lost.append((await route.fetch()).status)
        await route.abort()

    await widget.page.route(SEND, lose_the_first_answer)
    await widget.send("Only once")

    await widget.expect(*GREETING, ("visitor", "Only once"))
    await panel.expect(*GREETING, ("visitor", "Only once"))
    assert lost == [200]
    assert product.stored(ticket) == [*GREETING, ("visitor", "Only once")]
    await widget.page.unroute(SEND)


async def test_refused_message_is_marked_and_sent_when_its_author_tries_again(people: People) -> None:
    widget, panel, _ = await talking(people)
    refusal = '{"error": {"code": "unreadable_body", "message": "It came damaged."}}'
    await widget.page.route(
        SEND, lambda route: route.fulfill(status=400, content_type="application/json", body=refusal)
    )
    await widget.send("Refused at first")
    retry = widget.find(f"{widget.log} .retry")
    await retry.wait_for()
    failed = (await widget.texts("widget", "en"))["failed"].format(reason=isolated("It came damaged."))
    assert failed in await widget.find(f"{widget.log} .pending").inner_text()
    await widget.page.unroute(SEND)

    await retry.click()

    await widget.expect(*GREETING, ("visitor", "Refused at first"))
    await panel.expect(*GREETING, ("visitor", "Refused at first"))


async def test_message_that_came_too_late_for_its_chat_begins_the_next_one(people: People) -> None:
    widget, panel, _ = await talking(people)
    held: asyncio.Queue[Route] = asyncio.Queue()
    await widget.page.route(SEND, held.put)
    await widget.send("One more thing")
    route = await asyncio.wait_for(held.get(), 10)
    await panel.close_ticket()
    await widget.find("#chat-new").wait_for()

    await route.continue_()

    failed = (await widget.texts("widget", "en"))["failedClosed"]
    pending = widget.find(f"{widget.log} .pending")
    await pending.get_by_text(failed).wait_for()
    assert await pending.locator(".retry").count() == 0
    await widget.find("#chat-new").click()
    assert await widget.find("#first-message").input_value() == "One more thing"
    await widget.find("#start-chat").click()
    await widget.expect(("visitor", "One more thing"))


async def test_message_sent_while_the_relay_is_down_is_stored_and_appears_without_a_reload_when_it_is_back(
    people: People, product: Product
) -> None:
    widget, panel, ticket = await talking(people)
    # So that the panel cannot fetch by HTTP what the relay should bring.
    await panel.page.route("**/get_messages*", lambda route: route.abort())
    await panel.page.route("**/operator/tickets", lambda route: route.abort())
    # Rows of delivered events stay for a moment.
    await until(lambda: _delivered(product), "the relay has taken all events so far")
    await asyncio.to_thread(product.relay.kill)

    async with widget.page.expect_response(SEND) as waiting:
        await widget.send("Is the relay away?")
    assert (await waiting.value).status == 200
    await widget.expect(*GREETING, ("visitor", "Is the relay away?"))
    assert product.stored(ticket) == [*GREETING, ("visitor", "Is the relay away?")]
    # Beside it may wait that the operator has read.
    assert product.undelivered("message:new") == 1
    assert await panel.messages() == list(GREETING)
    await panel.page.unroute_all()

    await asyncio.to_thread(product.relay.start)

    await panel.expect(*GREETING, ("visitor", "Is the relay away?"))
    await panel.send("It is back")
    await widget.expect(*GREETING, ("visitor", "Is the relay away?"), ("operator", "It is back"))
    await until(lambda: _delivered(product), "the relay has taken all events")


async def test_conversation_goes_on_without_the_relay_and_catches_up(people: People, product: Product) -> None:
    widget, panel, _ = await talking(people)
    await asyncio.to_thread(product.relay.kill)

    # While the connection is tried again, each pause brings the news over HTTP.
    await widget.send("Can you read this?")
    await panel.expect(*GREETING, ("visitor", "Can you read this?"))

    await asyncio.to_thread(product.relay.start)
    await panel.connected()
    await panel.send("Yes")
    await widget.expect(*GREETING, ("visitor", "Can you read this?"), ("operator", "Yes"))


async def _retrying(widget: Widget) -> list[str]:
    """The texts that are waiting to be sent, once the visitor is told that sending has failed."""
    await widget.find(f"{widget.log} .retry").first.wait_for()
    return [text for _, text, pending in await widget.shown() if pending]


async def _count(product: Product, ticket: int) -> int:
    return len(product.stored(ticket))


async def _delivered(product: Product) -> bool:
    return product.undelivered() == 0
