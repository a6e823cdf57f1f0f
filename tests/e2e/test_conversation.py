"""A visitor and an operator talk, from the first click to the closed chat; nothing is lost, doubled or out of order."""

from tests.e2e.screens import IN_BROWSER, People, eventually, isolated, until
from tests.helpers.product import ANNA, BORIS, Product

pytestmark = IN_BROWSER


async def test_visitor_and_operator_talk_until_the_operator_closes_and_both_have_each_message_once(
    people: People, product: Product
) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()

    ticket = await widget.start("Ivan", "Where is my order?")
    await eventually(panel.tickets, [ticket])
    await panel.open(ticket)
    said = [("visitor", "Where is my order?")]
    await panel.expect(*said)

    await widget.type_until(panel.typing, "the operator sees that the visitor is typing")
    await panel.type_until(widget.typing, "the visitor sees that the operator is typing")

    for number in range(3):
        await widget.send(f"question {number}")
        said.append(("visitor", f"question {number}"))
        await panel.expect(*said)
        await panel.send(f"answer {number}")
        said.append(("operator", f"answer {number}"))
        await widget.expect(*said)

    await widget.page.reload()
    await widget.open()
    await widget.expect(*said)
    await widget.send("after the reload")
    said.append(("visitor", "after the reload"))
    await panel.expect(*said)
    await panel.send("still here")
    said.append(("operator", "still here"))
    await widget.expect(*said)

    await panel.close_ticket()
    await eventually(panel.tickets, [])
    await widget.find("#chat-new").wait_for()
    await widget.expect(*said)
    assert (await widget.lines())[-1] == (await widget.texts("widget", "en"))["thanks"]
    assert product.stored(ticket) == said

    await widget.find("#chat-new").click()
    second = await widget.start("Ivan", "One more thing")
    assert second != ticket
    await eventually(panel.tickets, [second])
    await widget.expect(("visitor", "One more thing"))


async def test_typing_indicators_disappear_by_themselves(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)

    await widget.type_until(panel.typing, "the operator sees that the visitor is typing")
    await eventually(panel.typing, "", within=8)
    await panel.type_until(widget.typing, "the visitor sees that the operator is typing")
    await eventually(widget.typing, False, within=8)


async def test_visitor_who_ends_the_chat_is_seen_by_the_operator_who_takes_it_off_the_list(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)

    await widget.end()

    await panel.find("#dismiss").click()
    await eventually(panel.tickets, [])


async def test_closed_chat_stays_readable_after_a_reload_and_a_new_one_can_be_started(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await panel.send("Good day")
    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))
    await panel.close_ticket()
    await widget.find("#chat-new").wait_for()

    await widget.page.reload()
    await widget.open()

    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))
    assert not await widget.find("#chat-input").is_visible()
    await widget.find("#chat-new").click()
    await widget.find("#start-form").wait_for()


async def test_waiting_visitor_is_told_so_and_then_who_came_and_what_was_written_meanwhile_is_there_once(
    people: People, product: Product
) -> None:
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Is anybody there?")
    texts = await widget.texts("widget", "en")
    await eventually(widget.lines, [texts["awayAsk"]])
    await widget.send("I can wait")
    said = [("visitor", "Is anybody there?"), ("visitor", "I can wait")]
    await widget.expect(*said)

    panel = await people.operator(ANNA)

    await eventually(panel.tickets, [ticket])
    await eventually(widget.lines, [texts["joined"].replace("{name}", isolated("Anna"))])
    await panel.open(ticket)
    await panel.expect(*said)
    await panel.send("I am")
    said.append(("operator", "I am"))
    await widget.expect(*said)
    await panel.expect(*said)
    assert product.stored(ticket) == said


async def test_waiting_visitor_shows_in_the_queue_until_an_operator_is_online(people: People) -> None:
    panel = await people.operator(ANNA)
    await panel.set_status("away")
    widget = await people.visitor()
    await widget.open()
    await until(lambda: _is_away(people.product), "the desk knows that the operator is away")

    ticket = await widget.start("Ivan", "Hello")
    await eventually(panel.queue, [ticket])
    assert await panel.tickets() == []

    await panel.set_status("online")
    await eventually(panel.tickets, [ticket])
    await eventually(panel.queue, [])


async def test_second_visitor_goes_to_the_other_operator(people: People) -> None:
    anna = await people.operator(ANNA)
    boris = await people.operator(BORIS)
    first, second = await people.visitor(), await people.visitor()
    await first.open()
    one = await first.start("Ivan", "I came first")
    await second.open()
    two = await second.start("Olga", "I came second")

    await until(anna.tickets, "Anna has a chat")
    await until(boris.tickets, "Boris has a chat")
    assert sorted([*await anna.tickets(), *await boris.tickets()]) == [one, two]
    assert await anna.queue() == await boris.queue() == []


async def _is_away(product: Product) -> bool:
    return product.rows("SELECT status FROM support_operators_online WHERE user_id = ?", ANNA.id) == [("away",)]
