"""One partition in a real Redis, as the scripts see it: they are run by redis-py, without a link between."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
import redis as redis_py

from relay.cluster.redis.link import Argument
from relay.cluster.redis.scripts import Times, load
from relay.protocol.webhooks import CAUSES
from tests.helpers.fake_redis import FakeRedis
from tests.helpers.redis import RedisServer

# What waits for back ends.
HOOKS: Final = b"pd:{0}:hook"
PREFIX: Final = "pd:{0}:"
APP: Final = "3"


class FakeClient:
    """What the tests use of redis-py, over the Redis of this process: so it is seen to be like the real one."""

    def __init__(self, server: FakeRedis) -> None:
        self._server = server

    def register_script(self, text: bytes) -> Callable[..., Any]:
        sha = self._server.load(text)

        def run(keys: Sequence[str], args: Sequence[object]) -> Any:
            answer = self._server.evaluate(sha, keys, args)
            if isinstance(answer, Exception):
                raise redis_py.ResponseError(str(answer))
            return answer

        return run

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Commands whose answers redis-py hands on as they are."""
        return lambda *arguments: self._server.call(name.encode(), *arguments)

    def time(self) -> tuple[int, int]:
        seconds, microseconds = self._server.call(b"time")
        return int(seconds), int(microseconds)

    def hgetall(self, key: str) -> dict[bytes, bytes]:
        return dict(self._server.value(key) or {})

    def zadd(self, key: str, members: Mapping[Any, float]) -> None:
        for member, score in members.items():
            self._server.call(b"zadd", key, score, member)

    def zrange(self, key: str, first: int, last: int, *, withscores: bool = False) -> list[Any]:
        known = self._server.value(key) or {}
        return list(known.items()) if withscores else list(known)

    def xrange(self, key: str, **options: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        entries = self._server.call(b"xrange", key, options["min"], "+")
        return [(entry_id, dict(zip(words[::2], words[1::2], strict=True))) for entry_id, words in entries]


class Partition:
    """Runs scripts. The time of Redis cannot be set; `age` makes all that is written older instead."""

    def __init__(self, server: RedisServer | FakeRedis) -> None:
        self.redis: Any = FakeClient(server) if isinstance(server, FakeRedis) else server.client
        scripts = load(20_000, Times(), is_sharded=False)
        self._scripts = {name: self.redis.register_script(script.text) for name, script in scripts.items()}
        self._read = "-"
        # The number of the event that back ends were told last.
        self._told = 0

    def run(self, name: str, *arguments: Argument) -> Any:
        """What a script answers. Raises redis.ResponseError."""
        return self._scripts[name](keys=[PREFIX], args=arguments)

    def has_nodes(self, *nodes: str) -> None:
        """Nodes with a lease, in a cluster that has its data."""
        for node in nodes:
            self.run("hello", node, "epoch", "", "")
        self.redis.hdel(f"{PREFIX}beat", "rebuild_until", "quiet_until")
        self.told()

    def enter(self, node: str, channel: str, user: str, **options: Any) -> Any:
        info, limit, exclude, snapshot = (
            options.get("info", "{}"),
            options.get("limit", 100),
            options.get("exclude", ""),
            options.get("snapshot", 0),
        )
        return self.run("enter", node, APP, channel, user, info, limit, exclude, options.get("hooked", 1), snapshot)

    def leave(self, node: str, channel: str, user: str, handover: int = 0, hooked: int = 1) -> Any:
        return self.run("leave", node, APP, channel, user, handover, hooked)

    def count(self, node: str, channel: str, count: int, *, hooked: int = 1, told: int = 0, again: int = 0) -> Any:
        return self.run("count", node, APP, channel, count, hooked, told, again)

    def sign_in(self, node: str, user: str, exclude: str = "") -> Any:
        return self.run("sign_in", node, APP, user, exclude)

    def sign_out(self, node: str, user: str) -> Any:
        return self.run("sign_out", node, APP, user)

    def reap(self, most: int = 100) -> int:
        """Take back all that the dead had, `most` at once; how many calls it took."""
        calls = 0
        while self.run("reap"):
            self.run("reap", most, APP)
            calls += 1
            assert calls < 1_000, "the reaper does not come to an end"
        return calls

    def told(self) -> list[tuple[str, str, str, Any]]:
        """What nodes were told since the last time: topic without the prefix, kind, exclude, body."""
        return [_message(fields[b"t"], fields[b"m"]) for fields in self._news() if fields[b"t"]]

    def hooks(self) -> list[dict[str, Any]]:
        """What back ends are told since the last time."""
        found = [entry for cause in CAUSES for entry in self.redis.xrange(f"{PREFIX}hooks:{APP}:{cause}", min="-")]
        events = {int(entry_id.split(b"-")[0]): fields[b"e"] for entry_id, fields in found}
        news, self._told = sorted(number for number in events if number > self._told), max(events, default=self._told)
        return [msgspec.json.decode(events[number]) for number in news]

    def _news(self) -> list[dict[bytes, bytes]]:
        entries = self.redis.xrange(f"{PREFIX}log", min=self._read)
        if entries:
            self._read = f"({entries[-1][0].decode()}"
        return [fields for _, fields in entries]

    def age(self, milliseconds: int, *, beats: bool = True) -> None:
        """Let so much time have passed since all was written; somebody beats meanwhile, if `beats`."""
        for name in ("nodes", "going"):
            for member, score in self.redis.zrange(f"{PREFIX}{name}", 0, -1, withscores=True):
                self.redis.zadd(f"{PREFIX}{name}", {member: score - milliseconds})
        for key in [f"{PREFIX}beat", *self.redis.keys(f"{PREFIX}chan:*")]:
            for field in (b"quiet_until", b"rebuild_until", b"at", *([] if beats else [b"last"])):
                if self.redis.hexists(key, field):
                    self.redis.hincrby(key, field, -milliseconds)

    def members(self, channel: str) -> dict[bytes, bytes]:
        members: dict[bytes, bytes] = self.redis.hgetall(f"{PREFIX}mem:{APP}:{channel}")
        return members

    def is_empty_but_for(self, *keys: str) -> bool:
        """Whether nothing is left of the state, besides what the cluster itself always has."""
        known = {f"{PREFIX}{key}".encode() for key in ("epoch", "nodes", "beat", "log", *keys)}
        return {key for key in self.redis.keys("*") if not key.startswith(HOOKS)} <= known


def _message(topic: bytes, message: bytes) -> tuple[str, str, str, Any]:
    head, body = message.split(b"\0", 1)
    value = msgspec.msgpack.decode(body) if body else None
    return topic.decode().removeprefix(PREFIX), chr(head[0]), head[1:].decode(), value
