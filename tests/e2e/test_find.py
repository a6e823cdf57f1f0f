"""Closed chats: listed, opened by their address, beside their visitor's others; and the search."""

from playwright.async_api import expect

from tests.e2e.screens import IN_BROWSER, People, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

SAID = "Где моя посылка? <b>4711</b>"


async def test_a_closed_chat_is_listed_opened_by_its_address_and_only_read(people: People) -> None:
    panel, visitor = await people.operator(ANNA), await people.visitor()
    await visitor.open()
    number = await visitor.start("Vera", SAID)
    await panel.open(number)
    await panel.close_ticket()
    await (
        panel.find(
            ".tab",
        )
        .nth(1)
        .click()
    )
    row = panel.find(f".archive .row[data-ticket='{number}']")
    await row.click()
    await expect(panel.find("#chat-title")).to_have_text("Vera")
    await eventually(panel.messages, [("visitor", SAID)])
    assert await panel.find("#reply").count() == 0
    await panel.page.reload()
    await expect(panel.find("#chat-title")).to_have_text("Vera")
    assert panel.page.url.endswith(f"#/chats/{number}")
    await panel.page.goto(panel.page.url.replace(f"#/chats/{number}", "#/chats/4711"))
    missing = (await panel.texts("operator", "en"))["notListed"].replace("{id}", "4711")
    await panel.find(".nothing").get_by_text(missing).wait_for()


async def test_what_was_said_is_found_in_any_case_and_leads_to_its_message(people: People) -> None:
    panel, visitor = await people.operator(ANNA), await people.visitor()
    await visitor.open()
    number = await visitor.start("Vera", SAID)
    await panel.open(number)
    await panel.send("Ещё в пути")
    await eventually(lambda: visitor.find("#chat-messages .message").count(), 2)
    await panel.close_ticket()
    await panel.find(".lists h2").first.focus()
    await panel.page.keyboard.press("/")
    await eventually(panel.focused, "search")
    await panel.page.keyboard.type("ПОСЫЛ")
    found = panel.find(".results .row")
    await expect(found).to_have_count(1)
    await expect(found.locator(".text")).to_have_text(SAID)
    await expect(found.locator("mark")).to_have_text("посылка")
    await panel.find("#search").fill("еще")
    await expect(found.locator("mark")).to_have_text("Ещё")
    await found.click()
    assert panel.page.url.endswith(f"#/chats/{number}?message=2")
    await expect(panel.find("#log .message.sought")).to_contain_text("Ещё в пути")
    await panel.find("#search").fill("!?")
    said = (await panel.texts("operator", "en"))["nothingToFind"]
    await panel.find(".results").get_by_text(said).wait_for()
    await panel.find("#search").fill("vera")
    await expect(found).to_have_count(1)


async def test_a_visitors_earlier_chat_stands_beside_the_present_one_and_opens(people: People) -> None:
    panel, visitor = await people.operator(ANNA), await people.visitor()
    await visitor.open()
    first = await visitor.start("Vera", "The first")
    await panel.open(first)
    await panel.close_ticket()
    await visitor.find("#chat-new").click()
    second = await visitor.start("Vera", "The second")
    assert second != first
    await panel.open(second)
    earlier = panel.find(".earlier a")
    await expect(earlier).to_contain_text("The first")
    await earlier.click()
    await eventually(panel.messages, [("visitor", "The first")])
    await expect(panel.find(".earlier a")).to_contain_text("The second")
    await panel.page.go_back()
    await eventually(panel.messages, [("visitor", "The second")])
    await panel.find("#reply").wait_for()
