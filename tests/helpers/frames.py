"""WebSocket frames as a client builds and reads them, written from RFC 6455 without the code under test."""

import itertools


def client_frame(
    payload: bytes,
    *,
    opcode: int = 0x1,
    fin: bool = True,
    mask: bytes = b"\x12\x34\x56\x78",
    first: int | None = None,
    length_bytes: int | None = None,
) -> bytes:
    """A masked frame. `first` overrides the whole first byte, `length_bytes` (2 or 8) the form of the length."""
    length = len(payload)
    head = first if first is not None else (0x80 if fin else 0) | opcode
    if length_bytes is None:
        length_bytes = 0 if length < 126 else 2 if length < 65_536 else 8
    marker = {0: length, 2: 126, 8: 127}[length_bytes]
    extended = length.to_bytes(length_bytes) if length_bytes else b""
    masked = bytes(octet ^ key for octet, key in zip(payload, itertools.cycle(mask), strict=False))
    return bytes((head, 0x80 | marker)) + extended + mask + masked


def server_frames(data: bytes) -> list[tuple[int, bytes]]:
    """The opcode and payload of each whole, unmasked, unfragmented frame in `data`; an AssertionError for anything else."""
    frames = []
    while data:
        first, length = data[0], data[1]
        assert first & 0xF0 == 0x80, "a server's frame is whole and has no reserved bits"
        assert not length & 0x80, "a server's frame is not masked"
        start = 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start])
        assert len(data) >= start + length, "the frame is whole"
        frames.append((first & 0x0F, data[start : start + length]))
        data = data[start + length :]
    return frames
