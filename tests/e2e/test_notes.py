"""Notes among operators: written by a switch or a key, seen by whoever has the chat next, and never by the visitor."""

from typing import Any, Final

from tests.e2e.screens import IN_BROWSER, Panel, People, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

# Without the name that is only spoken.
_TEXTS: Final = """all => all.map(one => [...one.childNodes]
  .filter(part => part.className !== 'spoken').map(part => part.textContent).join(''))"""


async def test_note_stands_in_the_thread_over_a_reload_and_the_visitor_never_sees_it(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    number = await widget.start("Ivan", "Hello")
    heard: list[str] = []
    widget.page.on("websocket", lambda socket: socket.on("framereceived", lambda data: heard.append(str(data))))
    await widget.page.reload()
    await panel.open(number)
    await panel.find("#reply").fill("Half an answer")
    await panel.page.keyboard.press("Alt+m")
    await panel.find("#reply-form.noting").wait_for()
    assert await panel.find("#reply").input_value() == "", "an answer does not turn into a note"
    await panel.send("No discount for them")
    words = await panel.texts("operator", "en")
    note = panel.find("#log .note")
    await note.get_by_text("No discount for them").wait_for()
    assert words["noteBy"].partition("{name}")[2] in (await note.inner_text())
    await panel.find("#note-switch").click()
    await panel.find("#reply-form.noting").wait_for(state="detached")
    assert await panel.find("#reply").input_value() == "Half an answer"
    await panel.send("Good day")
    await panel.expect(("visitor", "Hello"), ("operator", "Good day"))
    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))
    assert "discount" not in (await widget.find("body").inner_text()) + "".join(heard)
    await panel.page.reload()
    await eventually(lambda: _order(panel), ["Hello", "No discount for them", "Good day"])


async def _order(panel: Panel) -> Any:
    """What stands in the log from top to bottom."""
    return await panel.find("#log :is(.message, .note) p").evaluate_all(_TEXTS)
