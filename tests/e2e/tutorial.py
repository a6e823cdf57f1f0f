"""The tutorial's classes: a visitor's widget and an operator's panel that somebody copied into his own pages.

They are cut out of the tutorial's text when a test runs and used unchanged; the text is no part of this repository. The
pages around them give what the tutorial leaves to its reader: the tag of the realtime client, a style that hides, and the
functions that the panel calls but does not define.
"""

import os
from typing import Any, Final, cast

import pytest
from playwright.async_api import BrowserContext, Route

from tests.e2e.screens import Screen
from tests.helpers.processes import HOST, ROOT
from tests.helpers.product import APP_KEY, Account, Product

VARIABLE: Final = "PUSHDESK_TUTORIAL"


def require_tutorial() -> None:
    """Skips the test where the environment names no tutorial: nobody has to have it."""
    if VARIABLE not in os.environ:
        pytest.skip(f"test_tutorial.py: the tutorial is not part of this repository; {VARIABLE} names its file")


def javascript(name: str) -> str:
    """The source of one class. Raises AssertionError where the file that the environment names does not exist."""
    file = ROOT / os.environ[VARIABLE]
    assert file.is_file(), f"{VARIABLE} names {file}, and there is no such file"
    text = file.read_text(encoding="utf-8")
    start = text.index(f"class {name} {{")
    return text[start : _end_of_braces(text, start)]


def _end_of_braces(text: str, start: int) -> int:
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0 and text[at] == "}":
            return at + 1
    raise AssertionError("the class does not end")


_PAGE: Final = """<!doctype html><html lang="ru"><meta charset="utf-8"><title>{name}</title>
<style>.hidden {{ display: none }}</style>
<script src="/client_js/pushler.js" data-ws-host="{host}" data-ws-port="{port}"></script>
<body><script>{source}
{start}</script>"""

_START_WIDGET: Final = "window.widget = new SupportWidget('{key}'); widget.init();"

_START_PANEL: Final = """
class Panel extends OperatorPanel {
  seen = [];
  tickets = [];
  queue = [];
  sounds = 0;
  log = document.body.appendChild(document.createElement('div'));
  addTicket(data) { this.tickets.push(data); this.addTicketToList(data); }
  addTicketToList(data) { document.title = `${this.tickets.length} tickets`; }
  updateQueue(data) { this.queue.push(data); }
  playNotification() { this.sounds += 1; }
  handleNewMessage(ticketId, message) { this.seen.push({ ticketId, type: typeof ticketId }); this.show(message); }
  showVisitorTyping(ticketId) { this.typing = ticketId; }
  renderMessages(messages) { this.log.replaceChildren(); messages.forEach(message => this.show(message)); }
  show(message) {
    const row = document.createElement('div');
    row.className = `message ${message.sender_type}`;
    row.append(Object.assign(document.createElement('p'), { textContent: message.content }));
    this.log.append(row);
  }
}
const post = (path, body) => fetch(path, {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
}).then(answer => answer.json());
async function start(email, password) {
  const { operator_id: id } = await post('/operator/login', { email, password });
  await post('/operator/heartbeat', {});
  setInterval(() => post('/operator/heartbeat', {}), 20000);
  window.panel = new Panel(id, '%s');
  await panel.connect();
}
"""

_JOINED: Final = "names => names.every(name => {0}.pushler?.channel(name)?.subscribed)"


class OldScreen(Screen):
    """A page with one of the classes; `variable` names its object there."""

    log = "body"
    variable = ""

    async def load(self, url: str, source: str, start: str, relay_port: int) -> None:
        """Show a page on the support desk's origin that the desk itself does not have."""
        html = _PAGE.format(name=self.variable, host=HOST, port=relay_port, source=source, start=start)

        async def answer(route: Route) -> None:
            await route.fulfill(content_type="text/html; charset=utf-8", body=html)

        # A page that comes out of a test has no address, and Chromium asks before it lets such a page reach loopback.
        await self.context.grant_permissions(["local-network-access"])
        await self.page.route(url, answer)
        await self.page.goto(url)

    async def joined(self, *channels: str) -> None:
        """Wait until the relay has confirmed these channels."""
        await self.page.wait_for_function(_JOINED.format(self.variable), arg=list(channels))

    async def value(self, source: str) -> Any:
        """A field of the object."""
        return await self.page.evaluate(f"{self.variable}.{source}")

    async def reconnected(self, before: str) -> None:
        """Wait until there is another connection than `before`."""
        await self.page.wait_for_function(
            f"before => ![null, before].includes({self.variable}.pushler.socketId)", arg=before
        )


class OldWidget(OldScreen):
    """The tutorial's widget."""

    log = "#chat-messages"
    variable = "widget"

    async def shown(self) -> list[tuple[str, str, bool]]:
        """All messages; those of the class carry their text in `.content`, and none is ever pending."""
        found: list[list[str]] = await self.find("#chat-messages .message:not(.system)").evaluate_all(
            "nodes => nodes.map(node => [node.classList[1], node.querySelector('.content').textContent])"
        )
        return [(side, text, False) for side, text in found]

    async def start(self, name: str, question: str) -> int:
        """Fill in the form; returns the ticket's id when the channel is joined."""
        await self.find("#support-toggle").click()
        await self.find("#visitor-name").fill(name)
        await self.find("#first-message").fill(question)
        await self.find("#start-chat").click()
        await self.page.wait_for_function("widget.ticketId !== null")
        ticket = int(await self.value("ticketId"))
        await self.joined(f"private-ticket-{ticket}")
        return ticket

    async def send(self, text: str) -> None:
        await self.find("#chat-input").fill(text)
        await self.find("#chat-input").press("Enter")

    async def typing(self) -> bool:
        return await self.find("#chat-typing").is_visible()

    async def lines(self) -> list[str]:
        """The widget's own lines."""
        return await self.find("#chat-messages .message.system").all_text_contents()


class OldPanel(OldScreen):
    """The tutorial's panel."""

    variable = "panel"

    async def open(self, ticket: int) -> None:
        await self.page.evaluate("ticket => panel.openTicket(ticket)", ticket)
        await self.joined(f"private-ticket-{ticket}")

    async def send(self, text: str) -> None:
        """The class shows no own message: it leaves that to its reader."""
        await self.page.evaluate("text => panel.sendMessage(text)", text)

    async def close(self, ticket: int) -> None:
        await self.page.evaluate("ticket => panel.closeTicket(ticket)", ticket)

    async def tickets(self) -> list[int]:
        """The ids of ticket:assigned, each time that it came."""
        return cast("list[int]", await self.value("tickets.map(one => one.ticket_id)"))


async def open_widget(profile: BrowserContext, product: Product) -> OldWidget:
    widget = OldWidget(await profile.new_page())
    start = _START_WIDGET.format(key=APP_KEY)
    await widget.load(f"{product.url}/my-shop", javascript("SupportWidget"), start, product.relay.port)
    return widget


async def open_panel(profile: BrowserContext, product: Product, account: Account) -> OldPanel:
    """The panel after a log-in by the page around it, with the operator's channels joined."""
    panel = OldPanel(await profile.new_page())
    await panel.load(f"{product.url}/my-panel", javascript("OperatorPanel"), _START_PANEL % APP_KEY, product.relay.port)
    await panel.page.evaluate("([email, password]) => start(email, password)", [account.email, account.password])
    await panel.joined(f"private-operator-{account.id}", "private-support-queue")
    return panel
