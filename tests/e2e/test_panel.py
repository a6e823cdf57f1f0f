"""The operator's panel where work is interrupted: half-written answers, several tabs, locked sound, a desk that is away."""

import asyncio
import time

from playwright.async_api import BrowserContext, Page, Request, Route

from tests.e2e.screens import IN_BROWSER, Panel, People, eventually, until
from tests.helpers.product import ANNA, BORIS, Product

pytestmark = IN_BROWSER

HALF = "Half an answer,\nnot sent yet"

# What would be heard and seen outside of the page: notes of the sound, and desktop notes.
_WATCH_ALERTS = """
  globalThis.heard = 0;
  const create = AudioContext.prototype.createOscillator;
  AudioContext.prototype.createOscillator = function () { heard += 1; return create.call(this); };
  globalThis.shownNotes = [];
  globalThis.Notification = class extends EventTarget {
    static permission = 'granted';
    static requestPermission = async () => 'granted';
    constructor(title, options) { super(); Object.assign(this, { title, ...options }); shownNotes.push(this); }
    close() { this.closed = true; }
  };
  document.hasFocus = () => false;
"""

# All that the page holds, fields included.
_HELD = "document.body.textContent + [...document.querySelectorAll('input, textarea')].map(({ value }) => value).join()"


async def test_half_written_answer_stays_until_it_is_sent_whatever_the_operator_does(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    reply = panel.find("#reply")
    await reply.fill(HALF)

    await panel.page.keyboard.press("Escape")
    await panel.open(ticket)
    assert await reply.input_value() == HALF

    await panel.set_language("ru")
    await eventually(reply.input_value, HALF)
    assert await panel.page.evaluate("document.activeElement.className") == "lang"
    await panel.page.reload()
    await panel.ticket(ticket).wait_for()
    await panel.open(ticket)
    assert await reply.input_value() == HALF

    second = await _second_tab(people, panel)
    await second.open(ticket)
    assert await second.find("#reply").input_value() == HALF
    await second.find("#reply").press_sequentially("!")
    await eventually(reply.input_value, HALF + "!")
    await second.find("#reply").press("Enter")
    await eventually(reply.input_value, "")
    await widget.expect(("visitor", "Hello"), ("operator", HALF + "!"))


async def test_half_written_answer_is_nobody_elses_in_the_same_browser(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "A secret")
    await panel.open(ticket)
    await panel.expect(("visitor", "A secret"))
    await panel.find("#reply").fill("Between us")

    await panel.log_out()
    held = await panel.page.evaluate(_HELD)
    assert "Between us" not in held
    assert "A secret" not in held, "what the visitor wrote"

    await panel.log_in(BORIS)
    await panel.open(ticket)
    assert await panel.find("#reply").input_value() == ""


async def test_closed_chat_leaves_no_half_written_answer_in_the_browser(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    await panel.open(await widget.start("Ivan", "Hello"))
    await panel.find("#reply").fill("Never mind")
    await panel.close_ticket()
    await eventually(panel.tickets, [])
    assert "Never mind" not in await panel.page.evaluate("JSON.stringify({ ...localStorage })")


async def test_browser_that_keeps_no_cookies_is_told_so_and_not_of_a_wrong_password(people: People) -> None:
    panel = await people.panel()

    async def lose_the_cookie(route: Route) -> None:
        answer = await route.fetch()
        headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
        await panel.context.clear_cookies()
        await route.fulfill(status=answer.status, headers=headers, body=await answer.body())

    await panel.page.route("**/operator/login", lose_the_cookie)
    await panel.find("#login-email").fill(ANNA.email)
    await panel.find("#login-password").fill(ANNA.password)
    await panel.find("#login-submit").click()
    needs = (await panel.texts("operator", "en"))["needCookies"]
    await panel.find("#login-form .error").get_by_text(needs).wait_for()


async def test_desk_that_does_not_answer_is_shown_soon_after_the_first_call(people: People) -> None:
    panel = await people.operator(ANNA)
    asked: list[float] = []

    async def never_answer(_: Route, request: Request) -> None:
        if request.method == "POST":
            asked.append(time.monotonic())

    await panel.page.route("**/operator/heartbeat", never_answer)
    await panel.set_status("away")
    await panel.find("#connection[data-state=unheard]").wait_for()
    # 2.5 s after the last answer, which may be one to what the log-in asked for; a call by itself ends after 15.
    assert time.monotonic() - asked[0] < 10.0


async def test_dead_desk_is_shown_at_the_first_failed_call_and_gone_soon_after_it_is_back(
    people: People, product: Product
) -> None:
    panel = await people.operator(ANNA)
    await asyncio.to_thread(product.support.kill)
    await panel.set_status("away")
    await panel.find("#connection[data-state=unheard]").wait_for(timeout=3000)
    await asyncio.to_thread(product.support.start)
    await panel.connected()


async def test_sound_that_is_locked_after_a_reload_says_so_and_one_click_unlocks_it(people: People) -> None:
    panel = await people.operator(ANNA)
    await panel.page.reload()
    await panel.connected()
    locked = panel.find("#sound-locked")
    await locked.wait_for()
    await locked.click()
    await locked.wait_for(state="hidden")


async def test_of_two_tabs_one_calls_and_a_click_on_its_note_opens_the_chat(people: People) -> None:
    profile = await people.profile()
    await profile.add_init_script(_WATCH_ALERTS)
    first = await _panel_in(people, profile)
    await first.open_menu()
    await first.find("#switch-desktop").check()
    second = await _second_tab(people, first)
    for panel in (first, second):
        await panel.find(".top h1").click()
        await panel.find("#sound-locked").wait_for(state="hidden")

    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")

    await until(lambda: _sum(first, second, "heard"), "somebody is called")
    for panel in (first, second):
        await panel.ticket(ticket).wait_for()
    assert await _sum(first, second, "heard") == 2, "the two notes of one call"
    await eventually(lambda: _sum(first, second, "shownNotes.length"), 1)
    for panel in (first, second):
        await panel.page.evaluate("shownNotes[0]?.dispatchEvent(new Event('click'))")
    opened = [panel for panel in (first, second) if await panel.find("#log").is_visible()]
    assert len(opened) == 1
    assert await opened[0].page.evaluate("shownNotes[0].closed")


async def test_row_with_the_focus_keeps_it_when_the_row_above_goes(people: People) -> None:
    panel = await people.operator(ANNA)
    widgets = [await people.visitor() for _ in range(2)]
    tickets = []
    for widget in widgets:
        await widget.open()
        tickets.append(await widget.start("Ivan", "Hello"))
    await eventually(panel.tickets, tickets)
    await panel.ticket(tickets[1]).focus()
    second = await _second_tab(people, panel)
    await second.open(tickets[0])
    await second.close_ticket()
    await widgets[0].find("#chat-new").wait_for()
    await panel.page.bring_to_front()
    await eventually(lambda: _focused_ticket(panel.page), str(tickets[1]))


async def _second_tab(people: People, panel: Panel) -> Panel:
    tab = Panel(await panel.context.new_page())
    people.screens.append(tab)
    await tab.page.goto(f"{people.product.url}/operator")
    await tab.connected()
    return tab


async def _panel_in(people: People, profile: BrowserContext) -> Panel:
    panel = Panel(await profile.new_page())
    people.screens.append(panel)
    await panel.page.goto(f"{people.product.url}/operator")
    await panel.log_in(ANNA)
    return panel


async def _sum(first: Panel, second: Panel, what: str) -> int:
    return sum([int(await panel.page.evaluate(what)) for panel in (first, second)])


async def _focused_ticket(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.dataset.ticket ?? ''"))
