"""What people write is text, whatever it looks like, on both sides."""

import pytest

from tests.e2e.screens import IN_BROWSER, People, Screen, eventually
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


async def _count(screen: Screen) -> int:
    return len(await screen.messages())
