"""The screens as people see them, on a desk and on a phone. With PUSHDESK_SCREENSHOTS set, saved into that folder."""

import base64
import os
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize

from tests.e2e.made_up import shop, working
from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, People, Screen
from tests.helpers.product import ANNA, BORIS

pytestmark = IN_BROWSER

WORDS = {
    "en": (
        "Ivan",
        "Hello! I ordered the blue lamp on Monday, number 4711. When will it come?",
        "Good afternoon! Let me look it up.",
        "It left our store this morning and will be with you tomorrow before noon.",
        "Great, thank you!",
    ),
    "ru": (
        "Иван",
        "Здравствуйте! В понедельник я заказал синюю лампу, номер 4711. Когда она придёт?",
        "Добрый день! Сейчас посмотрю.",
        "Утром мы её отправили, завтра до обеда она будет у вас.",
        "Отлично, спасибо!",
    ),
}

CHAT = (
    "Hello! Does the reading lamp come with a bulb?",
    "Hello Maria! Yes, a warm white one is in the box.",
    "Great, thank you. And how long does delivery take?",
)


@pytest.mark.parametrize("lang", ["en", "ru"])
@pytest.mark.parametrize("viewport", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
async def test_screens_of_a_conversation_fit_their_window(people: People, lang: str, viewport: ViewportSize) -> None:
    name, question, first, second, thanks = WORDS[lang]
    size = f"{lang}-{viewport['width']}"
    panel = await people.panel(lang, viewport)
    await panel.find("#login-form").wait_for()
    await picture(panel, f"log-in-{size}")
    await panel.log_in(BORIS)
    widget = await people.visitor(lang, viewport)
    await widget.open()
    await widget.find("#start-form").wait_for()
    await picture(widget, f"start-{size}")
    ticket = await widget.start(name, question)
    await panel.open(ticket)
    await panel.send(first)
    await panel.send(second)
    await widget.expect(("visitor", question), ("operator", first), ("operator", second))
    await widget.send(thanks)
    await panel.expect(("visitor", question), ("operator", first), ("operator", second), ("visitor", thanks))
    other = await people.visitor(lang)
    await other.open()
    waiting = await other.start({"en": "Olga", "ru": "Ольга"}[lang], WORDS[lang][1])
    await panel.ticket(waiting).wait_for(state="attached")
    await picture(widget, f"widget-{size}")
    await picture(panel, f"panel-{size}")


async def test_pictures_of_the_documents_can_be_taken(people: People) -> None:
    """docs/images: with PUSHDESK_SCREENSHOTS set to that folder the pictures there are taken anew."""
    panel = await people.panel(viewport=ViewportSize(width=1240, height=720))
    await panel.log_in(ANNA)
    widget = await people.visitor(viewport=ViewportSize(width=560, height=720))
    await widget.open()
    name, question, answer, thanks = "Maria", *CHAT
    await panel.open(await widget.start(name, question))
    await panel.send(answer)
    await widget.expect(("visitor", question), ("operator", answer))
    await widget.send(thanks)
    await panel.find("#log").get_by_text(thanks).wait_for()
    other = await people.visitor()
    await other.open()
    await panel.ticket(await other.start("Ivan", "Do you ship to Kazan?")).wait_for()
    await panel.type_until(widget.typing, "the visitor sees that the operator is typing")
    await panel.find("#reply").press_sequentially("Two days to")
    await side_by_side(people, "conversation", widget, panel)


async def test_pictures_of_the_operators_handbook_can_be_taken(people: People) -> None:
    wide = ViewportSize(width=1440, height=820)
    panel = await working(people, shop(), wide)
    await panel.open(1)
    await panel.find("#log .message").nth(2).wait_for()
    await picture(panel, "desk")
    await panel.page.emulate_media(color_scheme="dark")
    await picture(panel, "desk-dark")
    await panel.page.emulate_media(color_scheme="light")
    await panel.find("#chat-title").click()
    await panel.page.keyboard.press("?")
    await panel.find("#help[open]").wait_for()
    await picture(panel, "desk-keys")
    await panel.page.keyboard.press("Escape")
    await panel.page.set_viewport_size(PHONE)
    await picture(panel, "desk-phone-chat")
    await panel.find("#back").click()
    await panel.find("#queue .row").first.wait_for()
    await picture(panel, "desk-phone")


async def side_by_side(people: People, name: str, *screens: Screen) -> None:
    """One picture of several screens, as it stands in the README."""
    shots = [base64.b64encode(await screen.page.screenshot(animations="disabled")).decode() for screen in screens]
    page = await (await people.profile(viewport=ViewportSize(width=1880, height=760))).new_page()
    images = "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
    await page.set_content(
        f'<body style="margin:0;display:flex;gap:20px;padding:20px;background:#e1e6ee;width:max-content">{images}</body>'
    )
    assert await page.locator("img").count() == len(screens)
    folder = os.environ.get("PUSHDESK_SCREENSHOTS")
    if folder:
        await page.locator("body").screenshot(path=Path(folder) / f"{name}.png")


async def picture(screen: Screen, name: str) -> None:
    """Check that the page is not wider than the window, and keep what it looks like if somebody wants it."""
    assert await screen.overflow() <= 0
    folder = os.environ.get("PUSHDESK_SCREENSHOTS")
    if folder:
        await screen.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
