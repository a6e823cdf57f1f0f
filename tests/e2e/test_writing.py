"""What a visitor is writing: it is kept until it is sent, its field grows, and keys do what a device makes one expect."""

import asyncio

from tests.e2e.screens import IN_BROWSER, PHONE, People, Widget, eventually, until
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER


async def value(widget: Widget, field: str) -> str:
    return await widget.find(field).input_value()


async def test_half_written_question_is_there_after_a_reload_and_in_the_other_language(people: People) -> None:
    widget = await people.visitor()
    await widget.open()
    written = {"#visitor-name": "Iv", "#visitor-email": "iv@", "#first-message": "Where is\nmy "}
    for field, text in written.items():
        await widget.find(field).fill(text)
    for path in ("/", "/?lang=ru", "/?lang=en"):
        await widget.page.goto(people.product.url + path)
        await widget.open()
        assert {field: await value(widget, field) for field in written} == written


async def test_half_written_message_is_there_until_it_is_sent(people: People) -> None:
    widget = await people.visitor()
    await widget.open()
    await widget.start("Ivan", "Hello")
    assert await value(widget, "#chat-input") == ""
    await widget.find("#chat-input").fill("half of an ans")
    for path in ("/", "/?lang=ru"):
        await widget.page.goto(people.product.url + path)
        await widget.open()
        await widget.find("#chat-input").wait_for()
        assert await value(widget, "#chat-input") == "half of an ans"
    await widget.send("All of it")
    await widget.expect(("visitor", "Hello"), ("visitor", "All of it"))
    await widget.page.reload()
    await widget.open()
    await widget.find("#chat-input").wait_for()
    assert await value(widget, "#chat-input") == ""


async def test_what_was_half_written_when_the_chat_ended_begins_the_next_one_and_stays_nowhere_else(
    people: People,
) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await widget.find("#chat-input").fill("And ano")
    await panel.open(ticket)
    await panel.close_ticket()
    await widget.find("#chat-new").wait_for()
    await widget.page.reload()
    await widget.open()
    await widget.find("#chat-new").click()
    assert await value(widget, "#first-message") == "And ano"
    keys = await widget.page.evaluate("Object.keys(localStorage).filter(key => /draft:/.test(key))")
    assert keys == []


async def test_field_grows_with_wrapped_text_up_to_a_bound_and_the_last_message_stays_in_view(people: People) -> None:
    widget = await people.visitor()
    await widget.open()
    await widget.start("Ivan", "line\n" * 60)
    field = widget.find("#chat-input")
    heights = []
    for words in (1, 12, 24, 400):
        await field.fill("word " * words)
        heights.append(await field.evaluate("node => node.clientHeight"))
    assert heights[0] < heights[1] < heights[2] < heights[3] < 200, heights
    assert await widget.find(widget.log).evaluate("log => log.scrollHeight - log.scrollTop - log.clientHeight < 2")
    await widget.page.reload()
    await widget.open()
    await eventually(lambda: field.evaluate("node => node.clientHeight"), heights[3])
    await field.fill("")
    assert await field.evaluate("node => node.clientHeight") == heights[0]


async def test_enter_makes_a_new_line_on_a_phone_and_the_button_sends(people: People) -> None:
    widget = await people.visitor_in(await people.profile(viewport=PHONE, touch=True))
    await widget.open()
    await widget.start("Ivan", "Hello")
    field = widget.find("#chat-input")
    assert await field.get_attribute("enterkeyhint") == "enter"
    await field.press("a")
    await field.press("Enter")
    await field.press("b")
    assert await field.input_value() == "a\nb"
    await widget.find("#chat-form .send").click()
    await widget.expect(("visitor", "Hello"), ("visitor", "a\nb"))


async def test_enter_that_ends_a_composition_in_safari_does_not_send(people: People) -> None:
    widget = await people.visitor()
    await widget.open()
    await widget.start("Ivan", "Hello")
    await widget.find("#chat-input").fill("にほんご")
    was_taken = await widget.find("#chat-input").evaluate("""field => !field.dispatchEvent(
      new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, composed: true, cancelable: true}))""")
    assert not was_taken
    assert await value(widget, "#chat-input") == "にほんご"


async def test_two_tabs_that_start_at_once_make_one_ticket_with_both_questions(
    people: People, product: Product
) -> None:
    profile = await people.profile()
    tabs = [await people.visitor_in(profile) for _ in range(2)]
    for number, tab in enumerate(tabs):
        await tab.open()
        await tab.find("#visitor-name").fill("Ivan")
        await tab.find("#first-message").fill(f"Question {number}")
    await asyncio.gather(*(tab.find("#start-chat").evaluate("button => button.click()") for tab in tabs))
    await until(lambda: _both_have(tabs, 2), "both tabs show both questions")
    assert product.rows("SELECT count(*) FROM support_tickets") == [(1,)]
    assert sorted(product.stored(await tabs[0].ticket_id())) == [("visitor", "Question 0"), ("visitor", "Question 1")]


async def test_two_tabs_without_web_locks_make_one_ticket_too(people: People, product: Product) -> None:
    profile = await people.profile()
    # As on a page without https.
    await profile.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})")
    tabs = [await people.visitor_in(profile) for _ in range(2)]
    for number, tab in enumerate(tabs):
        await tab.open()
        await tab.find("#visitor-name").fill("Ivan")
        await tab.find("#first-message").fill(f"Question {number}")
    await asyncio.gather(*(tab.find("#start-chat").evaluate("button => button.click()") for tab in tabs))
    await until(lambda: _both_have(tabs, 2), "both tabs show both questions")
    assert product.rows("SELECT count(*) FROM support_tickets") == [(1,)]


async def test_question_that_was_being_written_when_another_tab_opened_the_chat_is_in_its_field(people: People) -> None:
    profile = await people.profile()
    one, two = [await people.visitor_in(profile) for _ in range(2)]
    for tab in (one, two):
        await tab.open()
    await two.find("#first-message").fill("I was about to ask")
    await one.find("#first-message").fill("")
    await one.start("Ivan", "Hello")
    await two.find("#chat-input").wait_for()
    assert await value(two, "#chat-input") == "I was about to ask"


async def _both_have(tabs: list[Widget], count: int) -> bool:
    return all([len(await tab.messages()) == count for tab in tabs])
