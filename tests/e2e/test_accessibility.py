"""Keyboard, names for screen readers, and small screens, in both languages."""

import re

import pytest
from playwright.async_api import ViewportSize

from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, People, Screen, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

languages = pytest.mark.parametrize("lang", ["en", "ru"])


async def tab_to(screen: Screen, target: str) -> None:
    """Press Tab until the element with that id has the focus."""
    for _ in range(40):
        if await screen.focused() == target:
            return
        await screen.page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {target}")


@languages
async def test_visitor_needs_no_mouse(people: People, lang: str) -> None:
    panel = await people.operator(ANNA, lang)
    widget = await people.visitor(lang)
    keyboard = widget.page.keyboard
    await tab_to(widget, "support-toggle")
    await keyboard.press("Enter")
    assert await widget.focused() == "visitor-name"
    await keyboard.type("Ivan")
    await tab_to(widget, "first-message")
    await keyboard.type("By keyboard")
    await tab_to(widget, "start-chat")
    await keyboard.press("Enter")
    await eventually(widget.focused, "chat-input")
    await keyboard.type("one")
    await keyboard.press("Shift+Enter")
    await keyboard.type("two")
    await keyboard.press("Enter")
    await panel.open(await widget.ticket_id())
    await panel.expect(("visitor", "By keyboard"), ("visitor", "one\ntwo"))

    await keyboard.press("Escape")
    assert not await widget.find("#support-chat").is_visible()
    assert await widget.focused() == "support-toggle"
    await keyboard.press("Enter")
    assert await widget.focused() == "chat-input"

    await tab_to(widget, "chat-end")
    await keyboard.press("Enter")
    assert await widget.focused() == "chat-end-yes"
    await keyboard.press("Escape")
    assert await widget.find("#support-chat").is_visible(), "the first Escape takes back only the question"
    assert await widget.focused() == "chat-input"


@languages
async def test_operator_needs_no_mouse(people: People, lang: str) -> None:
    panel = await people.panel(lang)
    await panel.find("#login-form").wait_for()
    assert await panel.focused() == "login-email"
    keyboard = panel.page.keyboard
    await keyboard.type(ANNA.email)
    await keyboard.press("Tab")
    await keyboard.type(ANNA.password)
    await keyboard.press("Enter")
    await panel.connected()
    widget = await people.visitor(lang)
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.ticket(ticket).wait_for()

    for _ in range(40):
        if await panel.page.evaluate("document.activeElement.dataset.ticket ?? ''") == str(ticket):
            break
        await keyboard.press("Tab")
    await keyboard.press("Enter")
    await eventually(panel.focused, "reply")
    await keyboard.type("By keyboard")
    await keyboard.press("Enter")
    await widget.expect(("visitor", "Hello"), ("operator", "By keyboard"))

    await keyboard.press("Escape")
    await eventually(lambda: panel.find("#log").is_visible(), False)
    assert await panel.page.evaluate("document.activeElement.dataset.ticket ?? ''") == str(ticket)


@languages
async def test_widget_has_roles_and_names_in_its_language(people: People, lang: str) -> None:
    await people.operator(ANNA, lang)
    widget = await people.visitor(lang)
    texts = await widget.texts("widget", lang)
    page = widget.page
    launcher = page.get_by_role("button", name=texts["open"], exact=True)
    assert await launcher.get_attribute("aria-expanded") == "false"
    await launcher.click()
    dialog = page.get_by_role("dialog", name=texts["title"], exact=True)
    await dialog.wait_for()
    for key in ("name", "email", "question"):
        await dialog.get_by_role("textbox", name=texts[key]).wait_for()
    await widget.start("Ivan", "Hello")
    await dialog.get_by_role("log", name=texts["history"]).wait_for()
    await dialog.get_by_role("textbox", name=texts["message"]).wait_for()
    for key in ("send", "close", "end"):
        await dialog.get_by_role("button", name=texts[key], exact=True).wait_for()
    await ensure_named(widget)
    assert bool(re.search("[а-я]", " ".join(texts.values()))) is (lang == "ru")


@languages
async def test_panel_has_roles_and_names_in_its_language(people: People, lang: str) -> None:
    panel = await people.panel(lang)
    texts = await panel.texts("operator", lang)
    page = panel.page
    await page.get_by_role("heading", name=texts["loginTitle"]).wait_for()
    await page.get_by_label(texts["email"]).wait_for()
    await page.get_by_label(texts["password"]).wait_for()
    await ensure_named(panel)
    await panel.log_in(ANNA)
    assert await page.locator("html").get_attribute("lang") == lang
    widget = await people.visitor(lang)
    await widget.open()
    await panel.open(await widget.start("Ivan", "Hello"))
    await page.get_by_role("log", name=texts["history"]).wait_for()
    await page.get_by_role("textbox", name=texts["message"]).wait_for()
    await page.get_by_role("button", name=texts["send"], exact=True).wait_for()
    await page.get_by_role("navigation").wait_for()
    await page.get_by_role("main").wait_for()
    await ensure_named(panel)


@languages
async def test_pages_fit_a_phone(people: People, lang: str) -> None:
    panel = await people.panel(lang, PHONE)
    await panel.find("#login-form").wait_for()
    assert await panel.overflow() <= 0, "the log-in page"
    await panel.log_in(ANNA)
    assert await panel.overflow() <= 0, "the empty panel"
    widget = await people.visitor(lang, PHONE)
    assert await widget.overflow() <= 0, "the shop"
    await widget.open()
    assert await widget.overflow() <= 0, "the start form"
    ticket = await widget.start("Ivan Ivanovich-" + "Long" * 15, "A question with a_very_long_word_" + "o" * 200)
    await panel.ticket(ticket).wait_for()
    assert await panel.overflow() <= 0, "the list"
    await panel.open(ticket)
    await panel.send("https://shop.example/" + "path/" * 60)
    await eventually(lambda: widget.find(f"{widget.log} .message").count(), 2)
    for screen, selector in ((panel, "#reply"), (widget, "#chat-input")):
        assert await screen.overflow() <= 0
        box = await screen.find(selector).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
        assert box["y"] + box["height"] <= PHONE["height"], "one can write without scrolling"
        size: str = await screen.find(selector).evaluate("node => getComputedStyle(node).fontSize")
        assert float(size.removesuffix("px")) >= 16, "an iPhone zooms into smaller fields"


@languages
async def test_empty_start_form_leads_to_its_first_fault(people: People, lang: str) -> None:
    widget = await people.visitor(lang)
    texts = await widget.texts("widget", lang)
    await widget.open()
    await widget.find("#start-chat").click()
    for selector, key in (("#visitor-name", "needName"), ("#first-message", "needQuestion")):
        field = widget.find(selector)
        await eventually(widget.focused, selector[1:])
        assert await field.get_attribute("aria-invalid") == "true"
        note = widget.find(f"#{await field.get_attribute('aria-describedby')}")
        assert await note.inner_text() == texts[key]
        await field.fill("x")
        assert await field.get_attribute("aria-invalid") == "false"
        if key == "needName":
            await widget.find("#start-chat").click()


async def test_text_that_is_too_long_is_told_at_its_field_and_stays_there(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    for screen, field, part in ((widget, "#chat-input", "widget"), (panel, "#reply", "operator")):
        await screen.find(field).fill("x" * 4001)
        note = screen.find(f"{field}-error")
        assert await note.inner_text() == (await screen.texts(part, "en"))["tooLong"]
        await screen.find(field).press("Enter")
        assert len(await screen.find(field).input_value()) == 4001
        await screen.find(field).fill("short")
        assert not await note.is_visible()
    assert await widget.messages() == [("visitor", "Hello")]


@pytest.mark.parametrize("viewport", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
async def test_tab_leaves_the_window_only_where_it_does_not_cover_the_page(
    people: People, viewport: ViewportSize
) -> None:
    widget = await people.visitor(viewport=viewport)
    covers = viewport is PHONE
    await widget.open()
    assert await widget.find("#support-chat").get_attribute("aria-modal") == str(covers).lower()
    for key in ("Tab", "Shift+Tab"):
        seen = set()
        for _ in range(15):
            await widget.page.keyboard.press(key)
            seen.add(await widget.page.evaluate("document.activeElement.id"))
        assert (seen == {"pushdesk-widget"}) is covers, key


async def test_other_chats_of_a_phone_are_counted_at_the_way_back(people: People) -> None:
    panel = await people.panel("en", PHONE)
    await panel.log_in(ANNA)
    first, second = await people.visitor(), await people.visitor()
    await first.open()
    ticket = await first.start("Ivan", "Hello")
    await panel.open(ticket)
    count = panel.find("#back .badge")
    assert not await count.is_visible()
    await second.open()
    await second.start("Maria", "And I?")
    await count.wait_for()
    assert await count.inner_text() == "1"


async def ensure_named(screen: Screen) -> None:
    """All visible controls have a name, and no id stands twice in one tree."""
    problems: list[str] = await screen.page.evaluate("""() => {
      const problems = [];
      const look = root => {
        const ids = new Set();
        for (const node of root.querySelectorAll('*')) {
          if (node.id && ids.has(node.id)) problems.push('twice: ' + node.id);
          ids.add(node.id);
          if (node.matches('button, input, select, textarea, a[href]') && node.checkVisibility()) {
            const labels = [...(node.labels ?? [])].map(label => label.textContent).join('');
            const name = node.getAttribute('aria-label') || labels || (node.matches('button, a') ? node.textContent : '');
            if (!name.trim()) problems.push('without a name: ' + node.outerHTML);
          }
          const mute = node.hasAttribute('alt') || node.ariaHidden === 'true';
          if (node.matches('img, svg') && !mute) problems.push('picture: ' + node.outerHTML);
          if (node.tabIndex > 0) problems.push('tab order: ' + node.outerHTML);
          if (node.shadowRoot) look(node.shadowRoot);
        }
      };
      look(document);
      return problems;
    }""")
    assert problems == []
