"""WebSocket frames (RFC 6455): frames for clients built once a broadcast, and a reader of what clients send.

Must not know the Pusher protocol. The section of the RFC stands next to each rule.
"""

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from relay.protocol.errors import WebSocketCode
from relay.protocol.limits import CLOSE_REASON_BYTES
from relay.protocol.masking import unmask

# (payload, the most bytes that a message may have) → the message
Inflate = Callable[[bytearray, int], bytearray]


class Opcode(IntEnum):
    """Frame types (5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class Message(NamedTuple):
    """One whole message or control frame. The payload of a TEXT is valid UTF-8."""

    opcode: int
    payload: bytearray


class FrameError(Exception):
    """The peer broke the framing: the connection must be failed with `code` (7.1.7)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.reason} ({int(self.code)})"


_TEXT: Final = int(Opcode.TEXT)
_BINARY: Final = int(Opcode.BINARY)
_CONTINUATION: Final = int(Opcode.CONTINUATION)
_KNOWN: Final = frozenset(int(opcode) for opcode in Opcode)
_CONTROL: Final = 0x8  # this bit of the opcode marks a control frame
_FIN: Final = 0x80
_RESERVED: Final = 0x70
_COMPRESSED: Final = 0x40  # RFC 7692 6: RSV1, in the first frame of a compressed message
_MASKED: Final = 0x80
_WHOLE_TEXT: Final = _FIN | _TEXT
_CONTROL_PAYLOAD: Final = 125  # 5.5

# 7.4: the codes that may stand in a close frame.
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_FIRST_FREE_CODE: Final = 3000
_LAST_FREE_CODE: Final = 4999


def text_frame(payload: bytes) -> bytes:
    """A whole text frame for a client; a server does not mask (5.1)."""
    length = len(payload)
    # Nearly all events are of this size (bench/, scenario "client events").
    if 126 <= length < 65_536:
        return b"\x81\x7e%b%b" % (length.to_bytes(2), payload)
    return _header(_TEXT, length) + payload


def compressed_frame(payload: bytes) -> bytes:
    """A whole text frame whose payload is compressed (RFC 7692 6)."""
    return _header(_COMPRESSED | _TEXT, len(payload)) + payload


def control_frame(opcode: Opcode, payload: bytes | bytearray = b"") -> bytes:
    """A ping, pong or close frame with at most 125 bytes of payload (5.5)."""
    return _header(opcode, len(payload)) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """A close frame (5.5.1); the reason is cut at a character to what fits."""
    text = reason.encode()[:CLOSE_REASON_BYTES].decode(errors="ignore")
    return control_frame(Opcode.CLOSE, code.to_bytes(2) + text.encode())


def payloads_of(frames: bytes) -> Iterator[bytes]:
    """The payloads of one or more frames that `text_frame` built, one after the other."""
    at = 0
    while at < len(frames):
        length, start = frames[at + 1], at + 2
        if length >= 126:
            width = 2 if length == 126 else 8
            length, start = int.from_bytes(frames[start : start + width]), start + width
        at = start + length
        yield frames[start:at]


def _header(opcode: int, length: int) -> bytes:
    if length < 126:
        return bytes((_FIN | opcode, length))
    if length < 65_536:
        return bytes((_FIN | opcode, 126)) + length.to_bytes(2)
    return bytes((_FIN | opcode, 127)) + length.to_bytes(8)


class FrameReader:
    """Turns the bytes of a client into messages. `max_message` bounds one message in bytes, its fragments joined.

    `inflate` makes the message of a compressed payload, where compression was agreed; it raises FrameError.

    Use: `feed(data)`, then `next_message()` until it returns None. After a FrameError the reader is of no more use.
    """

    __slots__ = ("_at", "_data", "_fragments", "_inflate", "_is_compressed", "_max_message")

    def __init__(self, max_message: int, inflate: Inflate | None = None) -> None:
        self._inflate = inflate
        self._is_compressed = False
        self._max_message = max_message
        self._data = b""
        self._at = 0
        self._fragments: Message | None = None

    def feed(self, data: bytes) -> None:
        """Add bytes from the peer."""
        if self._at >= len(self._data):
            self._data = data
        else:
            self._data = self._data[self._at :] + data
        self._at = 0

    def next_message(self) -> Message | None:
        """The next whole message, or None when more bytes are needed. Raises FrameError."""
        while self._at < len(self._data):
            frame = self._next_frame()
            if frame is None:
                return None
            first, payload = frame
            opcode = first & 0x0F
            if opcode & _CONTROL:
                return Message(opcode, payload)
            if opcode == _CONTINUATION or self._fragments is not None:
                if (joined := self._join(first, payload)) is not None:
                    return _checked(self._whole(joined) if self._is_compressed else joined)
            elif first & _FIN:
                message = Message(opcode, payload)
                return _checked(self._whole(message) if first & _COMPRESSED else message)
            else:
                self._fragments = Message(opcode, payload)
                self._is_compressed = bool(first & _COMPRESSED)
        self._data, self._at = b"", 0  # an idle connection holds no bytes
        return None

    def _next_frame(self) -> tuple[int, bytearray] | None:
        data, at = self._data, self._at
        available = len(data) - at
        if available < 2:
            return None
        first, second = data[at], data[at + 1]
        # A whole text, masked, is nearly all that comes, and needs no closer look (bench/, scenario "client events").
        if first != _WHOLE_TEXT or second < _MASKED:
            self._ensure_header(first, second)
        length = second & 0x7F
        start = at + 6
        if length >= 126:
            width = 2 if length == 126 else 8
            if available < 2 + width:
                return None
            length = int.from_bytes(data[at + 2 : at + 2 + width])
            start += width
        if not first & _CONTROL:  # 5.4: one may come between fragments, and is no part of their message
            have = 0 if self._fragments is None else len(self._fragments.payload)
            if length + have > self._max_message:
                raise FrameError(WebSocketCode.TOO_BIG, f"a message may hold {self._max_message} bytes")
        end = start + length
        if end > len(data):
            return None
        self._at = end
        return first, unmask(data[start - 4 : start], data[start:end])

    def _ensure_header(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        reserved = first & _RESERVED
        may_be_compressed = self._inflate is not None and opcode in {_TEXT, _BINARY}
        if reserved and not (reserved == _COMPRESSED and may_be_compressed):
            raise FrameError(
                WebSocketCode.PROTOCOL_ERROR, "reserved bits are set, and no extension was agreed for them"
            )
        if opcode not in _KNOWN:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, f"unknown opcode {opcode}")
        if not second & _MASKED:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a client's frame must be masked")
        if opcode & _CONTROL and (not first & _FIN or second & 0x7F > _CONTROL_PAYLOAD):
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a control frame is whole and holds at most 125 bytes")

    def _whole(self, message: Message) -> Message:
        """A compressed message as it was."""
        if self._inflate is None:
            raise RuntimeError("a compressed frame passed the check of its header")
        return Message(message.opcode, self._inflate(message.payload, self._max_message))

    def _join(self, first: int, payload: bytearray) -> Message | None:
        """Add a fragment (5.4); the whole message when it was the last one."""
        if self._fragments is None:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a continuation without a message to continue")
        if first & 0x0F != _CONTINUATION:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a new message before the last fragment of the one before")
        self._fragments.payload.extend(payload)
        if not first & _FIN:
            return None
        whole, self._fragments = self._fragments, None
        return whole


def _checked(message: Message) -> Message:
    """`message`, if it is not a text that is no UTF-8 (8.1)."""
    if message.opcode == _TEXT and not message.payload.isascii():
        try:
            message.payload.decode()
        except UnicodeDecodeError:
            raise FrameError(WebSocketCode.INVALID_PAYLOAD, "a text message must be UTF-8") from None
    return message


def close_code(payload: bytes | bytearray) -> int:
    """The code in the payload of a client's close frame, 1005 for none (7.1.5). Raises FrameError for a wrong one."""
    if not payload:
        return WebSocketCode.NO_STATUS
    code = int.from_bytes(payload[:2])
    if len(payload) < 2 or not (code in _CLOSE_CODES or _FIRST_FREE_CODE <= code <= _LAST_FREE_CODE):
        raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a close frame begins with a valid code")
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise FrameError(WebSocketCode.INVALID_PAYLOAD, "the reason of a close must be UTF-8") from None
    return code
