"""Both sides see what the other one has read, and what was read once is not unread elsewhere."""

from tests.e2e.screens import IN_BROWSER, Panel, People, Widget, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER

SENT, READ = "✓", "✓✓"


async def marks(screen: Widget | Panel, side: str) -> list[str]:
    """The marks of this side's messages, from top to bottom."""
    texts = await screen.find(f"{screen.log} .message.{side}").all_text_contents()
    return ["✓" * text.count("✓") for text in texts]


async def test_a_message_is_marked_as_read_once_it_was_on_the_other_sides_screen(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    first = await widget.start("Ivan", "Where is my order?")
    await eventually(panel.tickets, [first])
    await panel.open(first)
    await eventually(lambda: marks(widget, "visitor"), [READ])

    await panel.send("On its way")
    await eventually(lambda: marks(panel, "operator"), [READ])


async def test_what_nobody_looked_at_is_only_sent_until_they_do(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Where is my order?")
    await eventually(panel.tickets, [ticket])
    await panel.open(ticket)
    await widget.find("#chat-close").click()
    await panel.send("On its way")
    await eventually(lambda: marks(panel, "operator"), [SENT])
    await eventually(widget.badge, "1")

    await widget.open()
    await eventually(lambda: marks(panel, "operator"), [READ])


async def test_what_an_operator_has_read_is_not_unread_in_another_browser(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Where is my order?")
    await eventually(panel.tickets, [ticket])
    await eventually(lambda: panel.badge(ticket), "1")
    await panel.open(ticket)
    await eventually(lambda: marks(widget, "visitor"), [READ])

    elsewhere = await people.operator(ANNA)
    await elsewhere.connected()
    await eventually(elsewhere.tickets, [ticket])
    assert await elsewhere.badge(ticket) == ""
