"""Several tabs, reloads, unread counts: each screen of a person shows the same conversation."""

from tests.e2e.screens import DEADLINE, IN_BROWSER, People, eventually
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER


async def test_two_tabs_of_one_visitor_show_the_same_chat_whichever_he_writes_in(
    people: People, product: Product
) -> None:
    panel = await people.operator(ANNA)
    first = await people.visitor()
    second = await people.visitor_in(first.context)
    await first.open()
    ticket = await first.start("Ivan", "From the first tab")
    await second.open()
    await second.expect(("visitor", "From the first tab"))

    await second.send("From the second tab")
    await first.expect(("visitor", "From the first tab"), ("visitor", "From the second tab"))
    await panel.open(ticket)
    await panel.send("To both")
    await first.send("And back")

    said = [
        ("visitor", "From the first tab"),
        ("visitor", "From the second tab"),
        ("operator", "To both"),
        ("visitor", "And back"),
    ]
    await eventually(lambda: _stored(product, ticket), 4)
    stored = product.stored(ticket)
    assert sorted(stored) == sorted(said)
    for screen in (first, second, panel):
        await screen.expect(*stored)
    await panel.close_ticket()
    for widget in (first, second):
        await widget.find("#chat-new").wait_for()


async def test_operator_who_reloads_finds_chats_queue_and_history_again(people: People) -> None:
    panel = await people.operator(ANNA)
    panel.page.set_default_timeout(DEADLINE * 1000)
    widgets = [await people.visitor() for _ in range(2)]
    tickets = []
    for number, widget in enumerate(widgets):
        await widget.open()
        tickets.append(await widget.start(f"Visitor {number}", f"question {number}"))
    await eventually(panel.tickets, tickets)
    await panel.open(tickets[0])
    await panel.send("answer 0")
    await widgets[0].expect(("visitor", "question 0"), ("operator", "answer 0"))

    await panel.page.reload()

    await panel.connected()
    # Whoever waits for an answer stands first.
    await eventually(panel.tickets, [tickets[1], tickets[0]])
    await panel.open(tickets[0])
    await panel.expect(("visitor", "question 0"), ("operator", "answer 0"))
    await widgets[1].send("never opened yet")
    await panel.open(tickets[1])
    await panel.expect(("visitor", "question 1"), ("visitor", "never opened yet"))
    await panel.send("answer 1")
    await widgets[1].expect(("visitor", "question 1"), ("visitor", "never opened yet"), ("operator", "answer 1"))


async def test_messages_in_a_chat_that_is_not_open_are_counted_until_it_is_opened(people: People) -> None:
    panel = await people.operator(ANNA)
    first, second = await people.visitor(), await people.visitor()
    await first.open()
    one = await first.start("Ivan", "first")
    await second.open()
    two = await second.start("Olga", "second")
    await panel.open(one)
    await panel.expect(("visitor", "first"))
    await eventually(lambda: panel.badge(two), "1")
    await second.send("are you there?")
    await eventually(lambda: panel.badge(two), "2")
    await eventually(panel.page.title, "(2) Pushdesk")
    assert await panel.badge(one) == ""

    await panel.page.reload()
    await panel.connected()
    await eventually(lambda: panel.badge(two), "2")

    await panel.open(two)
    await panel.expect(("visitor", "second"), ("visitor", "are you there?"))
    await eventually(lambda: panel.badge(two), "")
    await eventually(panel.page.title, "Pushdesk")


async def test_answer_to_a_visitor_who_closed_the_window_is_counted_on_the_button(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await widget.find("#chat-close").click()
    await panel.open(ticket)

    await panel.send("Good day")
    await eventually(widget.badge, "1")

    await widget.open()
    await eventually(widget.badge, "")
    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))


async def test_visitor_without_storage_chats_all_the_same(people: People) -> None:
    panel = await people.operator(ANNA)
    profile = await people.profile()
    await profile.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    widget = await people.visitor_in(profile)
    await widget.open()
    await widget.find("#visitor-name").fill("Ivan")
    await widget.find("#first-message").fill("Hello")
    await widget.find("#start-chat").click()
    await eventually(panel.tickets, [1])
    await panel.open(1)
    await panel.send("Good day")
    await widget.expect(("visitor", "Hello"), ("operator", "Good day"))
    await widget.send("It works")
    await panel.expect(("visitor", "Hello"), ("operator", "Good day"), ("visitor", "It works"))


async def _stored(product: Product, ticket: int) -> int:
    return len(product.stored(ticket))
