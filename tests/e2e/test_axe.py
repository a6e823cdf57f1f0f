"""axe-core finds nothing on any state of the widget, in light and dark, on a desktop and on a phone."""

from typing import Literal

import pytest
from playwright.async_api import ViewportSize

from tests.e2e.axe import findings
from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, People, Widget
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

HOST = "#pushdesk-widget"


async def test_axe_does_find_what_is_wrong(people: People) -> None:
    widget = await people.visitor()
    await widget.find("#support-toggle").evaluate("button => { button.ariaLabel = ''; }")
    assert [one.partition(":")[0] for one in await findings(widget, HOST)] == ["button-name"]


@pytest.mark.parametrize(
    ("viewport", "colours"),
    [pytest.param(DESKTOP, "light", id="desktop-light"), pytest.param(PHONE, "dark", id="phone-dark")],
)
async def test_axe_finds_nothing_on_any_state_of_the_widget(
    people: People, viewport: ViewportSize, colours: Literal["light", "dark"]
) -> None:
    widget = await people.visitor(viewport=viewport)
    await widget.page.emulate_media(color_scheme=colours)
    seen = {"closed": await findings(widget)}
    await widget.open()
    seen["start"] = await findings(widget, HOST)
    await widget.find("#start-chat").click()
    seen["start with faults"] = await findings(widget, HOST)
    ticket = await widget.start("Ivan", "Hello")
    seen["waiting"] = await findings(widget, HOST)
    panel = await people.operator(ANNA)
    await panel.open(ticket)
    await panel.send("Welcome")
    await widget.expect(("visitor", "Hello"), ("operator", "Welcome"))
    seen["chat"] = await findings(widget, HOST)
    await widget.find("#chat-input").fill("x" * 4001)
    seen["too long"] = await findings(widget, HOST)
    await _ask(widget, seen)
    await widget.end()
    seen["ended"] = await findings(widget, HOST)
    assert [f"{state}: {one}" for state, found in seen.items() for one in found] == []


async def _ask(widget: Widget, seen: dict[str, list[str]]) -> None:
    await widget.find("#chat-end").click()
    await widget.find("#chat-end-yes").wait_for()
    seen["asked whether to end"] = await findings(widget, HOST)
    await widget.page.keyboard.press("Escape")
