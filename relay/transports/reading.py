"""Reading what a client sends over one connection as HTTP requests, one after another, until it is a WebSocket.

What is done with a request, `front.py` says; here is where it begins and ends, how much is kept of what came after one that
is not answered yet, and what is refused before anybody is asked. Must not know how an answer is made or written.
"""

import asyncio
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from relay.transports.doors import Doors
from relay.transports.handshake import Upgrade, parse_upgrade
from relay.transports.intake import MESSAGES, Intake
from relay.transports.websocket import WebSocket
from relay.wire.bodies import Body, SizedBody, TooLong, body_of
from relay.wire.http import (
    CONTINUE,
    END_OF_HEAD,
    Framing,
    Head,
    HttpError,
    PlainRequest,
    Response,
    framing_of,
    parse_head,
    parse_plain,
    text_response,
)

# The head of a request, in bytes.
MAX_HEAD: Final = 16_384

# A large read is looked at in portions of so many bytes: what follows a request is copied when it has been answered.
PORTION: Final = 16_384

_NOTHING: Final[Iterator[bytes]] = iter(())
_LINE_BREAKS: Final = (b"\r", b"\n")


class Incoming(Struct, frozen=True):
    """A request whose body is being read."""

    head: Head
    framing: Framing
    bytes_of_head: bytes
    body: Body


class RequestReader(Intake[bytes]):
    """Base of a connection that reads requests. A subclass answers them, and says how it ends (`_refuse`, `_refuse_large`)
    or becomes a WebSocket (`_switch`)."""

    __slots__ = (
        "_data",
        "_doors",
        "_incoming",
        "_is_busy",
        "_is_lingering",
        "_is_over",
        "_is_paused",
        "_since",
        "_successor",
        "_transport",
    )

    _transport: asyncio.Transport

    def _start_reading(self, doors: Doors) -> None:
        """Nothing has come yet."""
        self._doors = doors
        self._loop = doors.loop
        self._data = b""
        # The request whose body is being read.
        self._incoming: Incoming | None = None
        # Whether a request is being answered: no other one is looked at meanwhile.
        self._is_busy = False
        self._is_lingering = False
        # Whether nothing more is answered: the connection ends, or is a WebSocket, which then is the successor.
        self._is_over = False
        self._successor: WebSocket | None = None
        self._is_paused = False
        # When the present request began to come, or the connection to wait for one, or the client to take nothing.
        self._since = doors.loop.time()
        self._start()

    # --- what a subclass does with what was read

    def _answer(self, request: PlainRequest) -> bool:
        """Answer a plain request that is whole, at the start of the data; whether there may be another."""
        raise NotImplementedError

    def _answer_whole(self, incoming: Incoming) -> bool:
        """Answer a request of any kind that is whole; whether there may be another at once."""
        raise NotImplementedError

    def _switch(self, upgrade: Upgrade, end: int) -> None:
        """Have a WebSocket take the connection; its first bytes come after the head, which ends at `end`."""
        raise NotImplementedError

    def _refuse(self, response: Response) -> None:
        """Answer what is not a request that could be served, and end."""
        raise NotImplementedError

    def _refuse_large(self, head: Head) -> None:
        """Say that the body is over the limit, and end."""
        raise NotImplementedError

    # --- reading

    def data_received(self, data: bytes) -> None:
        """More of a request, or of several."""
        if self._is_busy:
            self._keep(data)
        elif self._is_over:
            return  # what a client still sends that was refused
        elif self._held is None and len(data) <= PORTION:
            self._add(data)
            self._handle(_NOTHING, MESSAGES)
        else:
            self._take(portions(data), len(data))

    def _handle(self, pieces: Iterator[bytes], most: int) -> None:
        """See Intake. A portion counts as much as so many kilobytes."""
        while not self._is_over and not self._is_paused and not self._is_busy:
            if self._data and self._handle_next():
                most -= 1
            elif self._is_over or self._is_busy:
                break
            elif (piece := next(pieces, None)) is not None:
                # A portion may hold thousands of chunks, which take as long as a turn should.
                is_in_chunks = self._incoming is not None and self._incoming.framing.length is None
                self._add(piece)
                most -= most if is_in_chunks else len(piece) >> 10
            else:
                return
            if most <= 0:
                break
        self._leave(pieces)

    def _leave(self, pieces: Iterator[bytes]) -> None:
        """See to what is not handled now."""
        if self._is_over:
            if self._successor is not None:
                for piece in pieces:
                    self._successor.data_received(piece)
        elif self._is_busy:
            self._keep(b"".join(pieces))
        elif self._is_paused:
            self._park(pieces)
        else:
            self._hold(pieces)

    def _keep(self, data: bytes) -> None:
        """Nothing of this is looked at before the present request is answered."""
        self._data += data
        if len(self._data) > MAX_HEAD:
            self._pause()

    def _pause(self) -> None:
        """See Intake."""
        self._transport.pause_reading()

    def _resume(self) -> None:
        """See Intake."""
        is_full = self._is_busy and len(self._data) > MAX_HEAD
        if not self._is_paused and not is_full and (self._is_lingering or not self._is_over):
            self._transport.resume_reading()

    def _add(self, data: bytes) -> None:
        """More of the present request, or the start of the next one."""
        if self._incoming is not None:
            self._read_body(self._incoming, data)
        elif self._data:
            self._data += data
        else:
            self._begin(data)

    def _begin(self, data: bytes) -> None:
        """The start of a request; its time runs from now."""
        if data.startswith(_LINE_BREAKS):  # RFC 9112 2.2
            data = data.lstrip(b"\r\n")
        self._data = data
        if data:
            self._since = self._doors.loop.time()

    def _handle_next(self) -> bool:
        """Handle the request at the start of the data; False when more has to come, or the connection does something else."""
        data = self._data
        end = data.find(END_OF_HEAD, 0, MAX_HEAD + len(END_OF_HEAD))
        if end < 0:
            if len(data) > MAX_HEAD:
                self._refuse(text_response(431, f"The head of a request may hold {MAX_HEAD} bytes"))
            return False
        if data.startswith(self._doors.upgrade):
            return self._read_head(end)
        request = parse_plain(data)
        if request is None or request.length > self._doors.max_body or self._doors.is_fallback(request.target):
            return self._read_head(end)
        if len(data) < request.start + request.length:
            return self._collect(_as_incoming(request, data[:end]), data[request.start :])
        return self._answer(request)

    def _read_head(self, end: int) -> bool:
        """Handle a request of any kind, of which the head is there."""
        data = self._data
        try:
            head = parse_head(data[:end])
            if head.method == "GET":
                upgrade = parse_upgrade(self._doors.app_path, head.target, head.headers)
                if upgrade is not None:
                    _ensure_no_body(head)
                    self._switch(upgrade, end)
                    return False
            framing = framing_of(head)
        except HttpError as error:
            self._refuse(error.response)
            return False
        rest = data[end + len(END_OF_HEAD) :]
        try:
            incoming = Incoming(head, framing, data[:end], body_of(framing, self._doors.max_body))
        except TooLong:
            self._refuse_large(head)
            return False
        if framing.is_awaited and framing.length != 0 and not rest:
            self._transport.write(CONTINUE)
        return self._collect(incoming, rest)

    def _collect(self, incoming: Incoming, data: bytes) -> bool:
        """Read the body of a request, which begins with `data`."""
        self._incoming = incoming
        self._data = b""
        return self._read_body(incoming, data)

    def _read_body(self, incoming: Incoming, data: bytes) -> bool:
        """More of a body; whether the request is whole and answered, and there may be another."""
        try:
            rest = incoming.body.feed(data)
        except TooLong:
            self._refuse_large(incoming.head)
            return False
        except HttpError as error:
            self._refuse(error.response)
            return False
        if rest is None:
            return False
        self._begin(rest)
        return self._answer_whole(incoming)


def _as_incoming(request: PlainRequest, head: bytes) -> Incoming:
    """A plain request whose body has not come yet. Nobody will ask for its headers."""
    framing = Framing(request.length, request.is_last)
    return Incoming(Head(request.method, request.target, {}), framing, head, SizedBody(request.length))


def _ensure_no_body(head: Head) -> None:
    """Raises HttpError for an upgrade that announces a body, which would be taken for frames (RFC 9110 7.8)."""
    # Nearly no upgrade has either: two look-ups (bench/, scenario "connections").
    if (b"content-length" in head.headers or b"transfer-encoding" in head.headers) and framing_of(head).length != 0:
        raise HttpError(text_response(400, "A request to switch to WebSocket has no body"))


def portions(data: bytes) -> Iterator[bytes]:
    return iter((data,)) if len(data) <= PORTION else (data[at : at + PORTION] for at in range(0, len(data), PORTION))
