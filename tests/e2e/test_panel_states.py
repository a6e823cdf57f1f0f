"""Each state of the panel at three widths, light and dark: it fits its window and axe-core finds nothing.

What the desk answers is made up here, so that a state needs no hour of chatting. With PUSHDESK_SCREENSHOTS set, what the
states look like is saved into that folder.
"""

import asyncio
import os
from pathlib import Path
from typing import Final, Literal

from playwright.async_api import Route, ViewportSize

from tests.e2e.axe import findings
from tests.e2e.made_up import busy, working
from tests.e2e.screens import IN_BROWSER, Panel, People
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

WIDTHS: Final = (
    ViewportSize(width=1440, height=900),
    ViewportSize(width=1024, height=768),
    ViewportSize(width=390, height=844),
)
COLOURS: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")


async def test_panel_fits_and_is_accessible_from_the_log_in_to_the_empty_desk(people: People) -> None:
    panel = await people.panel(viewport=WIDTHS[0])
    await panel.find("#login-form").wait_for()
    seen = await look_at(panel, "log-in")
    await panel.find("#login-email").fill(ANNA.email)
    await panel.find("#login-password").fill("wrong")
    await panel.find("#login-submit").click()
    await panel.find("#login-form .error:not(:empty)").wait_for()
    seen |= await look_at(panel, "log-in-wrong")
    held = await hold_lists(panel)
    await panel.log_in(ANNA)
    await panel.find(".skeleton").first.wait_for()
    seen |= await look_at(panel, "loading")
    held.set()
    await panel.find("#queue-title + .empty").wait_for()
    seen |= await look_at(panel, "empty")
    await panel.page.goto(f"{panel.page.url.partition('#')[0]}#/chats/4711")
    await panel.find(".nothing").get_by_text("4711").wait_for()
    seen |= await look_at(panel, "not-listed")
    assert seen == {}


async def test_panel_fits_and_is_accessible_on_a_full_day(people: People) -> None:
    panel = await working(people, busy(), WIDTHS[0])
    seen = await look_at(panel, "busy")
    await panel.open(2)
    seen |= await look_at(panel, "chat-short")
    await panel.page.set_viewport_size(WIDTHS[0])
    await panel.find("#queue .row").first.click()
    await panel.find("#take").wait_for()
    seen |= await look_at(panel, "waiting")
    await panel.page.set_viewport_size(WIDTHS[0])
    await panel.open(1)
    await panel.find("#log .message").nth(299).wait_for()
    seen |= await look_at(panel, "chat-300")
    await panel.find("#log").evaluate("log => log.scrollTo(0, log.scrollHeight / 2)")
    await panel.find("#below").wait_for()
    seen |= await look_at(panel, "chat-300-above")
    assert seen == {}


async def test_panel_fits_and_is_accessible_with_what_folds_open(people: People) -> None:
    panel = await working(people, busy(waiting=2), WIDTHS[0], "ru")
    await panel.open(8)
    await panel.open_menu()
    seen = await look_at(panel, "menu")
    await panel.page.keyboard.press("Escape")
    await panel.find("#chat-title").click()
    await panel.page.keyboard.press("?")
    await panel.find("#help[open]").wait_for()
    seen |= await look_at(panel, "help")
    await panel.page.keyboard.press("Escape")
    await panel.find(".emoji > button").click()
    seen |= await look_at(panel, "emoji")
    await panel.page.keyboard.press("Escape")
    await panel.page.set_viewport_size(WIDTHS[1])
    await panel.find("#details").click()
    seen |= await look_at(panel, "details", WIDTHS[1:])
    await panel.page.set_viewport_size(WIDTHS[0])
    await panel.find("#close-ticket").click()
    await panel.find(".undo").hover()
    seen |= await look_at(panel, "undo")
    assert seen == {}


async def test_panel_fits_and_is_accessible_while_the_desk_is_away(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=0), WIDTHS[0])
    await panel.open(2)
    await panel.context.set_offline(True)
    await panel.set_status("away")
    await panel.find("#connection[data-state=unheard], #connection[data-state=reconnecting]").wait_for()
    await panel.send("Will this arrive?")
    await panel.find("#log .pending .stuck").wait_for()
    assert await look_at(panel, "offline") == {}
    await panel.context.set_offline(False)


async def hold_lists(panel: Panel) -> asyncio.Event:
    """The desk answers with empty lists only once the event is set."""
    answered = asyncio.Event()

    async def wait(route: Route) -> None:
        await answered.wait()
        await route.fulfill(json={"tickets": []})

    for path in ("tickets", "queue"):
        await panel.page.route(f"**/operator/{path}", wait)
    return answered


async def look_at(panel: Panel, state: str, widths: tuple[ViewportSize, ...] = WIDTHS) -> dict[str, list[str]]:
    """What is wrong with a state, by width and colours; nothing where all is well. Keeps pictures if somebody wants them."""
    wrong = {}
    pictures = os.environ.get("PUSHDESK_SCREENSHOTS")
    for viewport in widths:
        await panel.page.set_viewport_size(viewport)
        for colours in COLOURS:
            name = f"{state}-{viewport['width']}-{colours}"
            await panel.page.emulate_media(color_scheme=colours)
            found = [] if await panel.overflow() <= 0 else ["wider than the window"]
            if colours == "dark" or viewport is not widths[1]:
                found += await findings(panel)
            if found:
                wrong[name] = found
            if pictures:
                await panel.page.screenshot(path=Path(pictures) / f"panel-{name}.png", animations="disabled")
    return wrong
