"""The PHP-style integration, unchanged: the tutorial's classes against our relay, our paths and our other half."""

import asyncio

import pytest

from tests.e2e.screens import IN_BROWSER, People, eventually, until
from tests.e2e.tutorial import open_panel, open_widget, require_tutorial
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER


@pytest.fixture(autouse=True)
def tutorial() -> None:
    """Comes before the processes of the product are started."""
    require_tutorial()


async def test_old_widget_and_old_panel_talk_to_each_other(people: People, product: Product) -> None:
    panel = await open_panel(await people.profile("ru"), product, ANNA)
    widget = await open_widget(await people.profile("ru"), product)
    people.screens += [panel, widget]

    ticket = await widget.start("Иван", "Где мой заказ?")

    await eventually(panel.tickets, [ticket])
    assigned = (await panel.value("tickets"))[0]
    assert assigned == assigned | {"ticket_id": ticket, "visitor_name": "Иван", "message": "Где мой заказ?"}
    await eventually(lambda: panel.value("queue.length"), 1)
    new = (await panel.value("queue"))[0]
    assert new == new | {"ticket_id": ticket, "visitor_name": "Иван", "status": "active", "operator_id": ANNA.id}
    assert await panel.value("sounds") == 1
    await panel.open(ticket)
    await panel.expect(("visitor", "Где мой заказ?"))

    await widget.send("Номер 17")
    await panel.expect(("visitor", "Где мой заказ?"), ("visitor", "Номер 17"))
    await widget.expect(("visitor", "Где мой заказ?"), ("visitor", "Номер 17"))
    await eventually(lambda: panel.value("typing"), ticket)
    await panel.send("Уже <b>едет</b>")
    said = [("visitor", "Где мой заказ?"), ("visitor", "Номер 17"), ("operator", "Уже <b>едет</b>")]
    await widget.expect(*said)
    assert product.stored(ticket) == said
    assert await panel.value("seen.map(one => one.type)") == ["number"]

    await panel.open(ticket)
    await panel.expect(*said)

    await panel.close(ticket)
    await eventually(lambda: widget.find("#chat-form").is_visible(), False)
    assert await widget.lines() == ["Чат завершён. Спасибо за обращение!"]


async def test_after_a_restart_of_the_relay_the_old_classes_show_each_message_once(
    people: People, product: Product
) -> None:
    panel = await open_panel(await people.profile("ru"), product, ANNA)
    widget = await open_widget(await people.profile("ru"), product)
    ticket = await widget.start("Иван", "Раз")
    await eventually(panel.tickets, [ticket])
    await panel.open(ticket)
    sockets = [await screen.value("pushler.socketId") for screen in (widget, panel)]

    await asyncio.to_thread(product.relay.kill)
    await asyncio.to_thread(product.relay.start)
    for screen, socket in zip((widget, panel), sockets, strict=True):
        await screen.reconnected(socket)
        await screen.joined(f"private-ticket-{ticket}")
    await panel.joined(f"private-operator-{ANNA.id}", "private-support-queue")

    await widget.send("Два")
    await panel.expect(("visitor", "Раз"), ("visitor", "Два"))
    await panel.send("Три")
    await widget.expect(("visitor", "Раз"), ("visitor", "Два"), ("operator", "Три"))

    # The handlers of `connected` are bound once more by each connection, and must not run twice.
    second = await open_widget(await people.profile("ru"), product)
    other = await second.start("Ольга", "Новый чат")
    await eventually(panel.tickets, [ticket, other])
    await eventually(lambda: panel.value("queue.length"), 2)
    await panel.send("Четыре")
    await widget.expect(("visitor", "Раз"), ("visitor", "Два"), ("operator", "Три"), ("operator", "Четыре"))
    assert await panel.tickets() == [ticket, other]
    assert await panel.value("sounds") == 2
    await panel.expect(("visitor", "Раз"), ("visitor", "Два"))


async def test_old_widget_talks_to_the_panel(people: People, product: Product) -> None:
    panel = await people.operator(ANNA, "ru")
    widget = await open_widget(await people.profile("ru"), product)
    people.screens.append(widget)
    ticket = await widget.start("Иван", "Где мой заказ?")
    await panel.open(ticket)
    await widget.find("#chat-input").press("x")
    await until(panel.typing, "the operator sees that the visitor is typing")

    await panel.type_until(widget.typing, "the visitor sees that the operator is typing")
    await panel.send("Сейчас посмотрю")
    await widget.expect(("visitor", "Где мой заказ?"), ("operator", "Сейчас посмотрю"))
    await eventually(widget.typing, False)
    await widget.send("Спасибо")
    said = [("visitor", "Где мой заказ?"), ("operator", "Сейчас посмотрю"), ("visitor", "Спасибо")]
    await panel.expect(*said)
    await widget.expect(*said)
    await panel.close_ticket()
    await eventually(lambda: widget.find("#chat-form").is_visible(), False)


async def test_old_widget_says_that_nobody_is_there_yet(people: People, product: Product) -> None:
    widget = await open_widget(await people.profile("ru"), product)
    ticket = await widget.start("Иван", "Есть кто?")
    assert await widget.lines() == ["Ожидайте, оператор скоро подключится..."]

    panel = await people.operator(ANNA, "ru")

    await panel.open(ticket)
    await panel.send("Есть")
    await widget.expect(("visitor", "Есть кто?"), ("operator", "Есть"))


async def test_old_panel_talks_to_the_widget(people: People, product: Product) -> None:
    panel = await open_panel(await people.profile("ru"), product, ANNA)
    widget = await people.visitor("ru")
    await widget.open()
    ticket = await widget.start("Иван", "Где мой заказ?")
    await eventually(panel.tickets, [ticket])
    await panel.open(ticket)
    await panel.send("Сейчас посмотрю")
    await widget.expect(("visitor", "Где мой заказ?"), ("operator", "Сейчас посмотрю"))
    await widget.type_until(lambda: panel.value("typing"), "the panel is told that the visitor is typing")
    await widget.send("Жду")
    await panel.expect(("visitor", "Где мой заказ?"), ("visitor", "Жду"))
    await panel.close(ticket)
    await widget.find("#chat-new").wait_for()
