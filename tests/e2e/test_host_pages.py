"""The widget on pages that do what they like: replace their body, morph it, style everything, listen to every key."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

from playwright.async_api import Page, Route, WebSocket

from relay.client import PushlerClient
from tests.e2e.screens import IN_BROWSER, PHONE, People, Widget, eventually, until
from tests.helpers.parts import NODE_PACKAGES, NODE_PACKAGES_FOLDER, require
from tests.helpers.product import ANNA, APP_ID, APP_KEY, APP_SECRET, Product

pytestmark = IN_BROWSER

TURBO: Final = NODE_PACKAGES_FOLDER / "@hotwired/turbo/dist/turbo.es2017-umd.js"
IDIOMORPH: Final = NODE_PACKAGES_FOLDER / "idiomorph/dist/idiomorph.js"

TAG: Final = '<script src="/client_js/widget.js"></script>'

HOSTS: Final = "document.querySelectorAll('pushdesk-widget').length"


def shop(body: str = TAG, head: str = "", lang: str = "en") -> str:
    """A page of somebody else, with the widget's tag in its body."""
    return f"""<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>Shop</title>
      <meta name="viewport" content="width=device-width">{head}</head><body>{body}</body></html>"""


async def visit(people: People, pages: dict[str, str], path: str, **profile: Any) -> Widget:
    """A visitor on one of the pages, which stand under the desk's own address by their paths."""
    context = await people.profile(**profile)
    # A page that the test makes up comes from nowhere: for Chromium that is the internet, and the relay is at home.
    await context.grant_permissions(["local-network-access"])
    for where, text in pages.items():
        await context.route(people.product.url + where, _answer(text))
    return await people.visitor_in(context, path)


def open_sockets(page: Page) -> Callable[[], list[str]]:
    """From now on: the addresses of the page's WebSockets that are not closed."""
    seen: list[WebSocket] = []

    def note(socket: WebSocket) -> None:
        seen.append(socket)

    page.on("websocket", note)
    return lambda: [socket.url for socket in seen if not socket.is_closed()]


async def is_occupied(product: Product, ticket: int) -> bool:
    """Does the relay have a subscriber of the ticket's channel?"""
    async with PushlerClient(APP_KEY, APP_SECRET, app_id=APP_ID, url=product.relay.url) as relay:
        return bool((await relay.channel(f"private-ticket-{ticket}"))["occupied"])


async def read_up_to(widget: Widget, product: Product) -> int:
    """The number of the last message that counts as read."""
    saved = await widget.page.evaluate("key => localStorage.getItem(key)", f"pushdesk:{product.url}:ticket")
    return int(json.loads(saved)["readSeq"])


async def test_widget_comes_back_with_focus_and_text_when_the_body_is_emptied_or_replaced(people: People) -> None:
    widget = await people.visitor()
    await widget.open()
    await widget.start("Ivan", "Hello")
    await widget.find("#chat-input").fill("half a sent")
    for change in ("document.body.replaceChildren()", "document.body = document.createElement('body')"):
        await widget.page.evaluate(change)
        await eventually(widget.focused, "chat-input")
        await widget.page.keyboard.type(".")
        assert await widget.page.evaluate(HOSTS) == 1
    assert await widget.find("#chat-input").input_value() == "half a sent.."
    await widget.page.evaluate("document.activeElement.blur()")
    await widget.page.evaluate("document.body.replaceChildren()")
    await widget.find("#support-toggle").wait_for()
    assert await widget.focused() == "", "what was not focused is not focused now"


async def test_page_that_throws_the_widget_out_each_time_is_not_held_up(people: People) -> None:
    widget = await people.visitor()
    await widget.page.evaluate("""() => {
      const out = () => document.querySelector('pushdesk-widget')?.remove();
      new MutationObserver(out).observe(document.body, { childList: true });
      out();
    }""")
    frames = await widget.page.evaluate("""() => new Promise(resolve => {
      let frames = 0;
      const next = () => (++frames < 10 ? requestAnimationFrame(next) : resolve(frames));
      next();
    })""")
    assert frames == 10


async def test_turbo_visits_keep_one_widget_one_socket_and_its_open_chat(people: People, product: Product) -> None:
    require(NODE_PACKAGES)
    links = '<a id="one" href="/shop/one">1</a><a id="two" href="/shop/two">2</a>'
    head = '<script src="/shop/turbo.js"></script>'
    pages = {f"/shop/{name}": shop(f"<h1>{name}</h1>{links}{TAG}", head) for name in ("one", "two")}
    pages["/shop/turbo.js"] = TURBO.read_text()
    widget = await visit(people, pages, "/shop/one")
    page = widget.page
    sockets = open_sockets(page)
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    panel = await people.operator(ANNA)
    await panel.open(ticket)
    await page.evaluate("window.sameRoot = document.documentElement")
    for name in ("two", "one", "two"):
        await page.evaluate(f"window.before = document.body; document.querySelector('#{name}').click()")
        await page.wait_for_function(
            f"document.querySelector('h1').textContent === '{name}' && document.body !== before"
        )
    await page.go_back()
    await page.wait_for_function("document.querySelector('h1').textContent === 'one'")
    assert await page.evaluate("window.sameRoot === document.documentElement"), "Turbo did not load the page anew"
    await until(lambda: page.evaluate(f"{HOSTS} === 1"), "one widget is on the page")
    await panel.send("Still there?")
    await widget.expect(("visitor", "Hello"), ("operator", "Still there?"))
    assert len(sockets()) == 1, sockets()


async def test_morphing_leaves_the_widget_where_it_is(people: People) -> None:
    require(NODE_PACKAGES)
    widget = await visit(people, {"/shop/one": shop(f"<h1>one</h1><div>cart</div>{TAG}")}, "/shop/one")
    await widget.page.evaluate(IDIOMORPH.read_text().replace("var Idiomorph", "globalThis.Idiomorph", 1))
    await widget.open()
    await widget.find("#first-message").fill("half")
    for body in ("<h1>two</h1><div>a</div><div>b</div><div id='x'>c</div>", "<div>only</div>"):
        await widget.page.evaluate("html => Idiomorph.morph(document.body, html, {morphStyle: 'innerHTML'})", body)
        await widget.find("#first-message").wait_for()
        assert await widget.find("#first-message").input_value() == "half"
        assert await widget.page.evaluate(HOSTS) == 1


async def test_message_that_comes_while_the_widget_is_hidden_or_out_is_not_marked_as_read(
    people: People, product: Product
) -> None:
    widget = await people.visitor()
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    panel = await people.operator(ANNA)
    await panel.open(ticket)
    await widget.page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('.away { display: none !important }');
      document.adoptedStyleSheets = [sheet];
      document.body.className = 'away';
    }""")
    await panel.send("Nobody sees this")
    await widget.expect(("visitor", "Hello"), ("operator", "Nobody sees this"))
    assert await read_up_to(widget, product) == 1
    await widget.page.evaluate("document.body.replaceChildren(); document.body.className = ''")
    await eventually(lambda: read_up_to(widget, product), 2)


async def test_destroy_ends_everything_and_mount_brings_the_chat_back(people: People, product: Product) -> None:
    widget = await people.visitor(viewport=PHONE)
    page = widget.page
    sockets = open_sockets(page)
    await page.evaluate("""() => {
      window.calls = [];
      const {fetch} = window;
      window.fetch = (...all) => { calls.push(String(all[0])); return fetch(...all); };
    }""")
    await widget.open()
    ticket = await widget.start("Ivan", "Hello")
    await until(lambda: is_occupied(product, ticket), "the relay has the subscription")
    await page.evaluate("Pushdesk.destroy()")
    await until(lambda: _is_not(is_occupied, product, ticket), "the subscription ends")
    await eventually(_async(sockets), [])
    assert await page.evaluate(HOSTS) == 0
    assert await page.evaluate("document.body.style.overflowY") == "", "the page scrolls again"
    await page.evaluate("""() => {
      calls.length = 0;
      document.body.append('a change');
      for (const type of ['online', 'focus', 'pageshow', 'storage']) dispatchEvent(new Event(type));
      document.dispatchEvent(new Event('visibilitychange'));
      Pushdesk.destroy();
      return new Promise(resolve => setTimeout(resolve, 50));
    }""")
    assert await page.evaluate(f"[calls.length, {HOSTS}]") == [0, 0]

    await page.evaluate("Pushdesk.mount(); Pushdesk.mount()")
    await widget.open()
    await widget.expect(("visitor", "Hello"))
    assert await page.evaluate(HOSTS) == 1
    await eventually(_async(lambda: len(sockets())), 1)


async def test_tag_that_runs_again_makes_no_second_widget_but_brings_one_back_that_was_ended(people: People) -> None:
    widget = await visit(people, {"/shop/one": shop(TAG + TAG)}, "/shop/one")
    page = widget.page
    assert await page.evaluate(HOSTS) == 1
    await widget.open()
    await _run_tag_again(page)
    assert await page.evaluate(HOSTS) == 1
    assert await widget.find("#start-form").is_visible()
    await page.evaluate("document.documentElement.lang = 'ru'")
    await _run_tag_again(page)
    russian = (await widget.texts("widget", "ru"))["start"]
    assert await widget.find("#start-chat").inner_text() == russian, "the page speaks another language now"
    await page.evaluate("Pushdesk.destroy()")
    await _run_tag_again(page)
    assert await page.evaluate(HOSTS) == 1


async def test_tag_of_a_module_and_one_that_an_optimiser_adds_are_found_by_their_address(people: People) -> None:
    module = '<script type="module" data-lang="ru" src="/client_js/widget.js?v=2"></script>'
    optimised = """<script data-lang="ru" type="text/later" src="/client_js/widget.js"></script><script>
      fetch('/client_js/widget.js').then(answer => answer.text()).then(text => setTimeout(new Function(text)));
    </script>"""
    widget = await visit(people, {"/shop/m": shop(module), "/shop/o": shop(optimised)}, "/shop/m")
    for path in ("/shop/m", "/shop/o"):
        await widget.page.goto(people.product.url + path)
        await widget.open()
        assert await widget.find("#start-chat").inner_text() == (await widget.texts("widget", "ru"))["start"]


HOSTILE: Final = """<style>
  html { font-size: 40px; }
  body { visibility: hidden; pointer-events: none; user-select: none; cursor: wait; direction: rtl; line-height: 3; }
  * { text-transform: uppercase !important; letter-spacing: 9px !important; word-spacing: 9px; text-align: center;
    font: italic 30px serif; color: red; text-indent: 50px; text-shadow: 2px 2px red; white-space: nowrap;
    display: inline; position: static; z-index: 1; --accent: red; --text: red; --ground: red; }
  body * { opacity: .5; filter: blur(4px); transform: rotate(3deg); overflow: hidden; }
  div, :empty { display: none; }
</style>"""

LOOK: Final = """id => {
  const root = document.querySelector('pushdesk-widget').shadowRoot;
  return [...root.querySelectorAll('*')].filter(node => node.checkVisibility() && !node.closest('svg')).map(node => {
    const style = getComputedStyle(node);
    const {x, y, width, height} = node.getBoundingClientRect();
    return [node.id || node.className || node.localName, [x, y, width, height].map(Math.round).join(' '),
      ...[...style].filter(name => !/^--|animation/.test(name)).map(name => `${name}: ${style[name]}`)];
  });
}"""


async def test_styles_of_the_page_do_not_reach_the_widget(people: People) -> None:
    plain = await visit(people, {"/shop/a": shop(), "/shop/b": shop(head=HOSTILE)}, "/shop/a")
    looks: list[list[list[str]]] = []
    for path in ("/shop/a", "/shop/b"):
        await plain.page.goto(people.product.url + path)
        if path == "/shop/b":
            # The side of the page on which it stands is the one thing that the page's direction decides.
            await plain.page.evaluate("document.body.style.direction = 'ltr'")
        await plain.find("#support-toggle").click()
        await plain.find("#start-form").wait_for()
        await _still(plain)
        looks.append(await plain.page.evaluate(LOOK))
    ours, theirs = looks
    different = [sorted(set(b) - set(a)) for a, b in zip(ours, theirs, strict=True) if a != b]
    assert different == []


async def test_keys_and_the_like_do_not_reach_the_page(people: People) -> None:
    heard = """<script>
      window.heard = [];
      const types = 'keydown keypress keyup beforeinput input paste copy focusin wheel selectstart contextmenu';
      for (const type of types.split(' ')) document.addEventListener(type, event => {
        heard.push(type);
        if (type !== 'focusin') event.preventDefault();
      });
    </script>"""
    widget = await visit(people, {"/shop/a": shop(heard + TAG)}, "/shop/a")
    await widget.open()
    await widget.page.evaluate("heard.length = 0")
    field = widget.find("#first-message")
    await field.click()
    await widget.page.keyboard.type("/jk?")
    await widget.page.keyboard.press("Control+A")
    await widget.page.keyboard.press("Control+C")
    await widget.page.keyboard.press("Control+V")
    await widget.page.mouse.wheel(0, 50)
    await field.click(button="right")
    await widget.page.keyboard.press("Escape")
    assert await field.input_value() == "/jk?"
    assert await widget.page.evaluate("heard") == []


async def test_page_behind_the_window_on_a_phone_does_not_scroll_until_it_is_closed(people: People) -> None:
    tall = '<main style="height: 5000px">Shop</main>'
    pages = {
        "/shop/plain": shop(tall + TAG),
        "/shop/root": shop(tall + TAG, "<style>html { overflow-y: scroll }</style>"),
        "/shop/body": shop(tall + TAG, "<style>html, body { height: 100%; overflow: auto; margin: 0 }</style>"),
    }
    widget = await visit(people, pages, "/shop/plain", viewport=PHONE)
    page = widget.page
    for path in pages:
        await page.goto(people.product.url + path)
        await page.mouse.move(200, 400)
        await page.mouse.wheel(0, 300)
        await until(lambda: _scrolled(page), f"{path} scrolls")
        before = await _scrolled(page)
        await widget.open()
        for _ in range(3):
            await page.mouse.wheel(0, 300)
            await page.evaluate("new Promise(requestAnimationFrame)")
        assert await _scrolled(page) == before, path
        await widget.find("#chat-close").click()
        assert await page.evaluate("[document.documentElement, document.body].map(node => node.style.cssText)") == [
            "",
            "",
        ]
        await page.mouse.wheel(0, 300)
        await until(lambda: _has_moved(page, before), f"{path} scrolls again")  # noqa: B023 - awaited at once


async def _scrolled(page: Page) -> int:
    return int(await page.evaluate("scrollY + document.body.scrollTop * (document.scrollingElement !== document.body)"))


async def _has_moved(page: Page, before: int) -> bool:
    return await _scrolled(page) > before


def _answer(text: str) -> Callable[[Route], Awaitable[None]]:
    async def answer(route: Route) -> None:
        await route.fulfill(body=text, content_type="text/html" if text.startswith("<") else "text/javascript")

    return answer


async def _run_tag_again(page: Page) -> None:
    await page.evaluate("""() => new Promise(resolve => {
      const script = document.createElement('script');
      script.src = '/client_js/widget.js';
      script.onload = resolve;
      document.body.append(script);
    })""")


async def _still(widget: Widget) -> None:
    await widget.find("#support-chat").evaluate("node => Promise.all(node.getAnimations().map(one => one.finished))")


async def _is_not(look: Callable[..., Any], *values: object) -> bool:
    return not await look(*values)


def _async(look: Callable[[], Any]) -> Callable[[], Any]:
    async def ask() -> Any:
        return look()

    return ask
