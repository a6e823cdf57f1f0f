"""Thousands of clients in one thread, on the loop of bench/: WebSockets that stay, come and go, or do not read; and XHR.

bench/ is used because its client costs microseconds a message; a client library of thousands would be what is tested.
"""

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from itertools import count, cycle
from random import Random
from typing import Final, Self
from urllib.parse import urlencode

from bench import frames
from bench.loop import READ_BYTES, Loop, connect
from bench.publisher import Publisher
from bench.target import Target
from bench.websocket import Client, open_clients
from relay.protocol.signatures import signed_params
from tests.soak.ledger import Ear, Ledger

# Seconds in which the relay has to do what it does at once.
PATIENCE: Final = 15.0

# What the kernel takes in for a client that does not read, in bytes.
_SLOW_RECEIVES: Final = 65_536

XHR_USER: Final = "by-xhr"

_LENGTH: Final = re.compile(rb"\r\nContent-Length: (\d+)")


class Guest:
    """A WebSocket client."""

    __slots__ = ("_loop", "_pings", "_target", "ear", "inbox", "is_open", "sock", "socket_id")

    def __init__(self, target: Target, loop: Loop, client: Client, ear: Ear) -> None:
        self._target = target
        self._loop = loop
        self._pings = 0
        self.ear = ear
        self.is_open = True
        self.sock = client.sock
        self.socket_id = client.take_socket_id()
        self.inbox = client.inbox
        loop.watch(self.sock, self._read)

    def join(self, channel: str, user: str | None = None, cached_from: str | None = None) -> None:
        data = None if user is None else json.dumps({"user_id": user})
        auth = ""
        if channel.startswith(("private-", "presence-")):
            auth = self._target.channel_auth(self.socket_id, channel, data)
        self.ear.joins(channel, cached_from)
        self.sock.send(frames.subscribe(channel, auth, data))

    def leave(self, channel: str) -> None:
        """Leave, and ask for a pong: after it nothing of the channel may come."""
        self._pings += 1
        self.ear.leaves(channel, self._pings)
        self.sock.send(frames.message("pusher:unsubscribe", {"channel": channel}) + _PING)

    def speak(self, channel: str, data: str) -> None:
        self.sock.send(frames.message("client-said", data, channel))

    def is_settled(self) -> bool:
        """Whether all its pings are answered."""
        return self.ear.pongs == self._pings

    def close(self) -> None:
        self.is_open = False
        self._loop.forget(self.sock)
        self.sock.close()

    def _read(self) -> None:
        data = self.sock.recv(READ_BYTES)
        if not data:
            self.ear.hear(b'{"event":"the end of its connection"}')
            self.close()
            return
        self.inbox += data
        done = 0
        for opcode, payload, end in frames.split(self.inbox):
            done = end
            if opcode != frames.TEXT:
                self.ear.hear(json.dumps({"event": "a frame", "opcode": opcode, "payload": repr(payload)}).encode())
            elif self.ear.hear(payload) == "pusher:ping":
                self.sock.send(_PONG)
        self.inbox = self.inbox[done:]


class XhrGuest:
    """A client whose network has no WebSocket: it polls, one request after the other."""

    def __init__(self, target: Target, loop: Loop, number: int, ear: Ear, channels: list[str]) -> None:
        self._target = target
        self._loop = loop
        self._path = f"/app/{target.key}/1/soak{number}"
        self._inbox = b""
        self.ear = ear
        self.is_open = True
        socket_id = _socket_id(self._post("xhr", b""))
        user_data = json.dumps({"id": XHR_USER})
        auth = f"{target.key}:{target._sign(f'{socket_id}::user::{user_data}')}"
        said = [{"event": "pusher:signin", "data": {"auth": auth, "user_data": user_data}}]
        said += [{"event": "pusher:subscribe", "data": {"channel": name}} for name in channels]
        for name in channels:
            ear.joins(name)
        self._post("xhr_send", json.dumps([json.dumps(message) for message in said]).encode())
        self._sock = connect(target.host, target.port)
        loop.watch(self._sock, self._read)
        self._poll()

    def close(self) -> None:
        self.is_open = False
        self._loop.forget(self._sock)
        self._sock.close()

    def _poll(self) -> None:
        head = f"POST {self._path}/xhr?protocol=7 HTTP/1.1\r\nHost: {self._target.host}\r\nContent-Length: 0\r\n\r\n"
        self._sock.send(head.encode())

    def _read(self) -> None:
        self._inbox += self._sock.recv(READ_BYTES)
        head, _, body = self._inbox.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length is None or len(body) < int(length[1]):
            return
        self._inbox = b""
        for line in body.splitlines():
            if line.startswith(b"a"):
                for text in json.loads(line[1:]):
                    self.ear.hear(text.encode())
            elif line.startswith(b"c"):
                self.close()
                return
        self._poll()

    def _post(self, action: str, body: bytes) -> bytes:
        connection = http.client.HTTPConnection(self._target.host, self._target.port, timeout=PATIENCE)
        connection.request("POST", f"{self._path}/{action}?protocol=7", body)
        answer = connection.getresponse().read()
        connection.close()
        return answer


class BackEnd:
    """A publisher with a name: one request after the other, each one event for one channel."""

    def __init__(self, target: Target, loop: Loop, ledger: Ledger, name: str, channels: Iterator[str]) -> None:
        self._target = target
        self._ledger = ledger
        self._publisher = Publisher(target, loop, self._on_answer)
        self._channels = channels
        self._channel = ""
        self.name = name
        self.published = 0

    @property
    def is_waiting(self) -> bool:
        return self._publisher.is_waiting

    @property
    def refused(self) -> int:
        return self._publisher.refused

    def publish(self, size: int = 100) -> None:
        """Publish to the next of its channels, unless the last event is not answered yet."""
        if self._publisher.is_waiting:
            return
        self._channel = next(self._channels)
        self.published += 1
        data = self._ledger.next_stamp(self.name, self._channel, size)
        self._publisher.send(self._target.trigger("news", self._channel, data))

    def close(self) -> None:
        self._publisher.close()

    def _on_answer(self) -> None:
        self._ledger.answered[self.name, self._channel] += 1


class Crowd:
    """Everybody who is connected, and who they are."""

    def __init__(self, target: Target, random: Random) -> None:
        self.target = target
        self.loop = Loop()
        self.ledger = Ledger()
        self.random = random
        self.steady: list[Guest] = []
        self.restless: list[Guest] = []
        self.by_xhr: list[XhrGuest] = []
        self.slow: list[socket.socket] = []
        self.back_ends: list[BackEnd] = []
        self.opened = 0
        self._names = count()

    def come(self, number: int) -> list[Guest]:
        """`number` new clients by WebSocket."""
        self.opened += number
        clients = open_clients(self.target, self.loop, number)
        return [Guest(self.target, self.loop, client, self._ear("c")) for client in clients]

    def come_by_xhr(self, number: int, channels: list[str]) -> None:
        self.opened += number
        for at in range(number):
            ear = self._ear("x")
            ear.whole.update(channels)
            self.by_xhr.append(XhrGuest(self.target, self.loop, at, ear, channels))

    def come_and_not_read(self, number: int, channel: str) -> list[socket.socket]:
        """`number` clients that join the channel, and that nobody reads."""
        self.opened += number
        clients = open_clients(self.target, self.loop, number, _SLOW_RECEIVES)
        for client in clients:
            client.sock.send(frames.subscribe(channel))
        slow = [client.sock for client in clients]
        self.slow += slow
        return slow

    def back_end(self, name: str, channels: list[str]) -> BackEnd:
        """A back end that publishes to these, one after the other."""
        self.back_ends.append(BackEnd(self.target, self.loop, self.ledger, name, cycle(channels)))
        return self.back_ends[-1]

    def by_websocket(self) -> list[Guest]:
        return [*self.steady, *self.restless]

    def everybody(self) -> list[Guest | XhrGuest]:
        """But for those who do not read."""
        return [*self.steady, *self.restless, *self.by_xhr]

    def until(self, done: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Live on until `done`, looked at now and then; False when that took more than `seconds`."""
        for _ in range(int(seconds / 0.1)):
            self.loop.rest(0.1)
            if done():
                return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop whatever is still open."""
        for guest in self.everybody():
            if guest.is_open:
                guest.close()
        for sock in self.slow:
            sock.close()
        for back_end in self.back_ends:
            back_end.close()
        self.loop.close()

    def _ear(self, prefix: str) -> Ear:
        return Ear(self.ledger, f"{prefix}{next(self._names)}")


def close_code(sock: socket.socket) -> int:
    """Let a client read on that did not; the code by which it was closed, 0 for none. The relay waits some seconds for it."""
    sock.settimeout(PATIENCE)
    seen = bytearray()
    at = code = 0
    while not code and (block := sock.recv(READ_BYTES)):
        seen += block
        for opcode, payload, end in frames.split(seen, at):
            at = end
            code = int.from_bytes(payload[:2]) if opcode == frames.CLOSE else 0
    sock.close()
    return code


def request(target: Target, method: str, path: str, body: bytes = b"") -> dict[str, object]:
    """The JSON of the answer to a signed request that blocks."""
    full = f"/apps/{target.app_id}{path}"
    query = urlencode(signed_params(target.key, target.secret, method, full, body, time.time(), ()))
    connection = http.client.HTTPConnection(target.host, target.port, timeout=PATIENCE)
    connection.request(method, f"{full}?{query}", body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text
    value: dict[str, object] = json.loads(text)
    return value


def _socket_id(opening: bytes) -> str:
    (line,) = [line for line in opening.splitlines() if line.startswith(b"a")]
    return str(json.loads(json.loads(json.loads(line[1:])[0])["data"])["socket_id"])


_PING: Final = frames.message("pusher:ping", {})
_PONG: Final = frames.message("pusher:pong", {})
