"""What clients and back ends say to a relay, damaged, and the checks on what it answers.

Sockets that block; no answer is awaited for longer than TIMEOUT.
"""

import errno
import http.client
import json
import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from random import Random
from typing import Final, Self
from urllib.parse import quote

from relay.apps import App
from relay.protocol.signatures import signed_params
from relay.wire.frames import FrameError, FrameReader, Opcode
from tests.fuzz.mutator import Mutator
from tests.helpers.clients import member, message, signature, subscription
from tests.helpers.frames import client_frame, server_frames
from tests.helpers.processes import HOST, RelayProcess

# Seconds. Only a relay that hangs lets them pass.
TIMEOUT: Final = 15.0

_MOMENT: Final = 1.0

_CHANNELS: Final = ("a", "private-b", "presence-c", "cache-d", "private-encrypted-e", "#server-to-user-7", "x" * 201)
_UPGRADE: Final = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
)
# The answer to the ping; or the end, when more was waiting than may.
_POLLED: Final = re.compile(rb"pusher:pong|^c\[4100,", re.MULTILINE)
_STATUS: Final = re.compile(rb"HTTP/1\.[01] ([0-9]{3}) ")

# Characters of a target that surely fit into the head of a request.
_LONGEST_TARGET: Final = 16_000

# What a socket says whose other side has closed.
_CLOSED: Final = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)

# What a reader of frames takes in one message, in bytes.
_LIMIT: Final = 10_000


class Talk:
    """One round of talk with `relay`; all that is said follows from `random`."""

    def __init__(self, relay: RelayProcess, random: Random) -> None:
        self._relay = relay
        self._app = App(id=relay.app_id, key=relay.key, secret=relay.secret)
        self._random = random
        self._mutator = Mutator(random)

    def read_frames(self) -> None:
        """Frames into a FrameReader: messages within the limit come out, or the framing is broken; nothing else."""
        stream = self._mutator.damaged(b"".join(self._frames("1.2")))
        reader = FrameReader(_LIMIT)
        with suppress(FrameError):
            for piece in self._mutator.pieces(stream):
                for read in reader.receive(piece):
                    assert len(read.payload) <= _LIMIT
                    if read.opcode == Opcode.TEXT:
                        bytes(read.payload).decode()

    def speak(self) -> None:
        """A WebSocket that is welcomed and then says what it likes."""
        with self._connect() as sock:
            sock.sendall(self._head(f"GET /app/{self._app.key}?protocol=7", _UPGRADE))
            greeting = _read_until(sock, b"}")
            assert b" 101 " in greeting
            socket_id = re.search(rb"[0-9]+\.[0-9]+(?=\\)", greeting)
            assert socket_id is not None
            stream = b"".join(self._frames(socket_id[0].decode()))
            self._say(sock, stream if self._random.random() < 0.5 else self._mutator.damaged(stream))
            said = _read_to_the_end(sock)
        head, _, first = greeting.partition(b"\r\n\r\n")
        assert b"websocket" in head
        for opcode, payload in server_frames(first + said):
            if opcode == Opcode.TEXT:
                assert isinstance(json.loads(payload)["event"], str)

    def knock(self) -> None:
        """Requests that an HTTP server has to take apart."""
        body = json.dumps({"name": "x", "data": "1", "channel": "a"}).encode()
        xhr = f"POST /app/{self._app.key}/12/ab{self._random.randrange(10**6)}"
        requests = [
            self._head("GET /up"),
            self._head(f"GET /app/{self._app.key}?protocol=7", _UPGRADE),
            self._head(f"GET {self._target('GET', '/channels')}"),
            self._head(f"POST {self._target('POST', '/events', body)}", f"Content-Length: {len(body)}\r\n") + body,
            self._head(f"{xhr}/xhr_streaming?protocol=7", "Content-Length: 0\r\n"),
            self._head(f"{xhr}/xhr_send", "Transfer-Encoding: chunked\r\n") + b'5\r\n["{}"\r\n1\r\n]\r\n0\r\n\r\n',
            self._head(f"OPTIONS {xhr.partition(' ')[2]}/xhr"),
            self._head("HEAD http://relay:6001/up", "Expect: 100-continue\r\n"),
            self._head(f"POST {self._target('POST', '/events', body)}", "Transfer-Encoding: chunked\r\n")
            + b"%x;a=b\r\n%b\r\n0\r\nA: b\r\n\r\n" % (len(body), body),
        ]
        with self._connect() as sock:
            self._say(sock, self._mutator.damaged(b"".join(self._random.choices(requests, k=2))))
            # A client without WebSocket may wait for long, if other requests come behind its own: no more is read then, and
            # nobody sees that our side is closed. The witness shows that the relay itself does not hang.
            sock.settimeout(_MOMENT)
            said = _read_to_the_end(sock)
        # 501: a Transfer-Encoding that nobody knows.
        assert all(int(status) < 500 or status == b"501" for status in _STATUS.findall(said)), said

    def ask(self) -> None:
        """Signed requests to the API, well framed, whose bodies and parameters are damaged."""
        event = {"name": "x", "data": "{}", "channel": self._random.choice(_CHANNELS), "socket_id": "1.2"}
        many = {"name": "x", "data": "1", "channels": list(_CHANNELS[:3]), "info": "user_count,subscription_count"}
        name = quote(self._mutator.damaged(b"presence-c"), safe="")
        params = {"info": "cache", "filter_by_prefix": "presence-"}
        varied = {key: self._mutator.damaged(value.encode()).decode("latin-1") for key, value in params.items()}
        self._request("POST", "/events", self._mutator.json_of(self._random.choice((event, many))))
        self._request("POST", "/batch_events", self._mutator.json_of({"batch": [event, event]}))
        self._request("POST", f"/users/{name}/terminate_connections", self._mutator.json_of({}))
        self._request("GET", "/channels", b"", varied)
        self._request("GET", f"/channels/{name}", b"", varied)
        self._request("GET", f"/channels/{name}/users")

    def poll(self) -> None:
        """A client by XHR: its messages are damaged, or the body that carries them; a good one after them is answered."""
        session = f"/app/{self._app.key}/1/s{self._random.randrange(10**9)}"
        assert b"connection_established" in self._post(f"{session}/xhr?protocol=7", b"")[1]
        for _ in range(3):
            messages = [text.decode("latin-1") for text in self._messages("1.2")]
            status, _ = self._post(f"{session}/xhr_send", self._mutator.json_of(messages))
            assert status < 500
        self._post(f"{session}/xhr_send", json.dumps([message("pusher:ping").decode()]).encode())
        deadline = time.monotonic() + TIMEOUT
        while not _POLLED.search(self._post(f"{session}/xhr?protocol=7", b"")[1]):
            assert time.monotonic() < deadline

    def _frames(self, socket_id: str) -> Iterable[bytes]:
        """Frames of a client that is called `socket_id`, whole and in fragments, with control frames between them."""
        for text in self._messages(socket_id):
            half = self._random.randrange(len(text) + 1)
            match self._random.randrange(8):
                case 0:
                    yield client_frame(text[:half], fin=False)
                    yield client_frame(b"\x00" * self._random.randrange(126), opcode=self._random.choice((0x9, 0xA)))
                    yield client_frame(text[half:], opcode=0x0)
                case 1:
                    yield client_frame(text, first=self._random.randrange(256))
                case _:
                    yield client_frame(text, mask=self._random.randbytes(4))

    def _messages(self, socket_id: str) -> list[bytes]:
        user = json.dumps({"id": "7", "watchlist": ["8"]})
        auth = f"{self._app.key}:{signature(self._app.secret, f'{socket_id}::user::{user}')}"
        said: list[object] = [{"event": "pusher:signin", "data": {"auth": auth, "user_data": user}}]
        for channel in _CHANNELS:
            data = member("7", {"name": "Anna"}) if channel.startswith("presence-") else None
            said.append({"event": "pusher:subscribe", "data": subscription(self._app, socket_id, channel, data)})
            said.append({"event": "client-x", "channel": channel, "data": {"text": "é"}})
            said.append({"event": "pusher:unsubscribe", "data": {"channel": channel}})
        said.append({"event": "pusher:ping", "data": {}})
        return [self._mutator.json_of(value) for value in self._random.choices(said, k=6)]

    def _connect(self) -> socket.socket:
        return socket.create_connection((HOST, self._relay.port), TIMEOUT)

    def _say(self, sock: socket.socket, data: bytes) -> None:
        """Send it all and close our side, unless the relay has had enough before."""
        try:
            for piece in self._mutator.pieces(data):
                sock.sendall(piece)
            sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno not in _CLOSED:
                raise

    @staticmethod
    def _head(line: str, headers: str = "") -> bytes:
        return f"{line} HTTP/1.1\r\nHost: relay\r\n{headers}\r\n".encode()

    def _target(self, method: str, path: str, body: bytes = b"", params: dict[str, str] | None = None) -> str:
        full = f"/apps/{self._app.id}{path}"
        app = self._app
        fields = signed_params(app.key, app.secret, method, full, body, time.time(), (params or {}).items())
        return f"{full}?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in fields)

    def _request(self, method: str, path: str, body: bytes = b"", params: dict[str, str] | None = None) -> None:
        target = self._target(method, path, body, params)
        status, answer = self._exchange(method, target, body)
        assert status < 500, answer
        # A longer one does not come as far as the API.
        assert len(target) > _LONGEST_TARGET or isinstance(json.loads(answer), dict)

    def _post(self, target: str, body: bytes) -> tuple[int, bytes]:
        return self._exchange("POST", target, body)

    def _exchange(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(HOST, self._relay.port, timeout=TIMEOUT)
        try:
            connection.request(method, target, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


class Witness:
    """A good client and a good back end, who find out whether the relay still serves."""

    def __init__(self, relay: RelayProcess) -> None:
        self._talk = Talk(relay, Random(0))  # noqa: S311 - nothing is drawn from it
        self._sock = self._talk._connect()
        self._sock.sendall(Talk._head(f"GET /app/{relay.key}?protocol=7", _UPGRADE))
        _read_until(self._sock, b"}")
        self._sock.sendall(client_frame(message("pusher:subscribe", {"channel": "witness"})))
        _read_until(self._sock, b"}")

    def ask(self, number: int) -> None:
        """Publish an event, which has to be answered and to arrive."""
        body = json.dumps({"name": "x", "data": f"#{number}#", "channel": "witness"}).encode()
        status, answer = self._talk._exchange("POST", self._talk._target("POST", "/events", body), body)
        assert (status, answer) == (200, b"{}")
        assert f'"#{number}#"' in _read_until(self._sock, b"}").decode("latin-1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


def _read_until(sock: socket.socket, end: bytes) -> bytes:
    """All up to `end`, the last thing that comes before the other side waits."""
    seen = b""
    while not seen.endswith(end):
        block = sock.recv(65_536)
        assert block, f"the relay has closed after {seen!r}"
        seen += block
    return seen


def _read_to_the_end(sock: socket.socket) -> bytes:
    seen = b""
    try:
        while block := sock.recv(65_536):
            seen += block
    except ConnectionResetError:
        # It did not want to read the rest of what we sent.
        return seen
    except TimeoutError:
        if sock.gettimeout() != _MOMENT:
            raise
    return seen
