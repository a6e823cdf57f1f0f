"""Where a client library runs: each runtime starts agents with the options that the library's users write."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pytest
from playwright.async_api import Browser, Playwright, async_playwright

from tests.helpers.parts import CHROMIUM, CHROMIUM_ARGUMENTS, CHROMIUM_PATH, NODE, NODE_PACKAGES, require
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import Agent, NodeAgent, PageAgent
from tests.interop.backend import WITH_ENCRYPTION, Backend, Signer
from tests.interop.table import npm_version

CHROMIUM_WITH_ENCRYPTION: Final = "chromium-with-encryption"

Options = dict[str, Any]


class Runtime(ABC):
    """Starts agents of the client libraries in one place."""

    @abstractmethod
    async def start(self, kind: str) -> Agent:
        """A new agent: of pusher-js (`kind` pusher) or Laravel Echo (echo)."""


class Node(Runtime):
    """Node.js with a package of tests/interop; pusher-js is there in several versions."""

    def __init__(self, package: str) -> None:
        self._package = package

    async def start(self, kind: str) -> Agent:
        return await NodeAgent.start(kind, self._package)


class Chromium(Runtime):
    """A headless Chromium: each agent has a page of its own, loaded from the back end."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url

    async def start(self, kind: str) -> Agent:
        return await PageAgent.start(kind, await self._browser.new_page(), self._url)


class Browsers:
    """The browsers of all tests: one for each set of further arguments, started by the first test that needs it. Each page
    has a profile of its own, so tests see nothing of each other."""

    def __init__(self, closing: AsyncExitStack) -> None:
        self._closing = closing
        self._playwright: Playwright | None = None
        self._browsers: dict[tuple[str, ...], Browser] = {}

    async def browser(self, *arguments: str) -> Browser:
        """A headless Chromium with these arguments beyond the usual."""
        require(CHROMIUM, NODE_PACKAGES)
        browser = self._browsers.get(arguments)
        if browser is None or not browser.is_connected():
            browser = self._browsers[arguments] = await self._launch(arguments)
        return browser

    async def _launch(self, arguments: tuple[str, ...]) -> Browser:
        if self._playwright is None:
            self._playwright = await self._closing.enter_async_context(async_playwright())
        browser = await self._playwright.chromium.launch(
            executable_path=CHROMIUM_PATH, args=[*CHROMIUM_ARGUMENTS, *arguments]
        )
        self._closing.push_async_callback(browser.close)
        return browser


async def runtime_of(name: str, browsers: Browsers, url: str, *chromium_arguments: str) -> Runtime:
    """The runtime of that name: "chromium", the same with the build that can decrypt, or the npm package to run in Node.
    Pages are loaded from `url`."""
    if name.startswith("chromium"):
        page = url + WITH_ENCRYPTION if name == CHROMIUM_WITH_ENCRYPTION else url
        return Chromium(await browsers.browser(*chromium_arguments), page)
    require(NODE, NODE_PACKAGES)
    return Node(name)


class ClientsIn(Protocol):
    """Clients in a runtime, which connect by these transports; for tests that need several runtimes at once."""

    def __call__(self, runtime_name: str, transport: Options = ...) -> Awaitable["Clients"]: ...


@dataclass
class Clients:
    """Opens clients in one runtime; `transport` says by which transports they connect, `closing` closes them at the end."""

    runtime: Runtime
    relay: RelayProcess
    backend: Backend
    transport: Options
    closing: AsyncExitStack

    async def start(self, kind: str) -> Agent:
        """A client that is not connected yet."""
        agent = await self.runtime.start(kind)
        self.closing.push_async_callback(agent.close)
        return agent

    async def pusher(self, user: str = "ann", signer: Signer = "official-sdk", **options: object) -> Agent:
        """A connected pusher-js; `user` is who the authorisation endpoint takes it for."""
        agent = await self.start("pusher")
        await self.connect(agent, user, signer, **options)
        await agent.take(kind="state", current="connected")
        return agent

    async def connect(
        self, agent: Agent, user: str = "ann", signer: Signer = "official-sdk", **options: object
    ) -> None:
        """Make a pusher-js connect."""
        await agent.call("connect", key=self.relay.key, options=self.options(user, signer) | options)

    async def echo(self, broadcaster: str, user: str = "ann", **options: object) -> Agent:
        """A connected Laravel Echo, with Echo's own names for the options."""
        agent = await self.start("echo")
        given = self.address() | {
            "broadcaster": broadcaster,
            "authEndpoint": self.backend.endpoint("official-sdk"),
            "auth": {"params": {"user": user}},
        }
        if broadcaster == "pusher":
            given["cluster"] = "mt1"
        await agent.call("connect", key=self.relay.key, options=given | options)
        await agent.take(kind="state", current="connected")
        return agent

    def address(self) -> Options:
        """The options that point one client at the relay, and nowhere else."""
        port = self.relay.client_port
        return {"wsHost": HOST, "wsPort": port, "httpHost": HOST, "httpPort": port, "forceTLS": False} | self.transport

    def options(self, user: str, signer: Signer) -> Options:
        """The options of pusher-js, by their names in version 8 and by the older ones."""
        endpoint = self.backend.endpoint(signer)
        return self.address() | {
            "cluster": "mt1",
            "channelAuthorization": {"transport": "ajax", "endpoint": endpoint, "params": {"user": user}},
            "authEndpoint": endpoint,
            "auth": {"params": {"user": user}},
            "userAuthentication": self.user_authentication(user, signer=signer),
            "disableStats": True,
        }

    def user_authentication(self, user: str, *watched: str, signer: Signer = "official-sdk") -> Options:
        """The option that says who signs a pusher-js in: as `user`, who wants to know about those watched."""
        params = {"user": user, "watchlist": ",".join(watched)}
        return {"transport": "ajax", "endpoint": self.backend.user_endpoint(signer), "params": params}


def _runtime(name: str, title: str, package: str, where: str, mark: pytest.MarkDecorator) -> object:
    library = "Laravel Echo" if package == "laravel-echo" else "pusher-js"
    return pytest.param(name, id=title, marks=(mark, pytest.mark.sdk(library, npm_version(package), where)))


NODE_8: Final = _runtime("pusher-js", "pusher-js 8 in Node", "pusher-js", "Node", pytest.mark.node)
NODE_7: Final = _runtime("pusher-js-7", "pusher-js 7 in Node", "pusher-js-7", "Node", pytest.mark.node)
NODE_4: Final = _runtime("pusher-js-4", "pusher-js 4 in Node", "pusher-js-4", "Node", pytest.mark.node)
CHROMIUM_8: Final = _runtime("chromium", "pusher-js 8 in Chromium", "pusher-js", "Chromium", pytest.mark.browser)

CHROMIUM_8_ENCRYPTED: Final = _runtime(
    CHROMIUM_WITH_ENCRYPTION, "pusher-js 8 with encryption in Chromium", "pusher-js", "Chromium", pytest.mark.browser
)

ECHO_IN_NODE: Final = _runtime("laravel-echo", "Echo 2 in Node", "laravel-echo", "Node", pytest.mark.node)
ECHO_IN_CHROMIUM: Final = _runtime("chromium", "Echo 2 in Chromium", "laravel-echo", "Chromium", pytest.mark.browser)
ECHO_IN_CHROMIUM_ENCRYPTED: Final = _runtime(
    CHROMIUM_WITH_ENCRYPTION, "Echo 2 with encryption in Chromium", "laravel-echo", "Chromium", pytest.mark.browser
)


def at_once(argument: str, *parameters: Any) -> pytest.MarkDecorator:
    """Give a test all these runtimes, or transports, in one list. It is marked as one that tries each of them."""
    values = [value for parameter in parameters for value in parameter.values]
    marks = [mark for parameter in parameters for mark in parameter.marks]
    return pytest.mark.parametrize(argument, [pytest.param(values, marks=marks, id=pytest.HIDDEN_PARAM)])


def _transport(title: str, options: Options) -> object:
    return pytest.param(options, id=title, marks=pytest.mark.over(title))


ONLY_WEBSOCKET: Final[Options] = {"enabledTransports": ["ws"]}

WEBSOCKET: Final = _transport("ws", ONLY_WEBSOCKET)
WEBSOCKET_OVER_TLS: Final = _transport("wss", ONLY_WEBSOCKET)
NO_WEBSOCKET: Final = _transport("no ws", {"disabledTransports": ["ws", "wss"]})
XHR_STREAMING: Final = _transport("xhr_streaming", {"enabledTransports": ["xhr_streaming"]})
XHR_POLLING: Final = _transport("xhr_polling", {"enabledTransports": ["xhr_polling"]})
