"""Clients of the server under test: many WebSockets opened at once, each with its socket id."""

import base64
import hashlib
import json
import socket
from collections.abc import Sequence
from typing import Final

from bench import frames
from bench.loop import READ_BYTES, Loop, connect
from bench.target import Target

_KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
_ACCEPT: Final = base64.b64encode(
    hashlib.sha1(f"{_KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
)
_CONFIRMED: Final = b"subscription_succeeded"

# Handshakes or subscriptions that wait for their answer at the same time.
AT_ONCE: Final = 64

# How long opening or subscribing all clients of a scenario may take, in seconds.
DEADLINE: Final = 60.0


class ServerMisbehaved(Exception):
    """The server did not do what a Pusher-compatible server does; nothing can be measured."""


class Client:
    """One WebSocket. What the server said until now is in `inbox` while the client is being set up."""

    __slots__ = ("inbox", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.inbox = b""

    def take_socket_id(self) -> str:
        """The id from connection_established, which is taken out of the inbox. Not called while the clock runs."""
        body = self.inbox.partition(b"\r\n\r\n")[2]
        _, payload, end = next(frames.split(body))
        self.inbox = body[end:]
        return str(json.loads(json.loads(payload)["data"])["socket_id"])


def request_head(target: Target) -> bytes:
    """The opening handshake."""
    path = f"/app/{target.key}?protocol=7&client=bench&version=1.0&flash=false"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {target.host}:{target.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {_KEY}\r\n\r\n"
    ).encode()


def open_clients(target: Target, loop: Loop, count: int, receive_bytes: int | None = None) -> list[Client]:
    """`count` clients that have got connection_established, at the nodes in turn. Raises ServerMisbehaved."""
    head = request_head(target)
    clients: list[Client] = []
    finished = 0

    def start_one() -> None:
        node = target.node(len(clients))
        client = Client(connect(node.host, node.port, receive_bytes))
        clients.append(client)
        loop.watch(client.sock, lambda: read(client))
        client.sock.send(head)

    def read(client: Client) -> None:
        nonlocal finished
        client.inbox += _receive(client)
        if not _is_open(client.inbox):
            return
        loop.forget(client.sock)
        finished += 1
        if len(clients) < count:
            start_one()

    for _ in range(min(AT_ONCE, count)):
        start_one()
    _ensure(loop.run(lambda: finished == count, DEADLINE), f"opened {finished} of {count} connections")
    return clients


def subscribe_clients(loop: Loop, clients: Sequence[Client], requests: Sequence[bytes]) -> None:
    """Send each client its request, and wait until all subscriptions are confirmed. Raises ServerMisbehaved."""
    waiting = iter(zip(clients, requests, strict=True))
    finished = 0

    def start_one() -> None:
        pair = next(waiting, None)
        if pair is None:
            return
        client, request = pair
        client.inbox = b""
        loop.watch(client.sock, lambda: read(client))
        client.sock.send(request)

    def read(client: Client) -> None:
        nonlocal finished
        client.inbox += _receive(client)
        for opcode, payload, _ in frames.split(client.inbox):
            _ensure(opcode == frames.TEXT and _CONFIRMED in payload, f"refused a subscription: {payload[:300]!r}")
            loop.forget(client.sock)
            finished += 1
            start_one()

    for _ in range(AT_ONCE):
        start_one()
    _ensure(loop.run(lambda: finished == len(clients), DEADLINE), f"confirmed {finished} of {len(clients)}")


def join_public(target: Target, loop: Loop, count: int, channel: str) -> list[Client]:
    """`count` new clients, all subscribed to one public channel."""
    clients = open_clients(target, loop, count)
    for client in clients:
        client.take_socket_id()
    subscribe_clients(loop, clients, [frames.subscribe(channel)] * count)
    return clients


def close_clients(loop: Loop, clients: Sequence[Client]) -> None:
    """Drop the connections, and the loop that they were read by."""
    for client in clients:
        loop.forget(client.sock)
        client.sock.close()
    loop.close()


def _is_open(inbox: bytes) -> bool:
    end = inbox.find(b"\r\n\r\n") + 4
    if end < 4 or len(inbox) < end + 2 or len(inbox) < end + 2 + inbox[end + 1]:
        return False
    _ensure(_ACCEPT in inbox and b"connection_established" in inbox, f"answered a handshake with {inbox[:300]!r}")
    return True


def _receive(client: Client) -> bytes:
    data = client.sock.recv(READ_BYTES)
    _ensure(data != b"", "closed a connection that was being set up")
    return data


def _ensure(condition: bool, text: str) -> None:
    if not condition:
        raise ServerMisbehaved(f"The server {text}")
