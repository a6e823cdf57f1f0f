"""What people write is text, whatever it looks like, on both sides; its addresses are links that lead where they seem to."""

import pytest

from tests.e2e.screens import IN_BROWSER, Panel, People, Said, Screen, Widget, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

ATTACK = '<img src=x onerror="window.attacked=1"><script>window.attacked=2</script>'

TEXTS = (
    pytest.param(ATTACK, id="HTML"),
    pytest.param("\"quotes\" 'quotes' `ticks` & &lt;b&gt; \\n ${1} {name} %s", id="quotes and entities"),
    pytest.param("שלום עולם, مرحبا \u202eabc\u202c", id="right to left"),
    pytest.param("👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 e\u0301 𝒳", id="emoji"),
    pytest.param("line one\nline two\n\n  indented", id="lines"),
    pytest.param("x" * 4_000, id="4,000 characters without a space"),
    pytest.param("Щ" * 4_000, id="4,000 Cyrillic letters"),
)


@pytest.mark.parametrize("text", TEXTS)
async def test_text_is_shown_as_it_was_written_on_both_sides(people: People, text: str) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    name = text[:90].splitlines()[0]
    ticket = await widget.start(name, text)
    await panel.open(ticket)
    await panel.expect(("visitor", text))
    shown = name.replace("\u202e", "").replace("\u202c", "")  # names turn nothing around
    assert await panel.find("#chat-title").text_content() == " ".join(shown.split())

    await panel.send(text)
    await widget.send(text)

    for screen in (panel, widget):
        await eventually(lambda screen=screen: _count(screen), 3)  # type: ignore[misc]  # the default binds the loop's value
        assert {said for _, said, _ in await screen.shown()} == {text}
        assert await screen.find(f"{screen.log} img, {screen.log} script, {screen.log} b").count() == 0
        assert await screen.page.evaluate("window.attacked ?? 'no'") == "no"
        assert await screen.overflow() <= 0


SAFE = {"target": "_blank", "rel": "noopener noreferrer nofollow"}
LINKS = (
    "Shop: https://shop.example/a?b=1#c. (See www.shop.example/x_(y)!) Write to help@shop.example, please.\n"
    "Or https://президент.рф/ and https://bank.example@evil.example/"
)
LEAD_TO = (
    ("https://shop.example/a?b=1#c", "https://shop.example/a?b=1#c"),
    ("www.shop.example/x_(y)", "https://www.shop.example/x_(y)"),
    ("help@shop.example", "mailto:help@shop.example"),
    ("https://президент.рф/", "https://xn--d1abbgf6aiiy.xn--p1ai/"),
    ("https://bank.example", "https://bank.example/"),
)
NO_LINKS = (
    "javascript:alert(1) JAVASCRIPT://a.example/%0aalert(1) data:text/html,<script>alert(1)</script> file:///etc/passwd "
    '<a href="javascript:alert(1)">x</a> https://аpple.example http:// www. @name node.js'
)


async def test_addresses_are_links_that_lead_where_they_seem_to_and_lines_break_on_both_sides(people: People) -> None:
    panel, widget = await _both_show(people, LINKS, NO_LINKS, "one\ntwo\n\n  four")
    for screen in (panel, widget):
        messages = await screen.find(f"{screen.log} .message:not(.system)").all()
        for number, message in enumerate(messages):
            links = message.locator("a")
            wanted = [list(to) for to in LEAD_TO] if number < 2 else []
            assert await links.evaluate_all("all => all.map(a => [a.textContent, a.href])") == wanted
            for link in await links.all():
                assert {name: await link.get_attribute(name) for name in SAFE} == SAFE
        assert [await message.locator("p").first.evaluate(_LINES) for message in messages[-2:]] == [4, 4]


async def test_a_link_opens_beside_the_chat_and_does_not_learn_where_it_was_clicked(people: People) -> None:
    target = f"{people.product.url}/?lang=en"
    panel, widget = await _both_show(people, f"Look: {target}")
    for screen in (panel, widget):
        async with screen.context.expect_page() as opened:
            await screen.find(f"{screen.log} .message a").first.click()
        page = await opened.value
        await page.wait_for_load_state()
        assert page.url == target
        assert await page.evaluate("[window.opener, document.referrer]") == [None, ""]
        await page.close()


# How many lines a paragraph takes: of what is for screen readers only, none.
_LINES = """node => {
  const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(node);
  return Math.round((node.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom)) / parseFloat(lineHeight));
}"""


async def _both_show(people: People, *texts: str) -> tuple[Panel, Widget]:
    """An open chat, in which the visitor and then the operator have written each of the texts."""
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    await panel.open(await widget.start("Ivan", texts[0]))
    said: list[Said] = []
    for number, text in enumerate(texts):
        if number:
            await widget.send(text)
        await panel.expect(*said, ("visitor", text))
        await panel.send(text)
        said += [("visitor", text), ("operator", text)]
        await widget.expect(*said)
    await panel.expect(*said)
    return panel, widget


async def _count(screen: Screen) -> int:
    return len(await screen.messages())
