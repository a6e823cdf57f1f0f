"""A day at the panel: addresses, keys, what is unread while one reads above, and who comes next."""

from playwright.async_api import ViewportSize

from tests.e2e.made_up import MadeUp, busy, ticket, working
from tests.e2e.screens import IN_BROWSER, PHONE, Panel, People, eventually
from tests.helpers.product import ANNA

pytestmark = IN_BROWSER


async def test_each_chat_has_an_address_which_survives_a_reload_and_the_way_back(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=1))
    await panel.open(2)
    await panel.open(3)
    assert _address(panel) == "#/chats/3"
    await panel.page.reload()
    await eventually(lambda: _title(panel), "№ 3")
    await panel.page.go_back()
    await eventually(lambda: _title(panel), "№ 2")
    await panel.page.keyboard.press("Escape")
    await panel.find(".nothing").wait_for()
    assert _address(panel) == "#/"


async def test_address_of_a_chat_leads_there_through_the_log_in(people: People) -> None:
    panel = await people.panel()
    await busy(chats=3, waiting=1).answer(panel.page)
    await panel.page.goto(f"{panel.page.url}#/chats/2")
    await panel.log_in(ANNA)
    await eventually(lambda: _title(panel), "№ 2")
    await panel.log_out()
    assert _address(panel) == "#/", "whoever logs in next has other chats"


async def test_keys_lead_through_the_chats_in_any_layout_and_not_while_one_writes(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=2))
    first, second = (await panel.tickets())[:2]
    press = panel.page.keyboard.press
    await panel.find("#my-tickets-title").focus()
    # Where a Russian keyboard has о.
    await panel.page.evaluate(
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'о', code: 'KeyJ', bubbles: true}))"
    )
    await eventually(lambda: _title(panel), f"№ {first}")
    await eventually(panel.focused, "reply")
    await press("j")
    assert await panel.find("#reply").input_value() == "j"
    await press("Alt+ArrowDown")
    await eventually(lambda: _title(panel), f"№ {second}")
    assert await panel.find("#reply").input_value() == "", "each chat has a draft of its own"
    await press("Alt+n")
    await eventually(lambda: _title(panel), f"№ {first}")
    assert await panel.find("#reply").input_value() == "j"


async def test_arrows_go_from_row_to_row_and_a_half_written_answer_shows_in_its_row(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=2))
    first, second = (await panel.tickets())[:2]
    await panel.open(first)
    await panel.find("#reply").fill("Half an answer")
    await panel.page.keyboard.press("Escape")
    draft = (await panel.texts("operator", "en"))["draft"]
    await panel.ticket(first).get_by_text(f"{draft}: Half an answer").wait_for()
    for key, number in (("ArrowDown", second), ("ArrowUp", first), ("ArrowUp", first)):
        await panel.page.keyboard.press(key)
        assert await panel.page.evaluate("document.activeElement.dataset.ticket") == str(number)
    assert not await panel.find("#log").is_visible(), "walking opens nothing"


async def test_line_says_where_the_new_messages_begin(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=0))
    await panel.open(1)
    await panel.find("#log .message").nth(299).wait_for()
    after = await panel.find("#log .new-line ~ .message").all_text_contents()
    assert len(after) == 2, "those since the last answer"


async def test_help_sheet_shows_the_keys_and_single_letters_can_be_switched_off(people: People) -> None:
    panel = await working(people, busy(chats=2, waiting=0))
    await panel.find("#my-tickets-title").focus()
    await panel.page.keyboard.press("?")
    await panel.find("#help[open]").wait_for()
    assert await panel.focused() == "help-title"
    await panel.find("#letters").uncheck()
    await panel.page.keyboard.press("Escape")
    await panel.find("#help[open]").wait_for(state="hidden")
    await panel.find("#my-tickets-title").focus()
    await panel.page.keyboard.press("j")
    await panel.page.keyboard.press("Alt+ArrowDown")
    await panel.find("#log").wait_for()
    assert await _title(panel) == f"№ {(await panel.tickets())[0]}", "one step, not two"


async def test_what_comes_while_one_reads_above_is_unread_until_one_is_down_again(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    number = await widget.start("Ivan", "line\n" * 80)
    await panel.open(number)
    await panel.find("#log .message").wait_for()
    await panel.find("#log").evaluate("log => log.scrollTo(0, 0)")
    await panel.find("#below").wait_for()
    await widget.send("And one more thing")
    words = await panel.texts("operator", "en")
    await panel.find("#below").get_by_text(words["newBelow"].format(n=1)).wait_for()
    assert await panel.badge(number) == "1"
    assert await panel.find("#log").evaluate("log => log.scrollTop") == 0, "nobody is torn away from what they read"
    await panel.find("#below").click()
    await panel.find("#below").wait_for(state="detached")
    await eventually(lambda: panel.badge(number), "")


async def test_title_counts_who_waits_in_my_chats_and_in_the_queue(people: People) -> None:
    panel = await people.operator(ANNA)
    await panel.set_limit(1)
    first, second = await people.visitor(), await people.visitor()
    await first.open()
    number = await first.start("Ivan", "Hello")
    await panel.ticket(number).wait_for()
    await second.open()
    await second.start("Olga", "And I?")
    await eventually(panel.page.title, "(2) Pushdesk")
    await panel.open(number)
    await eventually(panel.page.title, "(1) Pushdesk")


async def test_queue_stays_in_the_window_of_a_phone_however_many_chats_there_are(people: People) -> None:
    panel = await working(people, busy(), PHONE)
    for selector in ("#my-tickets .row", "#queue .row", "#queue .take"):
        box = await panel.find(selector).first.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"], selector


async def test_chat_that_is_closed_makes_room_for_the_one_that_waits_longest(people: People) -> None:
    panel = await people.operator(ANNA)
    numbers = []
    for name in ("Ivan", "Olga"):
        widget = await people.visitor()
        await widget.open()
        numbers.append(await widget.start(name, "Hello"))
        await panel.ticket(numbers[-1]).wait_for()
    await panel.open(numbers[0])
    await panel.close_ticket()
    await eventually(lambda: _title(panel), f"№ {numbers[1]}")
    await eventually(panel.focused, "reply")


async def test_closing_can_be_taken_back_with_the_half_written_answer_and_by_key(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    number = await widget.start("Ivan", "Hello")
    await panel.open(number)
    await panel.find("#reply").fill("Half an answer")
    await panel.page.keyboard.press("Alt+e")
    await panel.find(".undo").wait_for()
    assert await panel.tickets() == []
    await panel.page.keyboard.press("Alt+z")
    await eventually(panel.tickets, [number])
    await eventually(panel.focused, "reply")
    assert await panel.find("#reply").input_value() == "Half an answer"
    await panel.send("Still here")
    await widget.expect(("visitor", "Hello"), ("operator", "Still here"))


async def test_chat_that_is_closed_stays_closed_over_a_reload_within_the_moment(people: People) -> None:
    panel = await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    await panel.open(await widget.start("Ivan", "Hello"))
    await panel.find("#close-ticket").click()
    await panel.find(".undo").wait_for()
    await panel.page.reload()
    await widget.find("#chat-new").wait_for()
    await eventually(panel.tickets, [])


async def test_colours_and_language_are_kept_in_this_browser(people: People) -> None:
    panel = await working(people, MadeUp([ticket(1, 1)], [], {1: []}))
    await panel.open_menu()
    await panel.find("#theme").select_option("dark")
    await panel.set_language("ru")
    await panel.page.reload()
    await panel.find("#my-tickets-title").get_by_text((await panel.texts("operator", "ru"))["mine"]).wait_for()
    assert await panel.find("html").get_attribute("data-theme") == "dark"
    assert await panel.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


async def test_who_writes_stands_beside_the_chat_where_there_is_room_and_else_over_it(people: People) -> None:
    panel = await working(people, busy(chats=3, waiting=0), ViewportSize(width=1440, height=900))
    await panel.open(3)
    email = panel.find(".visitor-pane a")
    await email.wait_for()
    await panel.page.set_viewport_size(ViewportSize(width=1024, height=768))
    await email.wait_for(state="hidden")
    await panel.find("#details").click()
    await email.wait_for()
    await panel.page.keyboard.press("Escape")
    await email.wait_for(state="hidden")
    assert await panel.find("#log").is_visible(), "Escape goes back by one step"


def _address(panel: Panel) -> str:
    return "#" + panel.page.url.partition("#")[2]


async def _title(panel: Panel) -> str:
    """The number of the open chat."""
    about = panel.find(".chat .about")
    return (await about.inner_text()).split(" · ")[0] if await about.count() else ""
