"""A chat changes hands: to a colleague, back to the queue, out of it. Two operators and a visitor see the same."""

import asyncio

import pytest
from playwright.async_api import Route, ViewportSize

from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, Panel, People, Widget, eventually, isolated, until
from tests.helpers.product import ANNA, BORIS, Account, Product

pytestmark = IN_BROWSER

SEND = "**/send_support_message"


async def chat_of_anna(people: People, viewport: ViewportSize = DESKTOP) -> tuple[Panel, Panel, Widget, int]:
    """Anna and a visitor in a chat; Boris has logged in after it began."""
    anna = await people.panel(viewport=viewport)
    await anna.log_in(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await anna.open(ticket)
    await anna.send("I am Anna")
    await widget.expect(("visitor", "Hello"), ("operator", "I am Anna"))
    return anna, await people.operator(BORIS), widget, ticket


async def hand_to(panel: Panel, account: Account) -> None:
    await panel.find("#transfer-ticket").click()
    await panel.find(f"#colleagues [data-operator='{account.id}']").click()


async def test_colleague_continues_with_the_whole_history_and_the_former_operator_is_told_where_it_went(
    people: People,
) -> None:
    anna, boris, widget, ticket = await chat_of_anna(people)
    words = (await anna.texts("operator", "en"), await widget.texts("widget", "en"))
    heard = await _listen(anna, ticket)
    name = isolated("Boris")

    await hand_to(anna, BORIS)

    await eventually(anna.tickets, [])
    gone = words[0]["goneTo"].format(name=name, visitor=isolated("Ivan"))
    await eventually(lambda: anna.find("#notices p").all_inner_texts(), [gone])
    assert not await anna.find("#log").is_visible()
    await boris.find("#my-tickets .fresh").wait_for()
    await boris.open(ticket)
    assert await boris.find("#my-tickets .fresh").count() == 0
    continues = ("system", words[1]["systemTransferred"].format(operator_name=name))
    said = [("visitor", "Hello"), ("operator", "I am Anna"), continues]
    await boris.expect(*said)
    await boris.send("And I am Boris")
    await widget.expect(*said, ("operator", "And I am Boris"))
    heard.clear()
    await widget.send("Welcome")
    await boris.expect(*said, ("operator", "And I am Boris"), ("visitor", "Welcome"))
    assert await anna.tickets() == []
    assert [text for text in heard if "Welcome" in text or f"private-ticket-{ticket}" in text] == []

    await anna.find("#notices button").click()
    assert await anna.find("#notices p").count() == 0


async def test_message_of_the_second_in_which_the_chat_goes_stays_as_text_with_the_former_operator(
    people: People, product: Product
) -> None:
    anna, boris, _, ticket = await chat_of_anna(people)
    words = await anna.texts("operator", "en")
    held: asyncio.Queue[Route] = asyncio.Queue()
    await anna.page.route(SEND, held.put)
    await anna.send("One second too late")
    route = await asyncio.wait_for(held.get(), 10)

    await _transfer_elsewhere(anna, ticket, BORIS)
    await boris.ticket(ticket).wait_for()
    await route.continue_()

    await anna.find("#chat-bar").get_by_text(words["keptText"]).wait_for()
    await eventually(lambda: anna.find("#reply").input_value(), "One second too late")
    assert not await anna.find("#reply").is_editable()
    await eventually(lambda: anna.find("#log .pending").count(), 0)
    assert ("operator", "One second too late") not in product.stored(ticket)
    await anna.page.reload()
    await anna.open(ticket)
    assert await anna.find("#reply").input_value() == "One second too late"
    await anna.find("#dismiss").click()
    await eventually(anna.tickets, [])
    assert "One second" not in await anna.page.evaluate("JSON.stringify({ ...localStorage })")


async def test_colleague_over_their_limit_gets_the_chat_after_a_question_only(people: People) -> None:
    anna, boris, _, ticket = await chat_of_anna(people)
    await boris.set_limit(0)
    await until(lambda: _limit_is(people.product, BORIS, 0), "the desk knows the limit")

    await hand_to(anna, BORIS)
    await anna.find("#transfer-yes").wait_for()
    await eventually(anna.focused, "transfer-yes")
    await anna.page.keyboard.press("Escape")
    await anna.find("#colleagues li").first.wait_for()
    assert await anna.tickets() == [ticket]
    await anna.find(f"#colleagues [data-operator='{BORIS.id}']").click()
    await anna.find("#transfer-yes").click()

    await eventually(boris.tickets, [ticket])
    await eventually(anna.tickets, [])


async def test_chat_goes_back_to_the_queue_where_it_is_looked_at_and_taken_with_one_click(people: People) -> None:
    anna, boris, widget, ticket = await chat_of_anna(people)
    await boris.set_status("away")
    await until(lambda: _is_away(people.product, BORIS), "the desk knows that Boris is away")
    await anna.find("#transfer-ticket").click()
    await anna.find("#transfer-queue").click()

    await eventually(anna.tickets, [])
    for panel in (anna, boris):
        await eventually(panel.queue, [ticket])
    returned = ("system", (await widget.texts("widget", "en"))["systemReturned"])
    said = [("visitor", "Hello"), ("operator", "I am Anna"), returned]
    await widget.expect(*said)

    await boris.find(f"#queue [data-ticket='{ticket}']").click()
    await boris.expect(*said)
    assert not await boris.find("#reply").is_visible()
    await boris.find("#take").click()
    await eventually(boris.focused, "reply")
    said.append(
        (
            "system",
            (await widget.texts("widget", "en"))["systemTransferred"].format(operator_name=isolated("Boris")),
        )
    )
    await boris.expect(*said)
    await eventually(anna.queue, [])
    await boris.send("I am Boris")
    await widget.expect(*said, ("operator", "I am Boris"))


@pytest.mark.parametrize("viewport", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
async def test_handing_over_needs_no_mouse_and_the_focus_is_never_lost(people: People, viewport: ViewportSize) -> None:
    anna, boris, _, ticket = await chat_of_anna(people, viewport)
    keyboard = anna.page.keyboard
    await anna.find("#transfer-ticket").focus()
    await keyboard.press("Enter")
    await eventually(anna.focused, "transfer-title")
    await keyboard.press("Escape")
    await eventually(anna.focused, "transfer-ticket")
    await keyboard.press("Enter")
    await anna.find(f"#colleagues [data-operator='{BORIS.id}']").wait_for()
    await keyboard.press("Tab")
    await eventually(anna.focused, "transfer-note")
    await keyboard.press("Tab")
    assert await anna.page.evaluate("document.activeElement.dataset.operator") == str(BORIS.id)
    await keyboard.press("Enter")
    await eventually(boris.tickets, [ticket])
    await eventually(anna.tickets, [])
    assert await anna.page.evaluate("document.querySelector('.lists').contains(document.activeElement)")


async def test_two_operators_who_take_the_same_chat_do_not_both_get_it(people: People) -> None:
    anna, boris, _, ticket = await chat_of_anna(people)
    for panel in (anna, boris):
        await panel.set_status("away")
    await until(lambda: _is_away(people.product, BORIS), "the desk knows that Boris is away")
    await anna.find("#transfer-ticket").click()
    await anna.find("#transfer-queue").click()
    for panel in (anna, boris):
        await eventually(panel.queue, [ticket])
    words = await anna.texts("operator", "en")

    async def be_late(route: Route) -> None:
        await boris.find("#queue .take").click()
        await boris.find("#log").wait_for()
        await route.continue_()

    await anna.page.route("**/take_ticket", be_late)
    await anna.find("#queue .take").click()
    taken = words["takenAway"].format(visitor=isolated("Ivan"))
    await anna.find("#notices").get_by_text(taken).wait_for()
    assert await boris.tickets() == [ticket]
    assert await anna.tickets() == []


async def test_chat_for_a_group_goes_to_its_member_and_comes_to_the_next_one_with_a_note(people: People) -> None:
    group = people.product.command("group", "add", "Repairs")
    people.product.command("group", "join", "Repairs", "--email", BORIS.email)
    assert "Group 1" in group
    anna, boris, widget, ticket = await chat_of_anna(people)
    await anna.find("#transfer-ticket").click()
    await anna.find("#transfer-note").fill("The hinge is broken")
    await anna.find("#groups [data-group='1']").click()

    await eventually(anna.tickets, [])
    await boris.open(ticket)
    await boris.find("#transfer-read").get_by_text("The hinge is broken").wait_for()
    await boris.find(f"#my-tickets [data-ticket='{ticket}'] .group").get_by_text("Repairs").wait_for()
    await boris.send("I am Boris")
    await until(lambda: _is_gone(boris, "#transfer-read"), "the note goes with the first answer")
    assert "hinge" not in await widget.page.content()

    page = await people.visitor()
    await page.page.route("**/", _with_group)
    await page.page.reload()
    await page.open()
    second = await page.start("Maria", "For repairs")
    await eventually(lambda: boris.find(f"#my-tickets [data-ticket='{second}'] .group").count(), 1)


async def _with_group(route: Route) -> None:
    answer = await route.fetch()
    tag = (await answer.text()).replace('widget.js"', 'widget.js" data-group="1"')
    await route.fulfill(response=answer, body=tag)


async def _is_gone(panel: Panel, selector: str) -> bool:
    return await panel.find(selector).count() == 0


async def _listen(panel: Panel, ticket: int) -> list[str]:
    """All that the relay says to the panel's page from now on."""
    heard: list[str] = []
    panel.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: heard.append(str(data))))
    await panel.page.reload()
    await panel.connected()
    await panel.open(ticket)
    await until(lambda: _told(heard, ticket), "the page has joined the chat")
    return heard


async def _told(heard: list[str], ticket: int) -> bool:
    return any("subscription_succeeded" in text and f"private-ticket-{ticket}" in text for text in heard)


async def _transfer_elsewhere(panel: Panel, ticket: int, account: Account) -> None:
    """In the same browser, not in this tab."""
    origin = panel.page.url.partition("/operator")[0]
    answer = await panel.page.request.post(
        f"{origin}/transfer_ticket",
        data={"ticket_id": ticket, "operator_id": account.id},
        headers={"Origin": origin},
    )
    assert answer.status == 200, await answer.text()


async def _limit_is(product: Product, account: Account, limit: int) -> bool:
    return _presence(product, "max_tickets", account) == limit


async def _is_away(product: Product, account: Account) -> bool:
    return _presence(product, "status", account) == "away"


def _presence(product: Product, column: str, account: Account) -> object:
    return product.rows(f"SELECT {column} FROM support_operators_online WHERE user_id = ?", account.id)[0][0]  # noqa: S608 - a name of the tests
