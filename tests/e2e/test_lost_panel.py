"""What an operator sees when the relay takes the channels of their open panel: the account was disabled, another browser
logged out."""

import asyncio

from tests.e2e.screens import IN_BROWSER, People, eventually
from tests.e2e.test_lost_access import disable
from tests.helpers.product import ANNA, Product

pytestmark = IN_BROWSER


async def test_a_disabled_operators_open_panel_asks_to_log_in_at_once(people: People, product: Product) -> None:
    panel = await people.operator(ANNA)
    await panel.connected()
    await disable(product, ANNA.email)
    await eventually(lambda: panel.find("#login-email").is_visible(), True)


async def test_a_log_out_in_one_browser_leaves_the_panel_in_another_at_work(people: People, product: Product) -> None:
    panel, other = await people.operator(ANNA), await people.operator(ANNA)
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await panel.open(ticket)
    await other.log_out()
    await eventually(lambda: other.find("#login-email").is_visible(), True)
    await eventually(lambda: asyncio.to_thread(product.undelivered), 0)
    # Its channels were taken too, and it has them again.
    await widget.send("Are you there?")
    await panel.expect(("visitor", "Hello"), ("visitor", "Are you there?"))
