"""A client that stops reading, against the real relay: it is cut, and the others lose nothing."""

import asyncio
import json
import socket

from relay.client import PushlerClient
from tests.faults.callers import Listener, listening
from tests.helpers.frames import client_frame, server_frames
from tests.helpers.processes import HOST, RelayProcess, running_relay

CHANNEL = "busy"
# Bytes of one event. The system's own buffers take a few megabytes before the relay notices anything.
SIZE = 9_000
MOST = 3_000

# Bytes.
RECEIVE_BUFFER = 8_192
BACKLOG = 65_536

CLOSE = 0x8


def connect_slow(relay: RelayProcess) -> socket.socket:
    """A raw WebSocket that has joined the channel, and that nobody reads any more."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    slow.settimeout(10)
    slow.connect((HOST, relay.port))
    upgrade = (
        f"GET /app/{relay.key}?protocol=7 HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    subscribe = json.dumps({"event": "pusher:subscribe", "data": {"channel": CHANNEL}})
    slow.sendall(upgrade.encode())
    read_until(slow, b"connection_established")
    slow.sendall(client_frame(subscribe.encode()))
    # The confirmation is the last that comes before an event, so what follows begins with a frame.
    seen = read_until(slow, b"subscription_succeeded")
    while not seen.endswith(b"}"):
        seen += slow.recv(1)
    return slow


def read_until(slow: socket.socket, wanted: bytes) -> bytes:
    """Read until `wanted` has come."""
    seen = b""
    while wanted not in seen:
        block = slow.recv(4_096)
        assert block, f"the relay has closed after {seen!r}"
        seen += block
    return seen


def read_to_the_end(slow: socket.socket) -> list[tuple[int, bytes]]:
    """All frames that are left until the relay closes the connection."""
    seen = b""
    while block := slow.recv(65_536):
        seen += block
    return server_frames(seen)


async def hear(listener: Listener) -> list[int]:
    """The numbers of all events up to the last one."""
    numbers: list[int] = []
    while True:
        name, data = await listener.next()
        if name == "last":
            return numbers
        numbers.append(int(data["number"]))


async def publish_until_cut(publisher: PushlerClient, relay: RelayProcess) -> int:
    """Publish numbered events until the relay has given the slow reader up; returns how many."""
    for number in range(MOST):
        if "slow_client_cut" in relay.output():
            return number
        await publisher.trigger(CHANNEL, "news", {"number": number, "filling": "x" * SIZE})
    raise AssertionError(f"{MOST} events of {SIZE} bytes wait for somebody who does not read")


async def test_reader_that_stops_is_cut_with_4100_and_the_others_get_every_event_in_order() -> None:
    with running_relay(backlog_bytes=BACKLOG) as relay, connect_slow(relay) as slow:
        async with (
            PushlerClient(relay.key, relay.secret, app_id=relay.app_id, url=relay.url) as publisher,
            listening(relay, CHANNEL) as listener,
        ):
            hearing = asyncio.create_task(hear(listener))
            count = await publish_until_cut(publisher, relay)
            await publisher.trigger(CHANNEL, "last", {})
            assert await hearing == list(range(count))
        # It reads again, and is told what has happened after what had been kept for it.
        *events, (opcode, farewell) = await asyncio.to_thread(read_to_the_end, slow)
        assert opcode == CLOSE
        assert int.from_bytes(farewell[:2]) == 4100
        numbers = [json.loads(json.loads(payload)["data"])["number"] for _, payload in events]
        assert numbers == list(range(len(numbers))), "what it got has no holes"
