"""Fixtures of the interoperability tests: a real relay process, a back end, and client libraries in their runtimes."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pusher  # type: ignore[import-untyped]  # the official SDK has no annotations
import pytest
import pytest_asyncio

from relay.client import PushlerClient
from tests.helpers import tables
from tests.helpers.parts import INTEROP, JAVA, JAVA_PACKAGES, require
from tests.helpers.processes import RelayProcess
from tests.interop import table
from tests.interop.agents import JavaMachine, LineAgent, java_machine
from tests.interop.backend import Backend, close_sdk, official_sdk
from tests.interop.loop import async_fixture, run_on_one_loop
from tests.interop.nodes import ONE, TWO, Nodes, leave_for_long_runs, relay_of
from tests.interop.runtimes import ONLY_WEBSOCKET, Browsers, Clients, ClientsIn, Options, runtime_of
from tests.interop.subscribers import Connect, Subscriber, SubscribeTo


@pytest.hookimpl(tryfirst=True)  # before those that are not asked for are left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let no test of an SDK be without a row in the table, and a plain run be short."""
    ours = [item for item in items if item.path.parent == INTEROP]
    table.ensure_marked(ours)
    run_on_one_loop(ours)
    leave_for_long_runs(ours)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember what passed."""
    tables.remember(item, call)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table of what was tried, if the environment names a file for it."""
    table.TABLE.write(table.of_session(session))


@pytest.fixture(
    scope="session", params=[pytest.param(ONE, id=pytest.HIDDEN_PARAM), pytest.param(TWO, id="over two nodes")]
)
def nodes(request: pytest.FixtureRequest) -> Nodes:
    """How many nodes the relay is of. Who asks for this, or for what asks for it, runs once with one and once with two."""
    assert request.param in (ONE, TWO)
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def shared_relay(nodes: Nodes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    """One relay for all tests that do not stop it; each test uses channel names of its own. All of them have a history, of
    which client libraries see nothing but a field that they pass over."""
    with relay_of(nodes, tmp_path_factory.mktemp("relay"), '[[apps.history]]\nprefix = ""') as relay:
        yield relay


@pytest.fixture
def relay(shared_relay: RelayProcess) -> RelayProcess:
    """The relay of this test; a module that stops it has a fixture of this name with a relay of its own."""
    return shared_relay


@pytest.fixture(scope="session")
def shared_java() -> Iterator[JavaMachine]:
    """One Java for all tests."""
    require(JAVA, JAVA_PACKAGES)
    with java_machine() as machine:
        yield machine


@async_fixture
async def java(shared_java: JavaMachine) -> AsyncIterator[LineAgent]:
    """An agent in Java that has done nothing yet."""
    agent = await shared_java.start()
    yield agent
    await agent.close()


@async_fixture
async def publisher(relay: RelayProcess) -> AsyncIterator[PushlerClient]:
    """Our own client for back ends, where a test needs an event and not the SDK that sends it."""
    async with PushlerClient(relay.key, relay.secret, app_id=relay.app_id, url=relay.url) as client:
        yield client


@pytest.fixture
def sdk(relay: RelayProcess) -> Iterator[pusher.Pusher]:
    """The official Python SDK."""
    client = official_sdk(relay.port, relay.app_id, relay.key, relay.secret)
    yield client
    close_sdk(client)


@async_fixture
async def backend(relay: RelayProcess) -> AsyncIterator[Backend]:
    async with Backend(relay).running() as running:
        yield running


@pytest.fixture
def runtime_name() -> str:
    """Where the clients of a test run; tests that run in several places parametrise this."""
    return "pusher-js"


@pytest.fixture
def transport() -> Options:
    """By which transports the clients connect; tests that try several parametrise this."""
    return ONLY_WEBSOCKET


@pytest.fixture
def chromium_arguments() -> tuple[str, ...]:
    """What Chromium is started with beyond the usual; a module that needs something has a fixture of this name."""
    return ()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browsers() -> AsyncIterator[Browsers]:
    """The browsers of all tests."""
    async with AsyncExitStack() as closing:
        yield Browsers(closing)


@async_fixture
async def clients_in(
    relay: RelayProcess, backend: Backend, browsers: Browsers, chromium_arguments: tuple[str, ...]
) -> AsyncIterator[ClientsIn]:
    async with AsyncExitStack() as closing:

        async def clients(runtime_name: str, transport: Options = ONLY_WEBSOCKET) -> Clients:
            runtime = await runtime_of(runtime_name, browsers, backend.url, *chromium_arguments)
            return Clients(runtime, relay, backend, transport, closing)

        yield clients


@async_fixture
async def clients(runtime_name: str, transport: Options, clients_in: ClientsIn) -> Clients:
    return await clients_in(runtime_name, transport)


@async_fixture
async def connect(relay: RelayProcess) -> AsyncIterator[Connect]:
    """Opens plain subscribers that are connected and in no channel."""
    async with AsyncExitStack() as closing:

        async def open_one() -> Subscriber:
            return await closing.enter_async_context(Subscriber(relay))

        yield open_one


@pytest.fixture
def subscribe_to(connect: Connect) -> SubscribeTo:
    """Opens plain subscribers that are in the channels given."""

    async def subscribed(*channels: str, user: str = "ann") -> Subscriber:
        subscriber = await connect()
        for channel in channels:
            await subscriber.join(channel, user)
        return subscriber

    return subscribed
