"""A real Redis in the place of tests.helpers.fake_redis.FakeRedis: the same steps, the same time that a test moves.

Its clock cannot be set: the scripts read the time from a key instead, and what expires is made older by hand.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha1
from typing import Any, Final

import redis as redis_py
from hiredis import ReplyError

from tests.helpers.fake_redis import FakeLink, as_bytes
from tests.helpers.redis import RedisServer

_CLOCK: Final = "call('TIME')"
_MOVED: Final = "call('HMGET', 'clock', 's', 'us')"


class SteppedRedis:
    """See FakeRedis."""

    def __init__(self, server: RedisServer) -> None:
        self.links: list[FakeLink] = []
        self.is_answer_first = False
        self.run_id = 1
        client: Any = redis_py.Redis(unix_socket_path=str(server.path), protocol=2)
        self._client = client
        # Answers as they come.
        self._client.response_callbacks.clear()
        self._client.execute_command("FLUSHALL")
        # What the scripts are called by their callers → what they are called here, with another clock.
        self._shas: dict[bytes, bytes] = {}
        self._pushes = self._client.pubsub()
        self._pushes.psubscribe("*")
        self._now = 1_000_000_000_000
        self._set_clock()

    def close(self) -> None:
        self._pushes.close()
        self._client.close()

    @property
    def now(self) -> int:
        """Its time in ms."""
        return self._now

    @now.setter
    def now(self, now: int) -> None:
        passed, self._now = now - self._now, now
        for key in self._client.execute_command("KEYS", "*"):
            left = self._client.execute_command("PTTL", key)
            if left > passed:
                self._client.execute_command("PEXPIRE", key, left - passed)
            elif left >= 0:
                self._client.execute_command("DEL", key)
        self._set_clock()

    def _set_clock(self) -> None:
        seconds, rest = divmod(self._now, 1_000)
        self._client.execute_command("HSET", "clock", "s", seconds, "us", rest * 1_000)

    def load(self, text: bytes) -> bytes:
        """SCRIPT LOAD; its name stays that of the real text."""
        sha: bytes = self._client.execute_command("SCRIPT LOAD", text.decode().replace(_CLOCK, _MOVED))
        self._shas[sha1(text, usedforsecurity=False).hexdigest().encode()] = sha
        return sha

    def evaluate(self, sha: bytes, keys: Sequence[object], arguments: Sequence[object]) -> Any:
        """EVALSHA."""
        known = self._shas.get(sha)
        if known is None:
            return ReplyError("NOSCRIPT No matching script")
        return self._ask("EVALSHA", known, len(keys), *map(as_bytes, keys), *map(as_bytes, arguments))

    def call(self, name: bytes, *arguments: Any) -> Any:
        """Any command."""
        return self._ask(name.decode(), *map(as_bytes, arguments))

    def _ask(self, *words: Any) -> Any:
        try:
            answer = self._client.execute_command(*words)
        except redis_py.ResponseError as error:
            answer = ReplyError(str(error))
        for topic, payload in self._published():
            for link in [link for link in self.links if topic in link.topics]:
                link.push(topic, payload)
        return answer

    def _published(self) -> Iterator[tuple[bytes, bytes]]:
        """What has been published: all that comes before the answer to a ping."""
        self._pushes.ping("all")
        while (message := self._pushes.get_message(timeout=10))["type"] != "pong":
            if message["type"] == "pmessage":
                yield message["channel"], message["data"]

    def flushall(self) -> None:
        """Forget everything, but the scripts and the time."""
        self._client.execute_command("FLUSHALL")
        self._set_clock()

    def restart(self) -> None:
        """Be another process, as far as nodes can see."""
        self.flushall()
        self.run_id += 1

    def value(self, key: str) -> Any:
        """A stream's entries."""
        return [(entry_id, words) for entry_id, words in self._client.execute_command("XRANGE", key, "-", "+")]
