"""The widget on a page of another site with a Content-Security-Policy that allows nothing but the chat."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser

from tests.e2e.screens import IN_BROWSER, People, Widget, eventually
from tests.helpers.processes import HOST, free_port
from tests.helpers.product import ANNA, Product, running_product

pytestmark = IN_BROWSER


def policy(product: Product) -> str:
    """What docs tell the owners of other sites to allow, and nothing else."""
    relay = f"ws://{HOST}:{product.relay.port}"
    return (
        f"default-src 'none'; script-src {product.url}; connect-src {product.url} {relay}; "
        "require-trusted-types-for 'script'"
    )


@asynccontextmanager
async def shop(port: int, product: Product) -> AsyncIterator[str]:
    """A page of another origin with the widget's tag; its address."""
    page = f'<!doctype html><title>shop</title><h1>Shop</h1><script src="{product.url}/client_js/widget.js"></script>'

    async def answer(_request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": policy(product)}
        return web.Response(text=page, content_type="text/html", headers=headers)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield f"http://{HOST}:{port}/"
    finally:
        await runner.cleanup()


async def test_widget_works_on_a_listed_site_under_a_strict_policy_and_sets_no_cookie(
    browser: Browser, accounts: Path, tmp_path: Path
) -> None:
    port = free_port()
    with running_product(accounts, tmp_path, allowed_origins=f"http://{HOST}:{port}") as product:
        people = People(browser, product)
        panel = await people.operator(ANNA)
        profile = await people.profile()
        widget = Widget(await profile.new_page(), product.url)
        async with shop(port, product) as address:
            await widget.page.goto(address)
            await widget.open()
            ticket = await widget.start("Ivan", "From another site")
            await panel.open(ticket)
            await widget.type_until(panel.typing, "the operator sees that the visitor is typing")
            await panel.type_until(widget.typing, "the visitor sees that the operator is typing")
            await panel.send("Welcome")
            await widget.expect(("visitor", "From another site"), ("operator", "Welcome"))
            await widget.page.reload()
            await widget.open()
            await widget.send("Still here")
            said = [("visitor", "From another site"), ("operator", "Welcome"), ("visitor", "Still here")]
            await widget.expect(*said)
            await panel.expect(*said)
            await panel.close_ticket()
            await widget.find("#chat-new").wait_for()
        assert widget.complaints == people.complaints() == []
        assert await profile.cookies() == []
        assert await _background(widget) != "rgba(0, 0, 0, 0)", "the style sheet is there"
        await people.leave()


async def test_site_that_is_not_listed_gets_nothing(browser: Browser, product: Product) -> None:
    people = People(browser, product)
    profile = await people.profile()
    page = await profile.new_page()
    widget = Widget(page, product.url)
    async with shop(free_port(), product) as address:
        await page.goto(address)
        await widget.open()
        await widget.find("#visitor-name").fill("Mallory")
        await widget.find("#first-message").fill("Let me in")
        await widget.find("#start-chat").click()
        # It is empty until there is something to say.
        await eventually(widget.find("#start-form [role=alert]").is_visible, True)
        answers = [await _ask(widget, product.url + path) for path in ("/create_ticket", "/create_ticket.php")]
    assert answers == ["refused", "refused"]
    assert product.rows("SELECT count(*) FROM support_tickets") == [(0,)]
    assert await profile.cookies() == []
    await people.leave()


async def _background(widget: Widget) -> str:
    look = "node => getComputedStyle(node).backgroundColor"
    found: str = await widget.find("#support-toggle").evaluate(look)
    return found


async def _ask(widget: Widget, url: str) -> str:
    """Post a form as any page can, without a preflight: what a script of the page gets to see."""
    ask = """url => fetch(url, {method: 'POST', body: new URLSearchParams({message: 'hello'}), credentials: 'include'})
      .then(answer => String(answer.status), () => 'refused')"""
    answer: str = await widget.page.evaluate(ask, url)
    return answer
