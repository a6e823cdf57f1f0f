"""A Redis in this process whose time a test moves, and links to it that deliver when a test says so.

It runs the relay's real scripts, in Lua 5.1 as Redis does; the commands that they use are here in the plainest form. What it
does is compared with a real Redis by the tests of the scripts, which run over both.
"""

import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha1
from typing import Any, Final

import msgspec
from hiredis import ReplyError
from lupa.lua51 import LuaRuntime, lua_type  # type: ignore[import-untyped]  # it has no types

from relay.cluster.bus import Unavailable
from relay.cluster.redis.link import Argument, Done, OnPush

Value = Any
_OK: Final = b"OK"


def as_bytes(value: object) -> bytes:
    """As Redis takes an argument."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return b"%.17g" % value
    return str(value).encode()


class FakeRedis:
    """See above. `now` is its time in ms. What is pushed goes to the links that are subscribed."""

    def __init__(self) -> None:
        self.now = 1_000_000_000_000
        self.run_id = 1
        self.links: list[FakeLink] = []
        # A script's own pushes come before its answer (Redis 7.0), or behind it (from 7.2 on).
        self.is_answer_first = False
        self._data: dict[bytes, Value] = {}
        self._expires: dict[bytes, int] = {}
        self._scripts: dict[bytes, Any] = {}
        self._last_id = (0, 0)
        self._chance = 0
        self._lua = LuaRuntime(encoding=None, unpack_returned_tuples=False)
        self._prepare()

    def _prepare(self) -> None:
        """What a script may use besides Lua."""
        wrap = self._lua.eval(b"function(f) return function(...) return f(...) end end")
        table = self._lua.table_from
        functions = self._lua.globals()
        functions[b"redis"] = table({b"call": wrap(self._call_from_lua), b"error_reply": wrap(self._error_reply)})
        functions[b"cjson"] = table({b"encode": wrap(lambda value: json.dumps(self._plain(value, text=True)).encode())})
        functions[b"cmsgpack"] = table(
            {
                b"pack": wrap(self._pack),
                b"unpack": wrap(lambda packed: self._to_lua(_raw(msgspec.msgpack.decode(packed)))),
            }
        )

    def _error_reply(self, text: bytes) -> Any:
        return self._lua.table_from({b"err": text})

    def _pack(self, value: Any) -> bytes:
        return msgspec.msgpack.encode(self._plain(value, text=True))

    def _plain(self, value: Any, *, text: bool) -> Any:
        """A value of Lua's as one of ours."""
        if lua_type(value) == "table":
            if list(value) == list(range(1, len(value) + 1)):
                return [self._plain(value[at], text=text) for at in range(1, len(value) + 1)]
            return {key.decode(): self._plain(item, text=text) for key, item in value.items()}
        return value.decode() if text and isinstance(value, bytes) else value

    def _to_lua(self, value: Any) -> Any:
        """Of Redis' answers nil is false, in Lua."""
        if value is None:
            return False
        if isinstance(value, list | tuple):
            return self._lua.table_from([self._to_lua(item) for item in value])
        return value

    def _call_from_lua(self, name: bytes, *arguments: Any) -> Any:
        return self._to_lua(self.call(name, *arguments))

    # --- what clients call -----------------------------------------------------------------------------------------------

    def load(self, text: bytes) -> bytes:
        """SCRIPT LOAD."""
        sha = sha1(text, usedforsecurity=False).hexdigest().encode()
        if sha not in self._scripts:
            lines = text.split(b"\n", 1)[1]
            self._scripts[sha] = self._lua.eval(b"function(KEYS, ARGV)\n" + lines + b"\nend")
        return sha

    def evaluate(self, sha: bytes, keys: Sequence[object], arguments: Sequence[object]) -> Value:
        """EVALSHA: what the script answers, or a ReplyError."""
        script = self._scripts.get(sha)
        if script is None:
            return ReplyError("NOSCRIPT No matching script")
        return self._answer(script(self._strings(keys), self._strings(arguments)))

    def _strings(self, values: Iterable[object]) -> Any:
        return self._lua.table_from([as_bytes(value) for value in values])

    def _answer(self, value: Any) -> Value:
        """A script's result as Redis sends it."""
        if lua_type(value) != "table":
            return {True: 1, False: None}.get(value, value) if isinstance(value, bool) else _whole(value)
        if value[b"err"] is not None:
            return ReplyError(value[b"err"].decode())
        if value[b"ok"] is not None:
            return value[b"ok"]
        items: list[Value] = []
        while (item := value[len(items) + 1]) is not None:
            items.append(self._answer(item))
        return items

    def call(self, name: bytes, *arguments: Any) -> Value:
        """Any command that is known here."""
        method: Callable[..., Value] = getattr(self, f"_{name.decode().lower()}")
        return method(*map(as_bytes, arguments))

    def flushall(self) -> None:
        """Forget everything, but the scripts."""
        self._data.clear()
        self._expires.clear()

    def restart(self) -> None:
        """Be another process, without data."""
        self.flushall()
        self._scripts.clear()
        self.run_id += 1

    def value(self, key: str) -> Value:
        """What a key holds; None when there is nothing."""
        return self._get_value(key.encode())

    # --- keys ------------------------------------------------------------------------------------------------------------

    def _get_value(self, key: bytes, default: Value = None) -> Value:
        if self._expires.get(key, self.now + 1) <= self.now:
            del self._data[key], self._expires[key]
        return self._data.get(key, default)

    def _make(self, key: bytes, kind: type) -> Value:
        value = self._get_value(key)
        if value is None:
            value = self._data[key] = kind()
        return value

    def _drop_if_empty(self, key: bytes) -> None:
        if not self._data.get(key):
            self._data.pop(key, None)
            self._expires.pop(key, None)

    def _time(self) -> Value:
        return [b"%d" % (self.now // 1_000), b"%d" % (self.now % 1_000 * 1_000)]

    def _keys(self, pattern: bytes) -> Value:
        return [key for key in list(self._data) if fnmatchcase(key, pattern) and self._exists(key)]

    def _exists(self, key: bytes) -> int:
        return int(self._get_value(key) is not None)

    def _expire(self, key: bytes, seconds: bytes) -> int:
        return self._pexpire(key, b"%d" % (int(seconds) * 1_000))

    def _pexpire(self, key: bytes, milliseconds: bytes) -> int:
        if self._exists(key):
            self._expires[key] = self.now + int(milliseconds)
        return self._exists(key)

    def _persist(self, key: bytes) -> int:
        return int(self._expires.pop(key, None) is not None)

    def _pttl(self, key: bytes) -> int:
        return self._expires[key] - self.now if key in self._expires else -1

    def _get(self, key: bytes) -> Value:
        return self._get_value(key)

    def _set(self, key: bytes, value: bytes, *options: bytes) -> Value:
        if b"NX" in options and self._exists(key):
            return None
        self._data[key] = value
        self._expires.pop(key, None)
        for unit, factor in ((b"EX", 1_000), (b"PX", 1)):
            if unit in options:
                self._expires[key] = self.now + int(options[options.index(unit) + 1]) * factor
        return _OK

    # --- hashes ----------------------------------------------------------------------------------------------------------

    def _hget(self, key: bytes, field: bytes) -> Value:
        return self._get_value(key, {}).get(field)

    def _hmget(self, key: bytes, *fields: bytes) -> Value:
        return [self._hget(key, field) for field in fields]

    def _hset(self, key: bytes, *pairs: bytes) -> int:
        self._make(key, dict).update(zip(pairs[::2], pairs[1::2], strict=True))
        return 1

    def _hsetnx(self, key: bytes, field: bytes, value: bytes) -> int:
        return 0 if self._hexists(key, field) else self._hset(key, field, value)

    def _hdel(self, key: bytes, *fields: bytes) -> int:
        known = self._get_value(key, {})
        gone = sum(known.pop(field, None) is not None for field in fields)
        self._drop_if_empty(key)
        return gone

    def _hincrby(self, key: bytes, field: bytes, by: bytes) -> int:
        known = self._make(key, dict)
        assert by != b"-0", "Redis takes no -0"
        known[field] = b"%d" % (int(known.get(field, 0)) + int(by))
        return int(known[field])

    def _hexists(self, key: bytes, field: bytes) -> int:
        return int(field in self._get_value(key, {}))

    def _hlen(self, key: bytes) -> int:
        return len(self._get_value(key, {}))

    def _hkeys(self, key: bytes) -> Value:
        return list(self._get_value(key, {}))

    def _hgetall(self, key: bytes) -> Value:
        return [part for pair in self._get_value(key, {}).items() for part in pair]

    # --- sets ------------------------------------------------------------------------------------------------------------

    def _sadd(self, key: bytes, member: bytes) -> int:
        known = self._make(key, dict)
        is_new = member not in known
        known[member] = None
        return int(is_new)

    def _srem(self, key: bytes, member: bytes) -> int:
        return self._hdel_member(key, member)

    def _hdel_member(self, key: bytes, member: bytes) -> int:
        known = self._get_value(key, {})
        was_there = member in known
        known.pop(member, None)
        self._drop_if_empty(key)
        return int(was_there)

    def _scard(self, key: bytes) -> int:
        return len(self._get_value(key, {}))

    def _srandmember(self, key: bytes, count: bytes = b"") -> Value:
        """Not the first ones: nothing may rely on an order."""
        members = list(self._get_value(key, {}))
        self._chance += 1
        if members:
            at = self._chance % len(members)
            members = members[at:] + members[:at]
        return members[: int(count)] if count else (members or [None])[0]

    # --- sorted sets -----------------------------------------------------------------------------------------------------

    def _zadd(self, key: bytes, *arguments: bytes) -> int:
        *options, score, member = arguments
        known = self._get_value(key, {})
        if b"XX" in options and member not in known:
            return 0
        is_new = member not in known
        self._make(key, dict)[member] = float(score)
        return int(is_new)

    def _zrem(self, key: bytes, member: bytes) -> int:
        return self._hdel_member(key, member)

    def _zscore(self, key: bytes, member: bytes) -> Value:
        score = self._get_value(key, {}).get(member)
        return None if score is None else b"%.17g" % score

    def _zcard(self, key: bytes) -> int:
        return len(self._get_value(key, {}))

    def _zrange(self, key: bytes, first: bytes, last: bytes) -> Value:
        assert (first, last) == (b"0", b"-1")
        return self._sorted(key)

    def _sorted(self, key: bytes) -> list[bytes]:
        known: Mapping[bytes, float] = self._get_value(key, {})
        return sorted(known, key=lambda member: (known[member], member))

    def _zrangebyscore(self, key: bytes, first: bytes, last: bytes, *limit: bytes) -> Value:
        assert first == b"-inf"
        known = self._get_value(key, {})
        found = [member for member in self._sorted(key) if known[member] <= float(last)]
        return found[: int(limit[2])] if limit else found

    def _zrangebylex(self, key: bytes, first: bytes, last: bytes, *limit: bytes) -> Value:
        found = [member for member in self._sorted(key) if _is_from(member, first) and _is_to(member, last)]
        return found[: int(limit[2])]

    # --- streams ---------------------------------------------------------------------------------------------------------

    def _xadd(self, key: bytes, *arguments: bytes) -> bytes:
        words = list(arguments)
        most = None
        if words[0] == b"MAXLEN":
            approximately = words[1] == b"~"
            most = int(words[2 if approximately else 1])
            del words[: 3 if approximately else 2]
        entry_id = words.pop(0)
        if entry_id == b"*":
            milliseconds, sequence = self._last_id
            self._last_id = (self.now, 0) if self.now > milliseconds else (milliseconds, sequence + 1)
            entry_id = b"%d-%d" % self._last_id
        stream = self._make(key, list)
        stream.append((entry_id, words))
        if most is not None:
            del stream[: max(0, len(stream) - most)]
        return entry_id

    def _xtrim(self, key: bytes, _maxlen: bytes, _exactly: bytes, most: bytes) -> int:
        stream = self._get_value(key, [])
        gone = max(0, len(stream) - int(most))
        del stream[:gone]
        return gone

    def _xlen(self, key: bytes) -> int:
        return len(self._get_value(key, []))

    def _xrange(self, key: bytes, first: bytes, last: bytes, *count: bytes) -> Value:
        stream = self._get_value(key, [])
        found = [
            [entry_id, list(words)]
            for entry_id, words in stream
            if _is_entry_from(entry_id, first) and _is_entry_to(entry_id, last)
        ]
        return found[: int(count[1])] if count else found

    def _xrevrange(self, key: bytes, last: bytes, first: bytes, *count: bytes) -> Value:
        return self._xrange(key, first, last)[::-1][: int(count[1])]

    # --- topics ----------------------------------------------------------------------------------------------------------

    def _publish(self, topic: bytes, payload: bytes) -> int:
        hearing = [link for link in self.links if topic in link.topics]
        for link in hearing:
            link.push(topic, payload)
        return len(hearing)

    def _echo(self, word: bytes) -> bytes:
        return word


class FakeLink:
    """See relay.cluster.redis.link.Link. Commands wait in `out` for `execute`, what follows in `incoming` for `deliver`."""

    def __init__(self, redis: FakeRedis, on_push: OnPush, on_lost: Callable[[str], None]) -> None:
        self.is_open = True
        self.topics: set[bytes] = set()
        self.out: deque[tuple[tuple[Argument, ...], Done]] = deque()
        self.incoming: deque[Callable[[], None]] = deque()
        self._redis = redis
        self._on_push = on_push
        self._on_lost = on_lost
        self._unanswered: dict[int, Done] = {}
        self._sent = 0
        # Pushes of a command that is being executed for this link itself.
        self._own: list[Callable[[], None]] | None = None
        redis.links.append(self)

    @property
    def unanswered(self) -> int:
        return len(self._unanswered)

    def command(self, arguments: Sequence[Argument], done: Done) -> None:
        """See Link."""
        self._send(tuple(arguments), done)

    def subscribe(self, verb: str, topics: Sequence[bytes], done: Done) -> None:
        """See Link."""
        self._send((verb, *topics), done)

    def _send(self, arguments: tuple[Argument, ...], done: Done) -> None:
        if not self.is_open:
            done(Unavailable("not connected", is_unknown=False))
            return
        self._sent += 1
        number = self._sent
        self._unanswered[number] = done
        self.out.append((arguments, lambda answer: self._answered(number, answer)))

    def _answered(self, number: int, answer: Any) -> None:
        self._unanswered.pop(number)(answer)

    def abort(self, reason: str) -> None:
        """See Link. What has come and was not delivered yet is lost."""
        if not self.is_open:
            return
        self.is_open = False
        self._redis.links.remove(self)
        self.incoming.clear()
        self.out.clear()
        self._on_lost(reason)
        unanswered, self._unanswered = self._unanswered, {}
        for done in unanswered.values():
            done(Unavailable(reason, is_unknown=True))

    # --- what a test does ------------------------------------------------------------------------------------------------

    def execute(self) -> None:
        """Let Redis execute the next command."""
        (name, *arguments), answered = self.out.popleft()
        own = self._own = []
        answer = self._execute(as_bytes(name).upper(), arguments)
        self._own = None
        if not self.is_open:
            return
        reply = [lambda: answered(answer)]
        self.incoming.extend(reply + own if self._redis.is_answer_first else own + reply)

    def _execute(self, name: bytes, arguments: Sequence[Argument]) -> Any:
        if name == b"EVALSHA":
            sha, _, base, *rest = arguments
            return self._redis.evaluate(as_bytes(sha), [base], rest)
        if name == b"SCRIPT":
            return self._redis.load(as_bytes(arguments[1]))
        if name in {b"SUBSCRIBE", b"UNSUBSCRIBE"}:
            topics = {as_bytes(topic) for topic in arguments}
            self.topics = self.topics | topics if name == b"SUBSCRIBE" else self.topics - topics
            return None
        answer = self._redis.call(name, *arguments)
        # RESP3 has maps.
        return dict(zip(answer[::2], answer[1::2], strict=True)) if name == b"HGETALL" else answer

    def push(self, topic: bytes, payload: bytes) -> None:
        """Redis sends something that is published."""

        def deliver() -> None:
            self._on_push(b"message", topic, payload)

        if self._own is None:
            self.incoming.append(deliver)
        else:
            self._own.append(deliver)

    def deliver(self) -> None:
        """Let the node have the next thing that came."""
        self.incoming.popleft()()


def _raw(value: Any) -> Any:
    """Texts as bytes."""
    if isinstance(value, list):
        return [_raw(item) for item in value]
    return value.encode() if isinstance(value, str) else value


def _whole(value: Any) -> Any:
    """Redis answers whole numbers."""
    return int(value) if isinstance(value, float) else value


def _is_from(member: bytes, first: bytes) -> bool:
    return member >= first[1:] if first[:1] == b"[" else first == b"-" or member > first[1:]


def _is_to(member: bytes, last: bytes) -> bool:
    return last == b"+" or member < last[1:]


def _place(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence or 0)


def _is_entry_from(entry_id: bytes, first: bytes) -> bool:
    if first == b"-":
        return True
    if first[:1] == b"(":
        return _place(entry_id) > _place(first[1:])
    return _place(entry_id) >= _place(first)


def _is_entry_to(entry_id: bytes, last: bytes) -> bool:
    if last == b"+":
        return True
    if last[:1] == b"(":
        return _place(entry_id) < _place(last[1:])
    return _place(entry_id) <= _place(last)
