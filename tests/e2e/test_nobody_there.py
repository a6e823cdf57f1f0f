"""Nobody is there to answer: the widget says so, asks for an e-mail address, and notices when somebody comes or goes."""

import pytest

from relay.client import PushlerClient
from tests.e2e.axe import findings
from tests.e2e.screens import IN_BROWSER, People, eventually, until
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER


@pytest.mark.parametrize("lang", ["en", "ru"])
async def test_start_form_says_that_nobody_is_there_and_asks_for_an_address(
    people: People, product: Product, lang: str
) -> None:
    widget = await people.visitor(lang)
    texts = await widget.texts("widget", lang)
    await widget.open()
    await eventually(widget.find(".nobody").text_content, texts["nobodyStart"])
    assert await findings(widget, "pushdesk-widget") == []
    await widget.page.get_by_label(texts["nobodyEmail"]).fill("ivan@example.com")
    ticket = await widget.start("Ivan", "Anybody?")
    await eventually(widget.lines, [texts["away"]])
    assert await widget.find(".subtitle").inner_text() == texts["nobody"]
    assert product.rows("SELECT visitor_email FROM support_tickets WHERE id = ?", ticket) == [("ivan@example.com",)]


async def test_who_left_no_address_is_asked_for_one_in_the_chat(people: People) -> None:
    widget = await people.visitor()
    texts = await widget.texts("widget", "en")
    await widget.open()
    await widget.start("Ivan", "Anybody?")
    await eventually(widget.lines, [texts["awayAsk"]])


async def test_widget_notices_when_operators_come_and_go(people: People, product: Product) -> None:
    panel = await people.operator(ANNA)
    # So that the ticket waits although somebody is there.
    await panel.set_limit(0)
    widget = await people.visitor()
    texts = await widget.texts("widget", "en")
    limit = "SELECT max_tickets FROM support_operators_online WHERE user_id = ?"
    await until(lambda: _is(product, [(0,)], limit, ANNA.id), "the desk has the limit")
    await widget.open()
    await widget.start("Ivan", "Anybody?")
    await eventually(widget.lines, [texts["waiting"]])
    assert await widget.find(".subtitle").inner_text() == texts["waitingShort"]
    await until(lambda: _listens(product), "the widget listens")
    await panel.set_status("away")
    await eventually(widget.lines, [texts["awayAsk"]])
    await panel.set_status("online")
    await eventually(widget.lines, [texts["waiting"]])


async def _is(product: Product, wanted: list[tuple[object, ...]], query: str, *values: object) -> bool:
    return product.rows(query, *values) == wanted


async def _listens(product: Product) -> bool:
    async with PushlerClient(
        product.relay.key, product.relay.secret, app_id=product.relay.app_id, url=product.relay.url
    ) as relay:
        return bool((await relay.channel("support-status"))["occupied"])
