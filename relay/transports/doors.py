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
from relay.wire.http import Answer, LongAnswer

APP_PATH: Final = "/app/"

# (method, target, body, what gives the client's address) → the answer
AnswerRequest = Callable[[str, str, bytes, Callable[[], str]], Answer | LongAnswer]

# (method, target, status, reason, what gives the client's address) → the answer to a request whose body is no good
RefuseBody = Callable[[str, str, int, str, Callable[[], str]], Answer]

# Given the client's address where a trusted proxy has told it, else None.
MakeWebSocket = Callable[[asyncio.Transport, str | None], WebSocket]


class Door:
    """One connection that is not a WebSocket yet."""

    __slots__ = ()

    def close(self) -> None:
        """End the connection when what was written has gone out."""
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

    async def finish(self, seconds: float) -> None:
        """Let the tasks end within so many seconds, then end them."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """End the connections that wait for a request, and each other one when its present request is answered."""
        self.is_closed = True
        for door in [watched for watched in self.wheel if isinstance(watched, Door)]:
            door.close()
