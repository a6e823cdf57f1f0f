"""The masking of client frames (RFC 6455 5.3), done by aiohttp's compiled function.

The only place that touches a private name of aiohttp; tests/relay/wire/test_masking.py states what it must do, and
pyproject.toml pins aiohttp's minor version. Pure Python takes 8 times as long for 250 bytes (docs/decisions/0002).
"""

from aiohttp._websocket.helpers import websocket_mask


def unmask(mask: bytes | bytearray, payload: bytes | bytearray) -> bytearray:
    """`payload` with the four bytes of `mask` applied over and over; masking again gives the payload back."""
    unmasked = bytearray(payload)
    websocket_mask(bytes(mask), unmasked)
    return unmasked
