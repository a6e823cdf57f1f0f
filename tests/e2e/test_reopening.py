"""A chat that has ended goes on: its visitor writes again, or its operator opens it."""

from tests.e2e.screens import IN_BROWSER, People, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER


async def test_a_closed_chat_goes_on_where_it_ended_for_visitor_and_operator(people: People) -> None:
    anna = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await anna.open(ticket)
    await anna.send("I am Anna")
    await widget.expect(("visitor", "Hello"), ("operator", "I am Anna"))
    words = await widget.texts("widget", "en")

    await widget.end()
    await widget.find("#chat-reopen").click()
    await eventually(anna.tickets, [ticket])
    again = ("system", words["systemReopened"])
    said = [("visitor", "Hello"), ("operator", "I am Anna"), again]
    await widget.expect(*said)
    await widget.send("One more thing")
    await anna.open(ticket)
    await anna.expect(*said, ("visitor", "One more thing"))

    await widget.end()
    await anna.find("#reopen").click()
    said += [("visitor", "One more thing"), again]
    await anna.expect(*said)
    await anna.send("Not yet")
    await widget.page.reload()
    await widget.open()
    await widget.expect(*said, ("operator", "Not yet"))
