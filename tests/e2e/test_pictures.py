"""The screens as people see them, on a desk and on a phone. With PUSHDESK_SCREENSHOTS set, saved into that folder."""

import os
from pathlib import Path

import pytest
from playwright.async_api import ViewportSize

from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, People, Screen
from tests.helpers.product import BORIS

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


async def picture(screen: Screen, name: str) -> None:
    """Check that the page is not wider than the window, and keep what it looks like if somebody wants it."""
    assert await screen.overflow() <= 0
    folder = os.environ.get("PUSHDESK_SCREENSHOTS")
    if folder:
        await screen.page.screenshot(path=Path(folder) / f"{name}.png", animations="disabled")
