"""WebSocket frames (RFC 6455): frames for clients built once a broadcast, and a reader of what clients send.

Must not know the Pusher protocol. The section of the RFC stands next to each rule.
"""

import codecs
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Final

from msgspec import Struct

from relay.wire.codes import CLOSE_REASON_BYTES, WebSocketCode
from relay.wire.masking import unmask

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


class Message(Struct, frozen=True, gc=False):
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


_decoder_of: Final = codecs.getincrementaldecoder

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

# The first bytes of a text frame, by the length of a payload that they can say.
_SHORT_HEADS: Final = [bytes((_WHOLE_TEXT, length)) for length in range(126)]

# So many fragments cost what a message does: after them the reader hands out a FRAGMENTS, so that who counts messages sees
# that something came. Nothing else bounds fragments without a payload.
FRAGMENTS_A_MESSAGE: Final = 16
FRAGMENTS: Final = Message(_CONTINUATION, bytearray())

# RFC 3629 3: the first two bytes of U+D800 to U+DFFF, which no UTF-8 holds.
_SURROGATE: Final = b"\xed\xa0"
_AFTER_SURROGATES: Final = b"\xee"

# 7.4: the codes that may stand in a close frame.
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014})
_FIRST_FREE_CODE: Final = 3000
_LAST_FREE_CODE: Final = 4999


def text_frame(payload: bytes) -> bytes:
    """A whole text frame for a client; a server does not mask (5.1)."""
    length = len(payload)
    # Nearly all events are of the second size, nearly all confirmations of the first (bench/, scenarios "client-events" and
    # "connections").
    if length < 126:
        return _SHORT_HEADS[length] + payload
    if length < 65_536:
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

    `inflate` makes the message of a compressed payload, where compression was agreed; it raises FrameError. After a
    FrameError the reader is of no more use.
    """

    __slots__ = ("_fragments", "_inflate", "_is_compressed", "_rest", "_utf8", "_validated", "max_message")

    def __init__(self, max_message: int, inflate: Inflate | None = None) -> None:
        self._inflate = inflate
        self._is_compressed = False
        self.max_message = max_message
        self._rest: bytes | bytearray = b""
        self._fragments: Message | None = None
        # Of a text that has not come whole: what decodes it, and how much of the present frame it has seen.
        self._utf8: codecs.IncrementalDecoder | None = None
        self._validated = 0

    def receive(self, data: bytes | bytearray) -> Iterator[Message]:
        """The messages and control frames that are whole with `data`, each read when it is asked for, and a FRAGMENTS now and
        then. Raises FrameError after those before the error.
        """
        if self._rest:
            # In place: a large message that comes drop by drop would be copied whole for each drop.
            self._rest += data
            data = self._rest
        at, size, fragments = 0, len(data), 0
        while size - at >= 2:
            first, second = data[at], data[at + 1]
            # A whole text, masked, is nearly all that comes, and needs no closer look (bench/, scenario "client-events").
            if first != _WHOLE_TEXT or second < _MASKED or self._fragments is not None:
                self._ensure_header(first, second)
            length, start = second & 0x7F, at + 6
            if length >= 126:
                width = 2 if length == 126 else 8
                if size < at + 2 + width:
                    break
                length, start = int.from_bytes(data[at + 2 : at + 2 + width]), start + width
            if length > self.max_message or self._fragments is not None:
                self._ensure_room(first, length)
            end = start + length
            if end > size:
                self._validate_start(first, data, start)
                break
            payload, at = unmask(data[start - 4 : start], data[start:end]), end
            if first != _WHOLE_TEXT or self._fragments is not None or self._utf8 is not None:
                message = self._complete(first, payload) or _instead_of(fragments := fragments + 1)
                if message is not None:
                    yield message
                continue
            # Most texts are ASCII, which is quicker to see than UTF-8 is to decode.
            if not payload.isascii():
                _ensure_utf8(payload)
            yield Message(_TEXT, payload)
        if at == size:
            self._rest = b""  # for a connection that is idle
        elif at or not self._rest:
            self._rest = bytearray(data[at:])

    def _ensure_room(self, first: int, length: int) -> None:
        if first & _CONTROL:  # 5.4: one may come between fragments, and is no part of their message
            return
        have = 0 if self._fragments is None else len(self._fragments.payload)
        if length + have > self.max_message:
            raise FrameError(WebSocketCode.TOO_BIG, f"a message may hold {self.max_message} bytes")

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
        if opcode & _CONTROL:
            if not first & _FIN or second & 0x7F > _CONTROL_PAYLOAD:
                raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a control frame is whole and holds at most 125 bytes")
        elif opcode == _CONTINUATION and self._fragments is None:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a continuation without a message to continue")
        elif opcode != _CONTINUATION and self._fragments is not None:
            raise FrameError(WebSocketCode.PROTOCOL_ERROR, "a new message before the last fragment of the one before")

    def _complete(self, first: int, payload: bytearray) -> Message | None:
        """The message or control frame that ends with this frame, None for a fragment that is not the last (5.4)."""
        opcode, is_last = first & 0x0F, bool(first & _FIN)
        if opcode & _CONTROL:
            return Message(opcode, payload)
        if opcode != _CONTINUATION:
            self._is_compressed = bool(first & _COMPRESSED)
        if self._is_text(first):
            self._validate(payload[self._validated :], is_last=is_last)
            self._validated = 0
        if self._fragments is None:
            message = Message(opcode, payload)
        else:
            message = self._fragments
            message.payload.extend(payload)
        self._fragments = None if is_last else message
        if not is_last:
            return None
        return self._inflated(message) if self._is_compressed else message

    def _is_text(self, first: int) -> bool:
        """Whether a data frame that begins with `first` holds text as it is, not compressed."""
        if self._fragments is None:
            return first & 0x0F == _TEXT and not first & _COMPRESSED
        return self._fragments.opcode == _TEXT and not self._is_compressed

    def _validate_start(self, first: int, data: bytes | bytearray, start: int) -> None:
        """Look at what has come of a frame of text (8.1): a wrong byte is refused before the rest has come."""
        if first & _CONTROL or not self._is_text(first):
            return
        done = self._validated
        come = data[start + done :]
        if come:
            mask = data[start - 4 : start]
            self._validate(unmask(mask[done % 4 :] + mask[: done % 4], come), is_last=False)
            self._validated = done + len(come)

    def _validate(self, text: bytearray, *, is_last: bool) -> None:
        if self._utf8 is None:
            self._utf8 = _decoder_of("utf-8")()
        try:
            self._utf8.decode(text, is_last)
        except UnicodeDecodeError:
            raise _not_utf8() from None
        # Python waits for the third byte of a surrogate, whose second is wrong already.
        if _SURROGATE <= self._utf8.getstate()[0] < _AFTER_SURROGATES:
            raise _not_utf8()
        if is_last:
            self._utf8 = None

    def _inflated(self, message: Message) -> Message:
        """A compressed message as it was; where it is text, only the whole of it can be looked at."""
        if self._inflate is None:
            raise RuntimeError("a compressed frame passed the check of its header")
        whole = Message(message.opcode, self._inflate(message.payload, self.max_message))
        if whole.opcode == _TEXT:
            _ensure_utf8(whole.payload)
        return whole


def _instead_of(fragments: int) -> Message | None:
    """What is told after so many fragments without a message."""
    return None if fragments % FRAGMENTS_A_MESSAGE else FRAGMENTS


def _ensure_utf8(text: bytearray) -> None:
    """Raises FrameError (8.1)."""
    try:
        text.decode()
    except UnicodeDecodeError:
        raise _not_utf8() from None


def _not_utf8() -> FrameError:
    return FrameError(WebSocketCode.INVALID_PAYLOAD, "a text message must be UTF-8")


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
