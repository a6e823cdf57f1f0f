"""What all front doors of a relay share: where requests go, and which connections are still at the door.

Must not know how a request is read or an answer written.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from email.utils import formatdate
from typing import Final

from pushdesk.addresses import Network
from relay.net.liveness import Wheel
from relay.transports.exchange import Exchange
from relay.transports.websocket import WebSocket
from relay.wire.http import LongResponse, Response
from relay.wire.later import Later

APP_PATH: Final = "/app/"

# (method, target, body, what gives the client's address, also later) → the answer, which may come later
AnswerRequest = Callable[[str, str, bytes, Callable[[], str]], Response | LongResponse | Later[Response | LongResponse]]

# (method, target, status, reason, what gives the client's address) → the answer to a request whose body is no good
RefuseBody = Callable[[str, str, int, str, Callable[[], str]], Response]

# Given the client's address where a trusted proxy has told it, else None.
MakeWebSocket = Callable[[asyncio.Transport, str | None], WebSocket]


class Door:
    """One connection that is not a WebSocket yet."""

    __slots__ = ()

    def close(self) -> None:
        """End the connection when what was written has gone out."""
        raise NotImplementedError

    @property
    def is_waiting(self) -> bool:
        """Whether a request is to be answered when it is known what."""
        raise NotImplementedError

    def give_up(self) -> None:
        """Wait no longer for what to answer."""
        raise NotImplementedError


class Doors:
    """What all front doors of a relay share: where requests go, and which connections are still at the door.

    `is_fallback` says which targets `fallback` answers, in a task; `answer` answers all others. `refuse` makes the answer to
    a request whose body does not come in time, or is over `max_body` (bytes). `trusted` are the proxies whose X-Forwarded-For
    counts.
    """

    def __init__(
        self,
        wheel: Wheel,
        websocket: MakeWebSocket,
        answer: AnswerRequest,
        refuse: RefuseBody,
        fallback: Callable[[Exchange], Awaitable[None]],
        is_fallback: Callable[[str], bool],
        *,
        prefix: str,
        max_body: int,
        trusted: Sequence[Network] = (),
    ) -> None:
        self.wheel = wheel
        self.websocket = websocket
        self.answer = answer
        self.refuse = refuse
        self.fallback = fallback
        self.is_fallback = is_fallback
        self.app_path = prefix + APP_PATH
        self.upgrade = f"GET {self.app_path}".encode()
        self.max_body = max_body
        self.trusted = trusted
        self.loop = asyncio.get_running_loop()
        self.is_closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_ended = asyncio.Event()
        self._second = 0
        self._date = ""

    def date(self) -> str:
        """The time as HTTP writes it, made once a second."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._date = formatdate(second, usegmt=True)
        return self._date

    def start(self, answering: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """A task that answers a request."""
        task = self.loop.create_task(answering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def ended(self) -> None:
        """A door waits no more for what to answer."""
        if self.is_closed:
            self._has_ended.set()

    async def finish(self, seconds: float) -> None:
        """Let all answers that take time end within so many seconds, then end them."""
        deadline = self.loop.time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._wait_for_doors()
        except TimeoutError:
            for door in self._waiting():
                door.give_up()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=max(0.0, deadline - self.loop.time()))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """End the connections that wait for a request, and each other one when its present request is answered."""
        self.is_closed = True
        for door in self._watched():
            if not door.is_waiting:
                door.close()

    async def _wait_for_doors(self) -> None:
        while self._waiting():
            self._has_ended.clear()
            await self._has_ended.wait()

    def _watched(self) -> list[Door]:
        return [watched for watched in self.wheel if isinstance(watched, Door)]

    def _waiting(self) -> list[Door]:
        return [door for door in self._watched() if door.is_waiting]
