"""One RESP3 connection to one Redis: commands out, their answers and pushes in, in the order in which Redis sent them.

Must not know keys, topics or what is in a message. Everything that comes in is handled in the reader's callback and never
awaited: an `await` between an answer and the push behind it would lose the push.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import Any, Final, cast

import structlog
from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command
from msgspec import Struct

from relay.cluster.bus import Unavailable

log = structlog.get_logger()

# What may be unanswered on a link. A command beyond it is refused at once: Redis is too slow for what it is asked.
MAX_UNANSWERED_COMMANDS: Final = 10_000
MAX_UNANSWERED_BYTES: Final = 8 * 1_048_576

# Seconds until the oldest unanswered command ends the link, and until a connection must stand.
DEADLINE: Final = 2.0
# How often one deadline is looked at: a link ends between DEADLINE and 1/8 more.
_LOOKS: Final = 8

# The reader's word for "not all of an answer is here yet".
_NOTHING: Final = object()

Argument = bytes | str | int | float
# An answer: bytes, int, float, bool, None, a list, a dict or a set of such, a ReplyError, or Unavailable.
Done = Callable[[Any], None]
# Kind (b"message", b"smessage", b"subscribe", b"sunsubscribe" …), topic, payload (bytes; of a confirmation an int).
OnPush = Callable[[bytes, bytes, Any], None]


class Endpoint(Struct, frozen=True):
    """Where a Redis listens: host and port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        return self.path or (f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")


class Access(Struct, frozen=True):
    """What a connection begins with: who asks, which database, over which TLS, under which name in CLIENT LIST."""

    user: str = ""
    password: str = ""
    db: int = 0
    tls: SSLContext | None = None
    name: str = "pushdesk"

    def __repr__(self) -> str:
        return f"Access(user={self.user!r}, password={'***' if self.password else ''!r}, db={self.db}, tls={bool(self.tls)})"


class Greeting(Struct, frozen=True):
    """What Redis says of itself: `mode` is standalone, sentinel or cluster; `role` master or replica, "" of a Sentinel."""

    server: str
    version: str
    mode: str
    role: str


class LinkFailed(Exception):
    """No connection to `endpoint`, or Redis refused it; `error` is the answer that did."""

    def __init__(self, endpoint: Endpoint, reason: str, error: ReplyError | None = None) -> None:
        super().__init__(endpoint, reason)
        self.endpoint = endpoint
        self.reason = reason
        self.error = error

    def __str__(self) -> str:
        return f"Redis at {self.endpoint}: {self.reason}"


def ignore_push(kind: bytes, topic: bytes, payload: Any) -> None:
    """For links that subscribe to nothing."""


def ignore_loss(reason: str) -> None:
    """For links whose end is seen by their answers."""


class Link(asyncio.Protocol):
    """A connection; made once, by `connect`, and never again after its end.

    `on_push` gets all pushes. `on_lost` is called once if an established link ends, whoever ended it; after it every
    unanswered command gets Unavailable, and no push comes any more. Nothing but `connect` raises. A callback that raises is
    a bug: it is logged, and what came behind it is handled all the same.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        access: Access,
        on_push: OnPush = ignore_push,
        on_lost: Callable[[str], None] = ignore_loss,
        deadline: float = DEADLINE,
    ) -> None:
        self.endpoint = endpoint
        self.is_open = False
        self._reason = ""
        self._access = access
        self._on_push = on_push
        self._on_lost = on_lost
        self._is_established = False
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._reader = Reader(notEnoughData=_NOTHING)
        # What was not written yet; who waits for an answer, with the bytes of their command, oldest first.
        self._out: list[bytes] = []
        self._waiting: deque[tuple[Done, int]] = deque()
        self._unanswered_bytes = 0
        self._written = 0
        # How many commands were written when the deadline was looked at, oldest first.
        self._marks: deque[int] = deque()
        self._look: asyncio.TimerHandle | None = None

    # --- beginning and end

    async def connect(self) -> Greeting:
        """Connect and log in. Raises LinkFailed, after DEADLINE at the latest."""
        try:
            async with asyncio.timeout(self._deadline):
                await self._dial()
                greeting = await self._log_in()
        except (OSError, TimeoutError) as error:
            self.abort("not connected")
            reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
            raise LinkFailed(self.endpoint, reason) from error
        except BaseException:
            self.abort("not connected")
            raise
        if not self.is_open:
            raise LinkFailed(self.endpoint, self._reason)
        self._is_established = True
        return greeting

    def abort(self, reason: str) -> None:
        """End the link now; when it returns, everybody knows."""
        if self.is_open:
            self._transport.abort()
            self._end(reason)

    async def _dial(self) -> None:
        endpoint, tls = self.endpoint, self._access.tls
        if endpoint.path:
            await self._loop.create_unix_connection(lambda: self, endpoint.path)
        else:
            await self._loop.create_connection(lambda: self, endpoint.host, endpoint.port, ssl=tls)

    async def _log_in(self) -> Greeting:
        access = self._access
        credentials = ("AUTH", access.user or "default", access.password) if access.password else ()
        said = self._expect(await self.ask("HELLO", "3", *credentials, "SETNAME", access.name))
        if access.db:
            self._expect(await self.ask("SELECT", access.db))
        if said[b"mode"] != b"sentinel":
            # What subscriptions are confirmed by: see `subscribe`. Sentinels do not know it.
            self._expect(await self.ask("ECHO", _Fence.WORD))
        role = said.get(b"role", b"").decode()
        return Greeting(said[b"server"].decode(), said[b"version"].decode(), said[b"mode"].decode(), role)

    def _expect(self, answer: Any) -> Any:
        if isinstance(answer, ReplyError):
            raise LinkFailed(self.endpoint, str(answer), answer)
        if isinstance(answer, Unavailable):
            raise LinkFailed(self.endpoint, answer.reason)
        return answer

    # --- commands

    @property
    def unanswered(self) -> int:
        """How many commands wait for an answer."""
        return len(self._waiting)

    def command(self, arguments: Sequence[Argument], done: Done) -> None:
        """Send a command with those of this turn of the loop; `done` gets its answer, once, maybe before this returns."""
        self._send(pack_command(arguments), done)  # type: ignore[arg-type]  # a tuple, of which hiredis names one item

    def subscribe(self, verb: str, topics: Sequence[bytes], done: Done) -> None:
        """(S)SUBSCRIBE or (S)UNSUBSCRIBE; `done` gets None when it was executed, a ReplyError when it was refused.

        Redis answers these by a push for each topic, and after a refusal by an error instead. Which error it is that comes
        cannot be told from the pushes (a moved slot sends `sunsubscribe` unasked), but from the ECHO that is sent behind.
        """
        fenced: bytes = pack_command((verb, *topics)) + pack_command(("ECHO", _Fence.WORD))  # type: ignore[arg-type]
        self._send(fenced, _Fence(self, done, len(fenced)))

    async def ask(self, *arguments: Argument) -> Any:
        """The answer to one command. Not for links with subscriptions: pushes may be handled before the caller goes on."""
        future = self._loop.create_future()
        self.command(arguments, lambda answer: None if future.done() else future.set_result(answer))
        return await future

    def _send(self, packed: bytes, done: Done) -> None:
        size = len(packed)
        waiting = self._waiting
        if not self.is_open:
            done(Unavailable("not connected", is_unknown=False))
        elif len(waiting) >= MAX_UNANSWERED_COMMANDS or self._unanswered_bytes + size > MAX_UNANSWERED_BYTES:
            done(Unavailable("too much is unanswered", is_unknown=False))
        else:
            if not self._out:
                self._loop.call_soon(self._flush)
            self._out.append(packed)
            waiting.append((done, size))
            self._unanswered_bytes += size

    def _flush(self) -> None:
        """Write the commands of a turn at once: a `send()` costs more than all the rest of a command."""
        if not self.is_open:
            return
        out, self._out = self._out, []
        self._written += len(out)
        self._transport.write(b"".join(out))
        if self._look is None:
            self._look = self._loop.call_later(self._deadline / _LOOKS, self._look_at_deadline)

    def _look_at_deadline(self) -> None:
        """End the link if what was written _LOOKS looks ago has no answer. One timer, nothing per command."""
        unanswered = len(self._waiting) - len(self._out)
        if not unanswered:
            self._look = None
            self._marks.clear()
            return
        answered = self._written - unanswered
        self._marks.append(self._written)
        if len(self._marks) > _LOOKS and self._marks.popleft() > answered:
            self.abort(f"no answer within {self._deadline:g} s")
            return
        self._look = self._loop.call_later(self._deadline / _LOOKS, self._look_at_deadline)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while not self._handle():
            pass

    def _handle(self) -> bool:
        """Hand on what has come completely; False if a callback raised, and there may be more."""
        gets, waiting, on_push = self._reader.gets, self._waiting, self._on_push
        try:
            while self.is_open and (answer := gets()) is not _NOTHING:
                if type(answer) is PushNotification:
                    kind, topic, payload = answer
                    on_push(kind, topic, payload)
                elif waiting:
                    done, size = waiting.popleft()
                    self._unanswered_bytes -= size
                    done(answer)
                else:
                    self.abort(f"an answer that nobody asked for: {answer!r:.100}")
        except ProtocolError as error:
            self.abort(f"not RESP: {error}")
        except Exception:
            log.exception("redis_callback_failed", endpoint=str(self.endpoint))
            return False
        return True

    def take_again(self, done: Done, size: int) -> None:
        """Give the next answer to `done` as well: the one that it had was not the last of its command."""
        self._waiting.appendleft((done, size))
        self._unanswered_bytes += size

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc) if exc else "Redis closed the connection")

    def _end(self, reason: str) -> None:
        if not self.is_open:
            return
        self.is_open = False
        self._reason = reason
        if self._look is not None:
            self._look.cancel()
        written = len(self._waiting) - len(self._out)
        if self._is_established:
            self._call(self._on_lost, reason)
        for number, (done, _size) in enumerate(self._waiting):
            self._call(done, Unavailable(reason, is_unknown=number < written))
        self._waiting.clear()

    def _call(self, callback: Callable[[Any], None], value: Any) -> None:
        try:
            callback(value)
        except Exception:
            log.exception("redis_callback_failed", endpoint=str(self.endpoint))


class _Fence:
    """Waits for the ECHO behind a subscription, and for the error before it if there is one."""

    __slots__ = ("_done", "_error", "_link", "_size")
    WORD: Final = b"fence"

    def __init__(self, link: Link, done: Done, size: int) -> None:
        self._link = link
        self._done = done
        self._size = size
        self._error: ReplyError | None = None

    def __call__(self, answer: Any) -> None:
        if isinstance(answer, Unavailable) or answer == self.WORD:
            self._done(self._error if answer == self.WORD else answer)
        elif isinstance(answer, ReplyError) and self._error is None:
            self._error = answer
            self._link.take_again(self, self._size)
        else:
            self._link.abort(f"an answer out of step: {answer!r:.100}")
            self._done(Unavailable("answers out of step", is_unknown=True))
