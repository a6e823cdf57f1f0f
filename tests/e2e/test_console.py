"""The relay's console in Chromium, of a relay that was started for real."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import pusher  # type: ignore[import-untyped]  # it ships no types
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Error, ViewportSize
from websockets.asyncio.client import ClientConnection, connect

from tests.e2e.axe import findings
from tests.e2e.screens import DESKTOP, IN_BROWSER, PHONE, Screen, eventually, until
from tests.helpers.parts import INTEROP, NODE, NODE_PACKAGES, NODE_PACKAGES_FOLDER, require
from tests.helpers.processes import HOST, ROOT, RelayProcess, free_port

pytestmark = IN_BROWSER

ATTACK: Final = '<img src=x onerror="window.attacked=1"><script>window.attacked=2</script>'
PASSWORD: Final = "a-password-for-tests"

_ROWS: Final = """nodes => nodes.map(node => [
  node.dataset.kind, node.querySelector('strong').textContent, node.querySelector('.about')?.textContent ?? '',
])"""

Row = tuple[str, str, str]


class Client:
    """A client of the relay that answers nothing by itself."""

    def __init__(self, websocket: ClientConnection, socket_id: str) -> None:
        self.websocket = websocket
        self.socket_id = socket_id

    async def send(self, event: str, data: object, **more: str) -> None:
        await self.websocket.send(json.dumps({"event": event, "data": data, **more}))

    async def subscribe(self, channel: str) -> None:
        await self.send("pusher:subscribe", {"channel": channel})
        assert (await self.receive())["event"] == "pusher_internal:subscription_succeeded"

    async def receive(self) -> dict[str, Any]:
        return dict(json.loads(await asyncio.wait_for(self.websocket.recv(), 30)))


class ConsolePage(Screen):
    """The console's page in a browser."""

    async def live(self) -> None:
        await self.find("#connection[data-state=live]").wait_for()

    async def rows(self) -> list[Row]:
        """What is shown, the newest first: kind, title, what else."""
        found: list[list[str]] = await self.find("#entries > li").evaluate_all(_ROWS)
        return [(kind, title, about) for kind, title, about in found]

    async def titles(self) -> list[tuple[str, str]]:
        return [(kind, title) for kind, title, _ in await self.rows()]

    async def kinds(self) -> list[str]:
        return [kind for kind, _, _ in await self.rows()]

    async def number(self, name: str) -> str:
        return await self.find(f"#number-{name}").inner_text()

    async def tab_to(self, target: str) -> None:
        """Press Tab until the element with that id has the focus."""
        for _ in range(60):
            if await self.focused() == target:
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never comes to {target}")


@dataclass
class Watched:
    """A relay with a console, who looks at it, and who uses it."""

    browser: Browser
    relay: RelayProcess
    console_port: int
    exits: AsyncExitStack
    screens: list[Screen]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.console_port}/"

    async def open(self, lang: str = "en", viewport: ViewportSize = DESKTOP, **options: Any) -> ConsolePage:
        """The page in a browser with no history."""
        locale = {"en": "en-GB", "ru": "ru-RU"}[lang]
        context = await self.browser.new_context(locale=locale, viewport=viewport, **options)
        self.exits.push_async_callback(context.close)
        page = ConsolePage(await context.new_page())
        self.screens.append(page)
        await page.page.goto(self.url)
        await page.live()
        return page

    async def client(self, key: str | None = None) -> Client:
        url = f"ws://{HOST}:{self.relay.port}/app/{key or self.relay.key}?protocol=7"
        websocket = await self.exits.enter_async_context(connect(url))
        welcome = json.loads(await websocket.recv())
        return Client(websocket, json.loads(welcome["data"])["socket_id"] if key is None else "")

    def back_end(self, secret: str | None = None) -> pusher.Pusher:
        relay = self.relay
        return pusher.Pusher(
            relay.app_id, relay.key, secret or relay.secret, host=HOST, port=relay.port, ssl=False, timeout=30
        )

    async def trigger(self, channel: str, event: str, data: object = "") -> None:
        await asyncio.to_thread(self.back_end().trigger, channel, event, data)


class ConsoleRelay(RelayProcess):
    """A relay with a console."""

    def __init__(self, **settings: object) -> None:
        self.console_port = free_port()
        super().__init__(console_port=self.console_port, **settings)


@pytest.fixture
def relay_process(request: pytest.FixtureRequest) -> Iterator[ConsoleRelay]:
    """A relay with a console; further settings by `parametrize(..., indirect=True)`."""
    relay = ConsoleRelay(**getattr(request, "param", {}))
    relay.start()
    yield relay
    relay.stop()
    sys.stdout.write(relay.transcript())


@pytest_asyncio.fixture(loop_scope="session")
async def watched(browser: Browser, relay_process: ConsoleRelay) -> AsyncIterator[Watched]:
    """At the end no script may have failed, and no policy may have been broken."""
    async with AsyncExitStack() as exits:
        watched = Watched(browser, relay_process, relay_process.console_port, exits, [])
        yield watched
    assert [complaint for screen in watched.screens for complaint in screen.complaints] == []


async def test_what_happens_appears_as_it_happens(watched: Watched) -> None:
    page = await watched.open()
    assert await page.find(".scroll .empty").inner_text() == (
        "Nothing has happened yet. Connect a client or send a test event."
    )
    client = await watched.client()
    await client.subscribe("news")
    await watched.trigger("news", "published", {"title": "Привет"})
    await client.send("pusher:subscribe", {"channel": "private-a", "auth": f"{watched.relay.key}:00"})
    await client.websocket.send("{")
    await watched.client(key="no-such-key")
    with pytest.raises(pusher.errors.PusherBadAuth):
        await asyncio.to_thread(watched.back_end("another-secret").trigger, "news", "x", "")
    await client.websocket.close()
    await eventually(
        page.kinds,
        [
            "disconnected",
            "unsubscribed",
            "request_refused",
            "connection_refused",
            "message_refused",
            "subscription_refused",
            "published",
            "subscribed",
            "connected",
        ],
    )
    rows = {kind: (title, about) for kind, title, about in await page.rows()}
    assert rows["connected"] == (client.socket_id, HOST)
    assert rows["subscribed"] == ("news", f"{client.socket_id} · subscribers: 1")
    assert rows["published"] == ("published → news", 'recipients: 1 · {"title": "Привет"}')
    assert rows["subscription_refused"][0].startswith("private-a: Invalid signature: the text to sign is")
    assert "'no-such-key'" in rows["connection_refused"][0]
    assert rows["request_refused"][0] == f"401 POST /apps/{watched.relay.app_id}/events"
    assert "Invalid signature: the text to sign for this request is" in rows["request_refused"][1]
    assert rows["unsubscribed"][1] == f"{client.socket_id} · the channel is empty now"
    assert watched.relay.secret not in await page.page.content()


async def test_the_numbers_and_the_channels_follow(watched: Watched) -> None:
    page = await watched.open()
    clients = [await watched.client() for _ in range(3)]
    for client in clients:
        await client.subscribe("news")
    await clients[0].subscribe("more")
    await eventually(lambda: page.number("subscriptions"), "4")
    assert [await page.number(name) for name in ("connections", "channels")] == ["3", "2"]
    channels = page.find("#channel-list li")
    await eventually(channels.all_inner_texts, ["news\nsubscribers: 3", "more\nsubscribers: 1"])
    for client in clients:
        await client.websocket.close()
    await eventually(lambda: page.number("connections"), "0")
    await eventually(channels.count, 0)


async def test_the_list_is_filtered_by_kind_and_by_text(watched: Watched) -> None:
    page = await watched.open()
    client = await watched.client()
    await client.subscribe("news")
    await client.subscribe("other")
    await watched.trigger("news", "published", "needle")
    await eventually(page.kinds, ["published", "subscribed", "subscribed", "connected"])

    await page.find("#show-subscriptions").uncheck()
    await eventually(page.kinds, ["published", "connected"])
    assert await page.find("#count").inner_text() == "Shown: 2 of 4"
    await page.find("#show-subscriptions").check()
    await page.find("#search").fill("OTHER")
    await eventually(page.titles, [("subscribed", "other")])
    await page.find("#search").fill("needle")
    await eventually(page.titles, [("published", "published → news")])
    await page.find("#search").fill("nothing like it")
    await eventually(page.kinds, [])
    assert await page.find(".scroll .empty").inner_text() == "Nothing fits the filter."
    await page.find("#search").fill("")

    # A channel's name, in an opened row and in the list of channels, searches for it.
    await page.find("#entries > li[data-kind=published] summary").click()
    await page.find("#entries .inside .link").first.click()
    await eventually(page.find("#search").input_value, "news")
    await eventually(page.kinds, ["published", "subscribed"])
    await page.find("#search").fill("")
    await page.page.locator("#channel-list button", has_text="other").click()
    await eventually(page.titles, [("subscribed", "other")])


async def test_a_paused_list_stands_still_and_catches_up(watched: Watched) -> None:
    page = await watched.open()
    await watched.trigger("a", "one")
    await eventually(page.titles, [("published", "one → a")])
    await page.find("#pause").click()
    await watched.trigger("a", "two")
    await watched.trigger("a", "three")
    await eventually(page.find("#waiting").inner_text, "Paused. New: 2")
    assert await page.titles() == [("published", "one → a")]
    await page.find("#pause").click()
    await eventually(page.titles, [("published", f"{name} → a") for name in ("three", "two", "one")])
    assert not await page.find("#waiting").is_visible()
    await page.find("#clear").click()
    await eventually(page.titles, [])


async def test_rows_stand_still_while_others_come_in_above_them(watched: Watched) -> None:
    page = await watched.open()
    await watched.trigger("a", "first", "one")
    await page.find("#entries summary").click()
    await page.find("#entries .inside").wait_for()
    await page.find("#entries > li").evaluate("row => { row.mark = 'the same'; }")
    for number in range(5):
        await watched.trigger("a", f"later-{number}")
    await eventually(page.find("#entries > li").count, 6)
    assert await page.find("#entries > li").last.evaluate("row => [row.mark, row.querySelector('details').open]") == [
        "the same",
        True,
    ]
    assert await page.page.evaluate("document.activeElement.textContent.includes('first')")
    await page.find("#show-events").uncheck()
    await eventually(page.kinds, [])


async def test_an_open_row_shows_everything_laid_out(watched: Watched) -> None:
    page = await watched.open()
    await watched.trigger("a", "big", '{"id":12345678901234567890,"list":[1,{"deep":"\\u041f"}]}')
    await page.find("#entries summary").click()
    data = page.find("#entries .data")
    assert await data.inner_text() == (
        '{\n  "id": 12345678901234567890,\n  "list": [\n    1,\n    {\n      "deep": "П"\n    }\n  ]\n}'
    )
    fields = await page.find("#entries .inside dl > div").all_inner_texts()
    assert [field.split("\n")[0] for field in fields] == ["Time", "Channel", "Event", "Recipients"]


async def test_a_test_event_gets_to_the_subscribers_and_mistakes_are_said_at_the_form(watched: Watched) -> None:
    page = await watched.open()
    client, left_out = await watched.client(), await watched.client()
    for one in (client, left_out):
        await one.subscribe("news")
    await page.find("#test-channel").fill("news")
    await page.find("#test-event").fill("hello")
    await page.find("#test-data").fill('{"a": 1}')
    assert await page.find("#test-data-note").inner_text() == "valid JSON"
    await page.find("#test-exclude").fill(left_out.socket_id)
    await page.find("#test-send").click()
    assert await client.receive() == {"event": "hello", "channel": "news", "data": '{"a": 1}'}
    await until(lambda: page.find("#test-sent").is_visible(), "the page says that it was sent")
    await eventually(lambda: page.number("published"), "1")

    await page.find("#test-channel").fill("a b")
    await page.find("#test-data").fill("no JSON")
    assert await page.find("#test-data-note").inner_text() == "no JSON: sent as text"
    await page.find("#test-send").click()
    await page.find("#test-error").wait_for()
    assert (await page.find("#test-error").inner_text()).startswith("Not sent: A channel name holds one or more of")
    assert not await page.find("#test-sent").is_visible()
    assert await page.focused() == "test-send"
    await left_out.send("pusher:ping", {})
    assert (await left_out.receive())["event"] == "pusher:pong"


async def test_what_people_send_is_text_whatever_it_looks_like(watched: Watched) -> None:
    page = await watched.open()
    client = await watched.client()
    await watched.trigger("a", ATTACK, ATTACK)
    await client.send("pusher:subscribe", {"channel": ATTACK})
    await client.websocket.send(ATTACK)
    await client.send("pusher:subscribe", {"channel": "presence-a", "auth": ATTACK, "channel_data": ATTACK})
    await page.find("#test-channel").fill(ATTACK)
    await page.find("#test-send").click()
    await page.find("#test-error").wait_for()
    await page.find("#snippet-host").fill(ATTACK)
    # The test event was refused at the API's own door, and is shown as any other request that is.
    wanted = ["subscription_refused", "message_refused", "subscription_refused", "published", "connected"]
    await eventually(page.kinds, ["request_refused", *wanted])
    for summary in await page.find("#entries summary").all():
        await summary.click()
    assert await page.find("#entries .data").last.inner_text() == ATTACK
    assert (await page.titles())[4] == ("published", f"{ATTACK} → a")
    assert await page.find("main img, main script").count() == 0
    assert await page.page.evaluate("window.attacked ?? 'no'") == "no"
    assert await page.overflow() <= 0


async def test_snippets_connect_to_this_app(watched: Watched) -> None:
    require(NODE, NODE_PACKAGES)
    page = await watched.open()
    snippet = page.find("#snippet")
    code = await snippet.inner_text()
    assert f'"{watched.relay.key}"' in code
    assert f"wsPort: {watched.relay.port}" in code

    visitor = await page.context.new_page()
    await visitor.goto(f"{watched.relay.url}/up")
    await visitor.add_script_tag(path=NODE_PACKAGES_FOLDER / "pusher-js" / "dist" / "web" / "pusher.js")
    heard: list[str] = []
    visitor.on("console", lambda message: heard.append(message.text))
    await visitor.evaluate(code.replace('import Pusher from "pusher-js";', ""))
    await page.find("#show-errors").uncheck()  # the browser asks the relay for a favicon
    await eventually(page.kinds, ["subscribed", "connected"])

    for name, run in (("python", [sys.executable, "-c"]), ("node", ["node", "--input-type=module", "-e"])):
        heard.clear()
        await page.find("#snippet-kind").select_option(name)
        code = (await snippet.inner_text()).replace("YOUR-SECRET", watched.relay.secret)
        folder = INTEROP if name == "node" else ROOT
        done = await asyncio.to_thread(
            subprocess.run, [*run, code], cwd=folder, capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")
        await until(lambda: _has(heard, "Hello"), f"the event of the {name} snippet")

    await page.find("#snippet-host").fill("chat.example")
    await page.find("#snippet-port").fill("443")
    await page.find("#snippet-tls").check()
    for name in ("pusherjs", "echo", "pushler", "python", "node", "php"):
        await page.find("#snippet-kind").select_option(name)
        code = await snippet.inner_text()
        assert watched.relay.key in code
        assert "chat.example" in code
        assert watched.relay.secret not in code
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.find("#copy").click()
    assert await page.page.evaluate("navigator.clipboard.readText()") == await snippet.text_content()
    await eventually(page.find("#copy").inner_text, "Copied")


async def _has(heard: list[str], text: str) -> bool:
    return any(text in line for line in heard)


async def test_after_a_restart_of_the_relay_the_page_is_live_again_and_says_what_it_missed(watched: Watched) -> None:
    page = await watched.open()
    await asyncio.to_thread(watched.relay.terminate)
    await page.find("#connection[data-state=lost]").wait_for()
    assert await page.find("#connection").inner_text() == "No connection, trying again…"
    await page.find("#test-send").click()
    await page.find("#test-error").wait_for()
    assert await page.find("#test-error").inner_text() == "Not sent: the relay does not answer."
    await asyncio.to_thread(watched.relay.start)
    await page.live()
    await watched.trigger("a", "again")
    await eventually(page.kinds, ["published", "gap"])


async def test_it_needs_no_mouse(watched: Watched) -> None:
    page = await watched.open()
    keyboard = page.page.keyboard
    client = await watched.client()
    await client.subscribe("news")
    await page.tab_to("search")
    await keyboard.type("news")
    await eventually(page.titles, [("subscribed", "news")])
    await page.tab_to("pause")
    await keyboard.press("Enter")
    await eventually(lambda: page.find("#pause").get_attribute("aria-pressed"), "true")
    await keyboard.press("Enter")
    await page.tab_to("show-users")
    await keyboard.press("Space")
    assert not await page.find("#show-users").is_checked()
    for _ in range(20):
        await keyboard.press("Tab")
        if await page.page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    await keyboard.press("Enter")
    await page.find("#entries .inside").wait_for()
    await page.tab_to("test-channel")
    await keyboard.press("Control+A")
    await keyboard.type("news")
    await page.tab_to("test-event")
    await keyboard.press("Enter")
    assert (await client.receive())["event"] == "my-event"


async def test_every_control_has_a_name_and_regions_are_landmarks(watched: Watched) -> None:
    page = await watched.open()
    controls = page.find("button:visible, input:visible, select:visible, textarea:visible")
    for control in await controls.all():
        name = await control.evaluate("node => node.ariaLabel || node.labels?.[0]?.textContent || node.textContent")
        assert name.strip(), await control.evaluate("node => node.outerHTML")
    for title in ("What happens", "Occupied channels", "Test event", "Connect to this app"):
        assert await page.page.get_by_role("region", name=title).count() == 1
    assert await page.page.get_by_role("main").count() == 1
    assert await page.page.get_by_role("banner").count() == 1


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    [pytest.param(DESKTOP, "light", id="desktop-light"), pytest.param(PHONE, "dark", id="phone-dark")],
)
async def test_axe_finds_nothing_on_any_state(watched: Watched, viewport: ViewportSize, scheme: str) -> None:
    page = await watched.open("en", viewport, color_scheme=scheme)
    seen = {"empty": await findings(page)}
    client = await watched.client()
    await client.subscribe("news")
    await watched.trigger("news", "published", {"a": 1})
    await client.send("pusher:subscribe", {"channel": "private-x", "auth": "no"})
    await eventually(page.kinds, ["subscription_refused", "published", "subscribed", "connected"])
    for summary in await page.find("#entries summary").all():
        await summary.click()
    seen["rows open"] = await findings(page)
    await page.find("#pause").click()
    await page.find("#test-channel").fill("a b")
    await page.find("#test-send").click()
    await page.find("#test-error:not(:empty)").wait_for()
    seen["paused, event refused"] = await findings(page)
    await page.find("#pause").click()
    await page.find("#search").fill("nothing like it")
    await eventually(page.kinds, [])
    seen["nothing fits"] = await findings(page)
    await asyncio.to_thread(watched.relay.terminate)
    await page.find("#connection[data-state=lost]").wait_for()
    seen["lost"] = await findings(page)
    assert [f"{state}: {one}" for state, found in seen.items() for one in found] == []


async def test_russian_is_spoken_to_who_wants_it_and_the_choice_is_remembered(watched: Watched) -> None:
    page = await watched.open("ru")
    assert await page.find("h1").inner_text() == "Консоль реле"
    await page.find("#test-channel").fill("черновик")
    await watched.trigger("a", "one")
    await page.find("#lang").select_option("en")
    await eventually(page.find("h1").inner_text, "Relay console")
    assert await page.page.evaluate("document.documentElement.lang") == "en"
    assert await page.find("#test-channel").input_value() == "черновик"
    await eventually(page.titles, [("published", "one → a")])
    await page.page.reload()
    await page.live()
    assert await page.find("h1").inner_text() == "Relay console"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ru"])
async def test_a_phone_needs_no_sideways_scrolling_and_the_contrast_is_enough(
    watched: Watched, lang: str, scheme: str
) -> None:
    page = await watched.open(lang, PHONE, color_scheme=scheme)
    client = await watched.client()
    await client.subscribe("a" * 200)
    await watched.trigger("a" * 200, "b" * 200, "c" * 5_000)
    await client.send("pusher:subscribe", {"channel": "private-x", "auth": "d" * 500})
    await eventually(page.kinds, ["subscription_refused", "published", "subscribed", "connected"])
    for summary in await page.find("#entries summary").all():
        await summary.click()
    assert await page.overflow() <= 0
    texts = page.find("summary .kind, summary time, .about, .chip span, dt, .hint, #connection, h2, .main, .link")
    for contrast in await texts.evaluate_all(_CONTRAST):
        assert contrast["ratio"] >= 4.5, contrast


_CONTRAST: Final = """nodes => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color[3] === 255) return color;
    }
    return [255, 255, 255, 255];
  };
  const light = (color) => {
    const linear = (c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = color.slice(0, 3).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return nodes.filter((node) => node.checkVisibility() && node.textContent).map((node) => {
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    return { text: node.textContent.slice(0, 40), ratio: (a + 0.05) / (b + 0.05) };
  });
}"""


@pytest.mark.parametrize("relay_process", [{"console_password": PASSWORD}], indirect=True)
async def test_with_a_password_the_browser_asks_for_it(watched: Watched) -> None:
    page = await watched.open(http_credentials={"username": "anybody", "password": PASSWORD})
    await watched.trigger("a", "one")
    await eventually(page.titles, [("published", "one → a")])
    await page.find("#test-send").click()
    await until(lambda: page.find("#test-sent").is_visible(), "the test event is sent")

    stranger = await (await watched.browser.new_context()).new_page()
    with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
        await stranger.goto(watched.url)
    await stranger.context.close()
