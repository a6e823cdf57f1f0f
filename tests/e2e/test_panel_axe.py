"""axe-core finds nothing on any state of the panel, in light and dark, on a desktop and on a phone."""

from typing import Literal

import pytest
from playwright.async_api import ViewportSize

from tests.e2e.axe import findings
from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, Panel, People, Widget, eventually
from tests.helpers.product import ANNA, BORIS

pytestmark = IN_BROWSER


@pytest.mark.parametrize(
    ("viewport", "colours"),
    [pytest.param(DESKTOP, "dark", id="desktop-dark"), pytest.param(PHONE, "light", id="phone-light")],
)
async def test_axe_finds_nothing_on_any_state_of_the_panel(
    people: People, viewport: ViewportSize, colours: Literal["light", "dark"]
) -> None:
    panel = await people.panel(viewport=viewport)
    await panel.page.emulate_media(color_scheme=colours)
    seen = {"log-in": await findings(panel)}
    await panel.find("#login-email").fill(ANNA.email)
    await panel.find("#login-password").fill("wrong")
    await panel.find("#login-submit").click()
    await panel.find("#login-form .error:not(:empty)").wait_for()
    seen["wrong log-in"] = await findings(panel)
    await panel.log_in(ANNA)
    seen["no chats"] = await findings(panel)
    widget, ticket, waiting = await _chats(people, panel)
    seen["lists"] = await findings(panel)
    await panel.find(f"#queue [data-ticket='{waiting}']").click()
    seen["a waiting chat"] = await findings(panel)
    await panel.page.keyboard.press("Escape")
    await panel.open(ticket)
    await panel.send("Welcome")
    await panel.expect(("visitor", "Hello"), ("operator", "Welcome"))
    seen["chat"] = await findings(panel)
    await _questions(panel, seen)
    await widget.end()
    await panel.find("#dismiss").wait_for()
    seen["ended"] = await findings(panel)
    await panel.page.reload()
    await panel.find("#sound-locked").wait_for()
    seen["sound locked"] = await findings(panel)
    assert [f"{state}: {one}" for state, found in seen.items() for one in found] == []


async def test_axe_finds_nothing_while_a_chat_changes_hands(people: People) -> None:
    boris = await people.operator(BORIS)
    await boris.set_limit(0)
    panel = await people.panel(viewport=PHONE)
    await panel.page.emulate_media(color_scheme="dark")
    await panel.log_in(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await panel.find("#reply").fill("Half an answer")
    await panel.find("#transfer-ticket").click()
    colleague = panel.find(f"#colleagues [data-operator='{BORIS.id}']")
    await colleague.wait_for()
    seen = {"colleagues": await findings(panel)}
    await colleague.click()
    await panel.find("#transfer-yes").wait_for()
    seen["asked about the limit"] = await findings(panel)
    await panel.find("#transfer-yes").click()
    await panel.find("#dismiss").wait_for()
    seen["gone, with text"] = await findings(panel)
    await boris.open(ticket)
    await boris.find("#log .message.system").wait_for()
    seen["new operator"] = await findings(boris)
    seen["visitor"] = await findings(widget, "#pushdesk-widget")
    assert [f"{state}: {one}" for state, found in seen.items() for one in found] == []


async def _chats(people: People, panel: Panel) -> tuple[Widget, int, int]:
    """A chat of the operator, and one in the queue."""
    await panel.set_limit(1)
    mine, other = await people.visitor(), await people.visitor()
    await mine.open()
    ticket = await mine.start("Ivan", "Hello")
    await panel.ticket(ticket).wait_for()
    await other.open()
    waiting = await other.start("Olga", "And I?")
    await eventually(panel.queue, [waiting])
    return mine, ticket, waiting


async def _questions(panel: Panel, seen: dict[str, list[str]]) -> None:
    await panel.find("#reply").fill("x" * 4001)
    seen["too long"] = await findings(panel)
    await panel.find("#reply").fill("")
    await panel.find("#close-ticket").click()
    seen["can be taken back"] = await findings(panel)
    await panel.find(".undo .quiet").first.click()
    await panel.find("#transfer-ticket").click()
    await panel.find("#transfer[open]").wait_for()
    seen["asked who continues"] = await findings(panel)
    await panel.page.keyboard.press("Escape")
