"""Clients and back ends of two relays that are two nodes, while something breaks: what they were told, and whether it is so.

The rule (relay/cluster/bus.py), for everybody who stayed connected: an event that was answered with 200 arrived, once and in
the same order everywhere, or the node said that it had missed something; one that was refused as nobody's arrived nowhere.
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal

import aiohttp

from relay.protocol.signatures import signed_params
from tests.helpers.clients import app_with, member, subscription
from tests.helpers.processes import HOST, RelayProcess

NEWS: Final = "news"
# Seconds. Long, since they only pass when something is wrong.
PATIENCE: Final = 30.0
# Between two events of one publisher.
PAUSE: Final = 0.02
_ANSWER_TIMEOUT: Final = 10.0

# What became of an event, as far as its publisher was told: all have it, nobody has it, nobody knows.
Outcome = Literal["accepted", "refused", "unknown"]


def owner(relay: RelayProcess) -> Any:
    """The relay's app, for signing."""
    app = app_with(app_id=relay.app_id)
    return type(app)(id=relay.app_id, key=relay.key, secret=relay.secret)


async def until(is_so: Callable[[], object], what: str, patience: float = PATIENCE) -> float:
    """Wait until it is so; after how many seconds it was."""
    begin = time.monotonic()
    while not is_so():
        assert time.monotonic() - begin < patience, f"not within {patience:g} s: {what}"
        await asyncio.sleep(0.01)
    return time.monotonic() - begin


class Client:
    """A client of one relay. `numbers` are the events that it got; `members` is kept as a client library keeps it."""

    def __init__(self, relay: RelayProcess, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.relay = relay
        self.numbers: list[int] = []
        self.members: dict[str, set[str]] = {}
        self.added: Counter[str] = Counter()
        self.removed: Counter[str] = Counter()
        self.is_closed = False
        self.socket_id = ""
        self._socket = socket
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for received in self._socket:
            message = json.loads(received.data)
            data = message.get("data")
            self._take(
                message["event"], message.get("channel", ""), json.loads(data) if isinstance(data, str) else data
            )
        self.is_closed = True

    def _take(self, event: str, channel: str, data: Any) -> None:
        match event:
            case "pusher:connection_established":
                self.socket_id = data["socket_id"]
            case "number":
                self.numbers.append(data)
            case "pusher_internal:subscription_succeeded":
                self.members[channel] = set(data.get("presence", {}).get("ids", ()))
            case "pusher_internal:member_added":
                assert data["user_id"] not in self.members[channel], f"{data['user_id']} was told of twice"
                self.members[channel].add(data["user_id"])
                self.added[data["user_id"]] += 1
            case "pusher_internal:member_removed":
                self.members[channel].remove(data["user_id"])
                self.removed[data["user_id"]] += 1

    def has_last(self, number: int) -> bool:
        """Whether this is the last event that it got."""
        return self.numbers[-1:] == [number]

    @property
    def close_code(self) -> int | None:
        """With what the relay ended the connection."""
        return self._socket.close_code

    async def join(self, channel: str, user_id: str | None = None) -> None:
        """Subscribe, and wait until that is confirmed."""
        data = None if user_id is None else member(user_id)
        body = subscription(owner(self.relay), self.socket_id, channel, data)
        await self._socket.send_json({"event": "pusher:subscribe", "data": body})
        await until(lambda: channel in self.members, f"{channel} is joined")

    async def close(self) -> None:
        """Go. What went wrong while reading is raised."""
        await self._socket.close()
        await self._reading


class Crowd:
    """All clients and back ends of a test."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self._numbers: Iterator[int] = itertools.count()
        self.clients: list[Client] = []
        self.outcomes: dict[int, Outcome] = {}

    async def connect(self, relay: RelayProcess) -> Client:
        """A client that has been welcomed."""
        socket = await self._http.ws_connect(f"{relay.url}/app/{relay.key}?protocol=7", max_msg_size=0)
        client = Client(relay, socket)
        self.clients.append(client)
        await until(lambda: client.socket_id, "the welcome")
        return client

    async def listener(self, relay: RelayProcess) -> Client:
        """A client that hears the news."""
        client = await self.connect(relay)
        await client.join(NEWS)
        return client

    async def ask(self, relay: RelayProcess, path: str) -> tuple[int, Any]:
        """A signed GET of the API: the status and the answer."""
        async with self._http.get(self._target(relay, "GET", path), timeout=_timeout()) as answer:
            return answer.status, await answer.json()

    async def users(self, relay: RelayProcess, channel: str) -> set[str] | None:
        """The members of a channel; None when the relay cannot say."""
        status, answer = await self.ask(relay, f"/channels/{channel}/users")
        return {user["id"] for user in answer["users"]} if status == HTTPStatus.OK else None

    async def publish(self, relay: RelayProcess) -> int:
        """Publish the next number; what became of it is in `outcomes`."""
        number = next(self._numbers)
        body = json.dumps({"name": "number", "channel": NEWS, "data": str(number)}).encode()
        self.outcomes[number] = "unknown"
        try:
            async with self._http.post(
                self._target(relay, "POST", "/events", body), data=body, timeout=_timeout()
            ) as answer:
                self.outcomes[number] = _outcome_of(answer)
        except (aiohttp.ClientError, TimeoutError):
            pass  # the relay, or the connection to it, is gone
        return number

    async def publish_until_accepted(self, relay: RelayProcess) -> int:
        """The number of an event that all have."""
        deadline = time.monotonic() + PATIENCE
        while self.outcomes[number := await self.publish(relay)] != "accepted":
            assert time.monotonic() < deadline, f"{relay.url} takes no events"
            await asyncio.sleep(PAUSE)
        return number

    @asynccontextmanager
    async def publishing(self, *relays: RelayProcess) -> AsyncIterator[None]:
        """A back end for each of these, which publishes all the time; at the end each has its last answer.

        One that is cut off leaves an event that may arrive after whatever is published next.
        """
        is_over = asyncio.Event()
        async with asyncio.TaskGroup() as back_ends:
            for relay in relays:
                back_ends.create_task(self._publish_on(relay, is_over))
            try:
                yield
            finally:
                is_over.set()

    async def _publish_on(self, relay: RelayProcess, is_over: asyncio.Event) -> None:
        while not is_over.is_set():
            await self.publish(relay)
            await asyncio.sleep(PAUSE)

    async def settle(self, *relays: RelayProcess) -> None:
        """Wait until the clients of these relays have got what each of them publishes now."""
        for relay in relays:
            number = await self.publish_until_accepted(relay)
            for client in self.clients:
                if client.relay in relays and not client.is_closed and NEWS in client.members:
                    await until(partial(client.has_last, number), f"{number} arrives")

    def _target(self, relay: RelayProcess, method: str, path: str, body: bytes = b"") -> str:
        full = f"/apps/{relay.app_id}{path}"
        return f"{relay.url}{full}?" + "&".join(
            f"{name}={value}"
            for name, value in signed_params(relay.key, relay.secret, method, full, body, time.time(), ())
        )

    def check(self, listeners: list[Client], *, told_gaps: Callable[[RelayProcess], bool]) -> None:
        """The rule on top. Of a node that told of a gap the clients may miss some; nothing comes twice."""
        refused = {number for number, outcome in self.outcomes.items() if outcome == "refused"}
        accepted = [number for number, outcome in self.outcomes.items() if outcome == "accepted"]
        orders = [client.numbers for client in listeners if not told_gaps(client.relay)]
        for client in listeners:
            assert not client.is_closed
            assert len(client.numbers) == len(set(client.numbers)), "an event came twice"
            assert not refused & set(client.numbers), "a refused event arrived"
            if not told_gaps(client.relay):
                assert set(accepted) <= set(client.numbers), f"{set(accepted) - set(client.numbers)} did not arrive"
        assert all(order == orders[0] for order in orders), "the nodes delivered in different orders"


def tells_gap(relay: RelayProcess) -> bool:
    """Whether the node said that it missed something."""
    return "messages_missed" in relay.output()


def _timeout() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=_ANSWER_TIMEOUT)


def _outcome_of(answer: aiohttp.ClientResponse) -> Outcome:
    if answer.status == HTTPStatus.OK:
        return "accepted"
    assert answer.status == HTTPStatus.SERVICE_UNAVAILABLE, answer.status
    # "Try again" is said where nothing has happened.
    return "refused" if "Retry-After" in answer.headers else "unknown"


@asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    """Clients that end with the test."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        everybody = Crowd(http)
        yield everybody
        await asyncio.gather(*(client.close() for client in everybody.clients))


@asynccontextmanager
async def relays(*urls: str, **settings: object) -> AsyncIterator[list[RelayProcess]]:
    """A relay for each Redis URL; stopped at the end, whatever was done to them."""
    processes = [RelayProcess(redis_url=url, metrics_host=HOST, **settings) for url in urls]
    try:
        for process in processes:
            await asyncio.to_thread(process.start)
        yield processes
    finally:
        for process in processes:
            await asyncio.to_thread(process.stop)
