"""What people have before them: the visitor's widget and the operator's panel, each in a browser page of its own.

Knows ids and classes of the pages and how to wait for what they show. Not: what a test expects.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeVar, cast

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, ViewportSize, async_playwright

from tests.helpers.parts import CHROMIUM, CHROMIUM_ARGUMENTS, CHROMIUM_PATH, NODE, require
from tests.helpers.processes import ROOT
from tests.helpers.product import Account, Product

T = TypeVar("T")

DESKTOP: Final = ViewportSize(width=1280, height=800)
PHONE: Final = ViewportSize(width=390, height=844)

# Seconds. Long, since it only passes when something is wrong: a page that comes back after a crash doubles its pauses.
DEADLINE: Final = 30.0
_POLL: Final = 0.03

# What a browser says when a server is away, which is what some tests are about.
_NETWORK_TROUBLE: Final = ("Failed to load resource", "WebSocket connection to")

_MESSAGES: Final = """nodes => nodes.map(node => {
  const spoken = node.querySelector('.spoken')?.textContent ?? '';
  const side = ['visitor', 'operator', 'system'].find(name => node.classList.contains(name));
  return [side, node.querySelector('p').textContent.slice(spoken.length), node.classList.contains('pending')];
})"""

_FOCUSED: Final = """() => {
  let at = document.activeElement;
  while (at?.shadowRoot) at = at.shadowRoot.activeElement;
  return at?.id ?? '';
}"""

# Who (visitor, operator) and what.
Said = tuple[str, str]


@cache
def _texts(part: str) -> dict[str, dict[str, str]]:
    """All words of a part by language, from its module: pages load them only inside of bundles."""
    require(NODE)
    module = ROOT / "client_js" / part / "i18n.js"
    source = f"import {{ texts }} from {json.dumps(module.as_uri())}; console.log(JSON.stringify(texts))"
    node = ["node", "--input-type=module", "--eval", source]
    done = subprocess.run(node, capture_output=True, check=True, timeout=DEADLINE)
    return cast("dict[str, dict[str, str]]", json.loads(done.stdout))


def isolated(text: str) -> str:
    """A text of people as it stands in a sentence: wrapped, so that it does not turn the sentence around it."""
    return f"\u2068{text}\u2069"


async def eventually(look: Callable[[], Awaitable[T]], wanted: object, within: float = DEADLINE) -> None:
    """Look again and again until `wanted` is there; an AssertionError with what is there instead when time is up."""
    deadline = time.monotonic() + within
    while (seen := await look()) != wanted:
        assert time.monotonic() < deadline, f"after {within} s there is {seen!r}, and not {wanted!r}"
        await asyncio.sleep(_POLL)


async def until(condition: Callable[[], Awaitable[object]], what: str, within: float = DEADLINE) -> None:
    """Wait until the condition holds; `what` says in an AssertionError what did not happen."""
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        await asyncio.sleep(_POLL)


# Browser and tests share one loop: to start Chromium takes as long as a test.
IN_BROWSER: Final = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


class Screen:
    """One page. `complaints`: scripts that failed and policies that were broken on it; network trouble is none."""

    log = "#log"

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(DEADLINE * 1000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_NETWORK_TROUBLE):
            self.complaints.append(message.text)

    @property
    def context(self) -> BrowserContext:
        return self.page.context

    def find(self, selector: str) -> Locator:
        """Inside shadow roots, too."""
        return self.page.locator(selector)

    async def shown(self) -> list[tuple[str, str, bool]]:
        """All messages from top to bottom: who, what, and whether it is still on its way."""
        found: list[list[Any]] = await self.find(f"{self.log} .message").evaluate_all(_MESSAGES)
        return [(side, text, pending) for side, text, pending in found]

    async def messages(self) -> list[Said]:
        """Who said what, as far as it is confirmed."""
        return [(side, text) for side, text, pending in await self.shown() if not pending]

    async def expect(self, *said: Said) -> None:
        """Wait until exactly these messages are there, in this order, and none is pending."""
        await eventually(self.shown, [(side, text, False) for side, text in said])

    async def texts(self, part: str, lang: str) -> dict[str, str]:
        """The product's own words: of the `widget` or the `operator` panel."""
        return _texts(part)[lang]

    async def focused(self) -> str:
        """The id of the element with the focus, inside shadow roots too."""
        return cast("str", await self.page.evaluate(_FOCUSED))

    async def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return cast("int", await self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


class Widget(Screen):
    """A page with the visitor's widget. `base`: the origin of the support desk."""

    log = "#chat-messages"

    def __init__(self, page: Page, base: str) -> None:
        super().__init__(page)
        self._base = base

    async def open(self) -> None:
        await self.find("#support-toggle").click()
        await self.find("#support-chat").wait_for()

    async def start(self, name: str, question: str) -> int:
        """Fill in the start form and send it; returns the ticket's id."""
        await self.find("#visitor-name").fill(name)
        await self.find("#first-message").fill(question)
        await self.find("#start-chat").click()
        await self.find("#chat-input").wait_for()
        return await self.ticket_id()

    async def send(self, text: str) -> None:
        await self.find("#chat-input").fill(text)
        await self.find("#chat-input").press("Enter")

    async def type_until(self, seen: Callable[[], Awaitable[object]], what: str) -> None:
        """Press keys until the other side has noticed."""
        await _type_until(self.find("#chat-input"), seen, what)

    async def end(self) -> None:
        """The visitor ends the chat."""
        await self.find("#chat-end").click()
        await self.find("#chat-end-yes").click()
        await self.find("#chat-new").wait_for()

    async def lines(self) -> list[str]:
        """The widget's own lines between the messages."""
        return await self.find(f"{self.log} .items .line").all_text_contents()

    async def typing(self) -> bool:
        return await self.find("#chat-typing").is_visible()

    async def badge(self) -> str:
        """The count on the launcher, or nothing."""
        badge = self.find("#support-toggle .badge")
        return await badge.inner_text() if await badge.is_visible() else ""

    async def ticket_id(self) -> int:
        saved = await self.page.evaluate("key => localStorage.getItem(key)", f"pushdesk:{self._base}:ticket")
        return int(json.loads(saved)["id"])


class Panel(Screen):
    """A page with the operator's panel."""

    async def log_in(self, account: Account) -> None:
        await self.find("#login-email").fill(account.email)
        await self.find("#login-password").fill(account.password)
        await self.find("#login-submit").click()
        await self.connected()

    async def connected(self) -> None:
        await self.find("#connection[data-state=connected]").wait_for()

    def ticket(self, ticket_id: int) -> Locator:
        """The ticket's button in the list of one's own."""
        return self.find(f"#my-tickets [data-ticket='{ticket_id}']")

    async def tickets(self) -> list[int]:
        """One's own tickets from top to bottom."""
        return await self._ids("#my-tickets")

    async def queue(self) -> list[int]:
        """The waiting tickets from top to bottom."""
        return await self._ids("#queue")

    async def _ids(self, where: str) -> list[int]:
        found: list[str] = await self.find(f"{where} [data-ticket]").evaluate_all(
            "all => all.map(one => one.dataset.ticket)"
        )
        return [int(one) for one in found]

    async def open(self, ticket_id: int) -> None:
        await self.ticket(ticket_id).click()
        await self.find("#log").wait_for()

    async def badge(self, ticket_id: int) -> str:
        """The count of unread messages next to a ticket, or nothing."""
        badge = self.ticket(ticket_id).locator(".badge")
        return await badge.inner_text() if await badge.is_visible() else ""

    async def send(self, text: str) -> None:
        await self.find("#reply").fill(text)
        await self.find("#reply").press("Enter")

    async def type_until(self, seen: Callable[[], Awaitable[object]], what: str) -> None:
        """Press keys until the other side has noticed."""
        await _type_until(self.find("#reply"), seen, what)

    async def typing(self) -> str:
        return await self.find("#typing").inner_text()

    async def close_ticket(self) -> None:
        """Close the open chat for good, without the moment in which it can be taken back."""
        await self.find("#close-ticket").click()
        await self.find(".undo .act").last.click()

    async def open_menu(self) -> None:
        """Where the seldom changed settings are."""
        if not await self.find("#menu-box").is_visible():
            await self.find("#menu").click()
            await self.find("#logout").wait_for()

    async def set_limit(self, limit: int) -> None:
        """How many chats the operator takes at once."""
        await self.open_menu()
        await self.find("#my-limit").fill(str(limit))
        await self.find("#my-limit").blur()
        await self.find("#menu").click()

    async def set_language(self, lang: str) -> None:
        """ru or en; the focus stays at the choice."""
        await self.open_menu()
        await self.find(".menu .lang").focus()
        await self.find(".menu .lang").select_option(lang)

    async def log_out(self) -> None:
        await self.open_menu()
        await self.find("#logout").click()
        await self.find("#login-form").wait_for()

    async def set_status(self, status: str) -> None:
        """online, away or offline."""
        await self.find("#my-status").select_option(status)


async def _type_until(field_: Locator, seen: Callable[[], Awaitable[object]], what: str) -> None:
    async def press_and_look() -> object:
        await field_.press("x")
        return await seen()

    await until(press_and_look, what)
    await field_.fill("")


@dataclass
class People:
    """Opens pages for the people of a test, each with a browser profile of their own."""

    browser: Browser
    product: Product
    screens: list[Screen] = field(default_factory=list)
    profiles: list[BrowserContext] = field(default_factory=list)

    async def visitor(self, lang: str = "en", viewport: ViewportSize = DESKTOP, path: str = "/") -> Widget:
        """A new visitor on the demo page."""
        return await self.visitor_in(await self.profile(lang, viewport), path)

    async def visitor_in(self, profile: BrowserContext, path: str = "/") -> Widget:
        """A further tab of a visitor."""
        widget = Widget(await profile.new_page(), self.product.url)
        self.screens.append(widget)
        await widget.page.goto(self.product.url + path)
        await widget.find("#support-toggle").wait_for()
        return widget

    async def operator(self, account: Account, lang: str = "en", viewport: ViewportSize = DESKTOP) -> Panel:
        """An operator who has logged in."""
        panel = await self.panel(lang, viewport)
        await panel.log_in(account)
        return panel

    async def panel(self, lang: str = "en", viewport: ViewportSize = DESKTOP) -> Panel:
        """The panel's page in a new browser."""
        panel = Panel(await (await self.profile(lang, viewport)).new_page())
        self.screens.append(panel)
        await panel.page.goto(f"{self.product.url}/operator")
        return panel

    async def profile(
        self, lang: str = "en", viewport: ViewportSize = DESKTOP, *, touch: bool = False
    ) -> BrowserContext:
        """A browser with no history. `touch`: of a device on which fingers write."""
        locale = {"ru": "ru-RU", "en": "en-GB"}[lang]
        profile = await self.browser.new_context(locale=locale, viewport=viewport, has_touch=touch, is_mobile=touch)
        self.profiles.append(profile)
        return profile

    async def leave(self) -> None:
        """Close all pages."""
        for profile in self.profiles:
            await profile.close()

    def complaints(self) -> list[str]:
        return [complaint for screen in self.screens for complaint in screen.complaints]


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """A headless Chromium for as long as the block lasts."""
    require(CHROMIUM)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM_PATH, args=list(CHROMIUM_ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
