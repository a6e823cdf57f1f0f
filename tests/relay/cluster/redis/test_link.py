"""One connection to Redis: order, batches, bounds, deadline, every cut, and a server that answers in another order."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hiredis import ReplyError

from relay.cluster.bus import Unavailable
from relay.cluster.redis import link as link_module
from relay.cluster.redis.link import Access, Endpoint, Link, LinkFailed
from tests.helpers.processes import HOST, free_port
from tests.helpers.proxy import Proxy
from tests.helpers.redis import Cluster, RedisServer, running_tls_redis

# Seconds. Long, since it only passes when something is wrong.
PATIENCE = 20.0
NOBODY = Access()
PUBLISH = "redis.call('PUBLISH', ARGV[1], ARGV[2]) return 'published ' .. ARGV[2]"


class Heard:
    """What a link told, in order: ("push", payload), ("answer", value), ("lost", reason)."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Any]] = []
        self._news = asyncio.Event()

    def on_push(self, kind: bytes, topic: bytes, payload: Any) -> None:
        self.tell("push" if kind == b"message" else kind.decode(), payload)

    def on_lost(self, reason: str) -> None:
        self.tell("lost", reason)

    def done(self, answer: Any) -> None:
        self.tell("answer", answer)

    def tell(self, what: str, value: Any) -> None:
        self.all.append((what, value))
        self._news.set()

    def of(self, what: str) -> list[Any]:
        return [value for kind, value in self.all if kind == what]

    async def until(self, is_so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                self._news.clear()
                await self._news.wait()


def endpoint(redis: RedisServer) -> Endpoint:
    return Endpoint(path=str(redis.path))


@asynccontextmanager
async def linked(
    where: Endpoint, heard: Heard, access: Access = NOBODY, deadline: float = link_module.DEADLINE
) -> AsyncIterator[Link]:
    link = Link(where, access, heard.on_push, heard.on_lost, deadline)
    await link.connect()
    try:
        yield link
    finally:
        link.abort("the test is over")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
async def link(redis: RedisServer, heard: Heard) -> AsyncIterator[Link]:
    async with linked(endpoint(redis), heard) as connected:
        yield connected


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[Endpoint]:
    """A server of the test's own; ends when its connections have."""
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(OSError):
            await serve(reader, writer)
        writer.close()

    async with await asyncio.start_server(run, HOST, 0) as server:
        yield Endpoint(HOST, server.sockets[0].getsockname()[1])
        await asyncio.gather(*tasks)


def scripted(serve: Serve) -> AbstractAsyncContextManager[Endpoint]:
    """A server that greets a link as Redis does, and then does what `serve` does."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_command(reader)
        writer.write(b"%4\r\n+server\r\n+redis\r\n+version\r\n+7.2.0\r\n+mode\r\n+standalone\r\n+role\r\n+master\r\n")
        await read_command(reader)
        writer.write(b"$5\r\nfence\r\n")
        await serve(reader, writer)

    return serving(greet)


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    count = int((await reader.readline())[1:])
    command = []
    for _ in range(count):
        size = int((await reader.readline())[1:])
        command.append((await reader.readexactly(size + 2))[:-2])
    return command


# --- answers and pushes


async def test_answers_come_in_the_order_of_the_commands(link: Link, heard: Heard) -> None:
    for number in range(1_000):
        link.command(("ECHO", number), heard.done)
    await heard.until(lambda: not link.unanswered)
    assert heard.of("answer") == [b"%d" % number for number in range(1_000)]


async def test_the_commands_of_one_turn_leave_in_one_write(
    link: Link, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting:
        def __init__(self, transport: asyncio.Transport) -> None:
            self.writes = 0
            self._transport = transport

        def write(self, data: bytes) -> None:
            self.writes += 1
            self._transport.write(data)

        def abort(self) -> None:
            self._transport.abort()

    counting = Counting(link._transport)
    monkeypatch.setattr(link, "_transport", counting)
    for _ in range(100):
        link.command(("PING",), heard.done)
    await heard.until(lambda: len(heard.all) == 100)
    assert counting.writes == 1


async def test_errors_are_answers(link: Link, heard: Heard) -> None:
    link.command(("NONSENSE",), heard.done)
    link.command(("EVAL", "return {1, redis.error_reply('OWN mine')}", 0), heard.done)
    link.command(("ECHO", "still in step"), heard.done)
    await heard.until(lambda: len(heard.all) == 3)
    first, second, third = heard.of("answer")
    assert isinstance(first, ReplyError)
    assert str(first).startswith("ERR unknown command")
    assert second[0] == 1
    assert str(second[1]) == "OWN mine"
    assert third == b"still in step"


async def test_values_of_resp3_come_as_they_are(link: Link, heard: Heard) -> None:
    link.command(("HSET", "h", "field", "value"), heard.done)
    link.command(("HGETALL", "h"), heard.done)
    link.command(("GET", "nothing"), heard.done)
    link.command(("EVAL", "redis.setresp(3); return false", 0), heard.done)
    await heard.until(lambda: len(heard.all) == 4)
    assert heard.of("answer")[:3] == [1, {b"field": b"value"}, None]


async def test_a_subscription_is_confirmed_before_what_is_published_behind_it(link: Link, heard: Heard) -> None:
    link.subscribe("SUBSCRIBE", [b"a", b"b"], heard.done)
    link.command(("PUBLISH", b"b", b"one"), lambda _: None)
    await heard.until(lambda: heard.of("push"))
    assert heard.all == [("subscribe", 1), ("subscribe", 2), ("answer", None), ("push", b"one")]
    link.subscribe("UNSUBSCRIBE", [b"b"], heard.done)
    link.command(("PUBLISH", b"b", b"two"), heard.done)
    await heard.until(lambda: len(heard.of("answer")) == 3)
    assert heard.all[4:] == [("unsubscribe", 1), ("answer", None), ("answer", 0)]


async def test_pushes_and_answers_come_in_the_order_of_redis(link: Link, heard: Heard) -> None:
    link.subscribe("SUBSCRIBE", [b"topic"], lambda _: None)
    for number in range(200):
        link.command(("EVAL", PUBLISH, 0, "topic", number), heard.done)
    await heard.until(lambda: not link.unanswered)
    expected = [pair for n in range(200) for pair in (("push", b"%d" % n), ("answer", b"published %d" % n))]
    assert heard.all[1:] == expected


async def test_both_orders_of_a_script_s_answer_and_its_push_are_kept(heard: Heard) -> None:
    """Redis 7.0 sends the push first, 7.2 and later the answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        push, answer = b">3\r\n$7\r\nmessage\r\n$1\r\nt\r\n$1\r\np\r\n", b"+OK\r\n"
        for answers in (push + answer, answer + push):
            await read_command(reader)
            for byte in answers:
                writer.write(bytes([byte]))
        await reader.read()

    async with scripted(serve) as where, linked(where, heard) as link:
        link.command(("EVAL", "7.0"), heard.done)
        link.command(("EVAL", "7.2"), heard.done)
        await heard.until(lambda: len(heard.all) == 4)
    assert heard.all[:4] == [("push", b"p"), ("answer", b"OK"), ("answer", b"OK"), ("push", b"p")]


async def test_a_refused_subscription_is_told_and_leaves_the_order_alone(redis: RedisServer, heard: Heard) -> None:
    redis.ask("ACL", "SETUSER", "narrow", "reset", "on", ">secret", "+@all", "~*", "&mine:*")
    async with linked(endpoint(redis), heard, Access(user="narrow", password="secret")) as link:
        link.subscribe("SUBSCRIBE", [b"theirs"], heard.done)
        link.subscribe("SUBSCRIBE", [b"mine:1"], heard.done)
        link.command(("ECHO", "next"), heard.done)
        await heard.until(lambda: len(heard.of("answer")) == 3)
        refused, confirmed, echoed = heard.of("answer")
    redis.ask("ACL", "DELUSER", "narrow")
    assert str(refused).startswith("NOPERM")
    assert (confirmed, echoed) == (None, b"next")


async def test_the_end_of_a_shard_topic_keeps_the_order_whether_it_was_asked_for_or_not(
    redis_cluster: Cluster, heard: Heard
) -> None:
    topic = b"{moving}"
    slot = int(redis_cluster.primaries[0].ask("CLUSTER", "KEYSLOT", topic))
    owner = redis_cluster.owner(slot)
    target = next(server for server in redis_cluster.primaries if server is not owner)
    async with linked(Endpoint(HOST, owner.port), heard) as link:
        for verb in ("SSUBSCRIBE", "SUNSUBSCRIBE", "SSUBSCRIBE"):
            link.subscribe(verb, [topic], heard.done)
        await heard.until(lambda: len(heard.of("answer")) == 3)
        await asyncio.to_thread(redis_cluster.move, slot, target)
        await heard.until(lambda: len(heard.of("sunsubscribe")) == 2)
        link.subscribe("SUNSUBSCRIBE", [topic], heard.done)
        link.command(("ECHO", "in step"), heard.done)
        await heard.until(lambda: len(heard.of("answer")) == 5)
    *executed, refused, echoed = heard.of("answer")
    assert executed == [None, None, None]
    assert str(refused).startswith("MOVED")
    assert echoed == b"in step"


async def test_commands_given_from_a_callback_are_answered(link: Link, heard: Heard) -> None:
    link.command(("ECHO", "first"), lambda _: link.command(("ECHO", "second"), heard.done))
    await heard.until(lambda: heard.all)
    assert heard.all == [("answer", b"second")]


async def test_a_callback_that_raises_is_logged_and_what_came_behind_it_is_handled(
    link: Link, heard: Heard, logged: list[MutableMapping[str, Any]]
) -> None:
    def fail(answer: Any) -> None:
        raise ValueError(answer)

    link.command(("ECHO", 1), fail)
    link.command(("ECHO", 2), heard.done)
    await heard.until(lambda: heard.all)
    assert heard.all == [("answer", b"2")]
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["redis_callback_failed"]
    logged.clear()


async def test_a_callback_that_raises_at_the_end_keeps_nobody_from_knowing_of_it(
    link: Link, heard: Heard, logged: list[MutableMapping[str, Any]]
) -> None:
    def fail(answer: Any) -> None:
        raise ValueError(answer)

    link.command(("ECHO", 1), fail)
    link.command(("ECHO", 2), heard.done)
    link.abort("cut")
    assert heard.all == [("lost", "cut"), ("answer", Unavailable("cut", is_unknown=False))]
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["redis_callback_failed"]
    logged.clear()


# --- bounds and deadline


async def test_more_commands_than_may_be_unanswered_are_refused_at_once(
    link: Link, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MAX_UNANSWERED_COMMANDS", 3)
    for number in range(4):
        link.command(("ECHO", number), heard.done)
    assert heard.all == [("answer", Unavailable("too much is unanswered", is_unknown=False))]
    await heard.until(lambda: not link.unanswered)
    link.command(("ECHO", "room again"), heard.done)
    await heard.until(lambda: len(heard.all) == 5)
    assert heard.of("answer")[1:] == [b"0", b"1", b"2", b"room again"]


async def test_more_bytes_than_may_be_unanswered_are_refused_at_once(
    link: Link, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MAX_UNANSWERED_BYTES", 1_000)
    for _ in range(3):
        link.command(("ECHO", b"x" * 400), heard.done)
    assert [type(answer) for answer in heard.of("answer")] == [Unavailable]
    link.subscribe("SUBSCRIBE", [b"x" * 200], heard.done)
    assert [type(answer) for answer in heard.of("answer")] == [Unavailable, Unavailable]
    await heard.until(lambda: not link.unanswered)
    link.subscribe("SUBSCRIBE", [b"x" * 200], heard.done)
    await heard.until(lambda: len(heard.of("answer")) == 5)
    assert heard.of("answer")[-1] is None
    assert link._unanswered_bytes == 0


async def test_a_link_without_an_answer_in_time_ends(own_redis: RedisServer, heard: Heard) -> None:
    async with linked(endpoint(own_redis), heard, deadline=0.1) as link:
        own_redis.pause()
        link.command(("ECHO", 1), heard.done)
        await heard.until(lambda: len(heard.all) == 2)
        assert not link.is_open
    reason = "no answer within 0.1 s"
    assert heard.all == [("lost", reason), ("answer", Unavailable(reason, is_unknown=True))]


async def test_answers_that_all_come_late_end_the_link_although_some_always_come(
    redis: RedisServer, heard: Heard
) -> None:
    async with (
        Proxy((HOST, redis.port)).running() as proxy,
        linked(Endpoint(HOST, proxy.port), heard, deadline=0.2) as link,
    ):
        proxy.delay = 0.4
        while link.is_open:
            link.command(("ECHO", "late"), heard.done)
            await asyncio.sleep(0.01)
    assert heard.of("lost") == ["no answer within 0.2 s"]


async def test_answers_in_time_do_not_end_a_link_that_is_never_idle(redis: RedisServer, heard: Heard) -> None:
    async with linked(endpoint(redis), heard, deadline=0.05) as link:
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.3

        def again(answer: Any) -> None:
            if loop.time() < end:
                link.command(("ECHO", 1), again)
            else:
                heard.done(answer)

        # Never without an unanswered command, for many deadlines.
        link.command(("ECHO", 1), again)
        link.command(("ECHO", 1), again)
        await heard.until(lambda: len(heard.all) == 2)
    assert heard.all == [("answer", b"1"), ("answer", b"1"), ("lost", "the test is over")]


async def test_an_idle_link_keeps_no_timer(redis: RedisServer, heard: Heard) -> None:
    async with linked(endpoint(redis), heard, deadline=0.8) as link, asyncio.timeout(10):
        for _ in range(2):
            link.command(("PING",), heard.done)
            await heard.until(lambda: not link.unanswered)
            assert link._look is not None
            while link._look is not None:  # noqa: ASYNC110 - nobody is told
                await asyncio.sleep(0.01)


# --- the end of a link


async def test_after_a_loss_what_was_written_is_unknown_and_what_was_not_is_not(
    own_redis: RedisServer, heard: Heard
) -> None:
    async with linked(endpoint(own_redis), heard) as link:
        own_redis.pause()
        link.command(("ECHO", "written"), heard.done)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        link.command(("ECHO", "not written"), heard.done)
        link.subscribe("SUBSCRIBE", [b"t"], heard.done)
        link.abort("cut")
        link.command(("ECHO", "after it"), heard.done)
    assert heard.all == [
        ("lost", "cut"),
        ("answer", Unavailable("cut", is_unknown=True)),
        ("answer", Unavailable("cut", is_unknown=False)),
        ("answer", Unavailable("cut", is_unknown=False)),
        ("answer", Unavailable("not connected", is_unknown=False)),
    ]


async def test_a_killed_redis_is_a_loss(own_redis: RedisServer, heard: Heard) -> None:
    async with linked(endpoint(own_redis), heard) as link:
        own_redis.kill()
        await heard.until(lambda: heard.of("lost"))
        assert not link.is_open
    assert len(heard.all) == 1


async def test_a_callback_that_ends_the_link_gets_nothing_more(link: Link, heard: Heard) -> None:
    link.command(("ECHO", 1), lambda _: link.abort("enough"))
    link.command(("ECHO", 2), heard.done)
    await heard.until(lambda: len(heard.all) == 2)
    assert heard.all == [("lost", "enough"), ("answer", Unavailable("enough", is_unknown=True))]


async def run_and_cut(redis: RedisServer, cut_after: int | None) -> tuple[Heard, int]:
    """A subscription and two scripts that publish, cut after so many bytes of the answers; how many of them came."""
    heard = Heard()
    async with Proxy((HOST, redis.port)).running() as proxy, linked(Endpoint(HOST, proxy.port), heard) as link:
        before = proxy.passed["down"]
        proxy.cut_after = None if cut_after is None else before + cut_after
        link.subscribe("SUBSCRIBE", [b"t"], lambda answer: heard.done(answer or b"subscribed"))
        for number in range(2):
            link.command(("EVAL", PUBLISH, 0, "t", number), heard.done)
        await heard.until(lambda: len(heard.of("answer")) == 3 and (cut_after is None or heard.of("lost")))
        return heard, proxy.passed["down"] - before


async def test_a_link_cut_at_any_byte_answers_each_command_once_and_in_order(redis: RedisServer) -> None:
    whole, size = await run_and_cut(redis, None)
    assert [kind for kind, _ in whole.all[:6]] == ["subscribe", "answer", "push", "answer", "push", "answer"]
    for cut_after in range(1, size + 1):
        heard, passed = await run_and_cut(redis, cut_after)
        assert passed == cut_after
        before = heard.all[: [kind for kind, _ in heard.all].index("lost")]
        assert before == whole.all[: len(before)]
        assert all(answer.is_unknown for kind, answer in heard.all[len(before) + 1 :])
        assert len(heard.of("answer")) == 3


@pytest.mark.parametrize("nonsense", [b"?what\r\n", b"+an answer to nothing\r\n"])
async def test_what_is_not_an_answer_ends_a_link_that_is_being_made(heard: Heard, nonsense: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(nonsense)
        await reader.read()

    async with scripted(serve) as where:
        with pytest.raises(LinkFailed):
            await Link(where, NOBODY, heard.on_push, heard.on_lost).connect()
    assert heard.all == []


@pytest.mark.parametrize("nonsense", [b"?what\r\n", b"+OK\r\n+an answer to nothing\r\n"])
async def test_what_is_not_an_answer_ends_an_established_link(heard: Heard, nonsense: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_command(reader)
        writer.write(nonsense)
        await reader.read()

    async with scripted(serve) as where, linked(where, heard) as link:
        link.command(("PING",), heard.done)
        await heard.until(lambda: heard.of("lost"))
    assert len(heard.all) == 2


async def test_an_answer_out_of_step_with_a_subscription_ends_the_link(heard: Heard) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_command(reader)
        writer.write(b"$5\r\nother\r\n")
        await reader.read()

    async with scripted(serve) as where, linked(where, heard) as link:
        link.subscribe("SUBSCRIBE", [b"t"], heard.done)
        await heard.until(lambda: len(heard.all) == 2)
    assert heard.all == [
        ("lost", "an answer out of step: b'other'"),
        ("answer", Unavailable("answers out of step", is_unknown=True)),
    ]


# --- connecting


async def test_redis_says_what_it_is_and_sees_who_asks(redis: RedisServer) -> None:
    link = Link(endpoint(redis), Access(name="node-1", db=3))
    greeting = await link.connect()
    assert (greeting.server, greeting.mode, greeting.role) == ("redis", "standalone", "master")
    assert greeting.version == redis.client.info("server")["redis_version"]
    clients = redis.client.client_list()
    assert [client["db"] for client in clients if client["name"] == "node-1"] == ["3"]
    link.abort("the test is over")


async def test_a_link_over_tcp_is_one_too(redis: RedisServer, heard: Heard) -> None:
    async with linked(Endpoint(HOST, redis.port), heard) as link:
        assert await link.ask("PING") == b"PONG"


async def test_a_wrong_password_is_told_and_not_shown(redis: RedisServer) -> None:
    access = Access(user="nobody", password="not-the-word")
    with pytest.raises(LinkFailed, match="WRONGPASS") as failed:
        await Link(endpoint(redis), access).connect()
    assert isinstance(failed.value.error, ReplyError)
    assert "not-the-word" not in f"{failed.value} {access}"


async def test_a_user_who_may_not_echo_is_refused_at_the_beginning(redis: RedisServer) -> None:
    redis.ask("ACL", "SETUSER", "mute", "reset", "on", ">secret", "+@all", "-echo", "~*", "&*")
    with pytest.raises(LinkFailed, match="NOPERM"):
        await Link(endpoint(redis), Access(user="mute", password="secret")).connect()
    redis.ask("ACL", "DELUSER", "mute")


async def test_an_address_where_nothing_listens_is_named(tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(LinkFailed, match=f"{HOST}:{port}"):
        await Link(Endpoint(HOST, port), NOBODY).connect()
    with pytest.raises(LinkFailed, match="nothing"):
        await Link(Endpoint(path=str(tmp_path / "nothing")), NOBODY).connect()


async def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(heard: Heard) -> None:
    async def be_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(be_silent) as where:
        with pytest.raises(LinkFailed, match="no answer in time"):
            await Link(where, NOBODY, heard.on_push, heard.on_lost, deadline=0.05).connect()
    assert heard.all == []


async def test_a_server_that_hangs_up_is_named(heard: Heard) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Say nothing."""

    async with serving(hang_up) as where:
        with pytest.raises(LinkFailed, match=f"{HOST}:{where.port}"):
            await Link(where, NOBODY, heard.on_push, heard.on_lost).connect()
    assert heard.all == []


async def test_tls_is_spoken_with_a_redis_whose_certificate_is_trusted(tmp_path: Path, heard: Heard) -> None:
    with running_tls_redis(tmp_path) as (_redis, port, certificate):
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with linked(Endpoint(HOST, port), heard, Access(tls=trusting)) as link:
            link.subscribe("SUBSCRIBE", [b"t"], lambda _: None)
            link.command(("EVAL", PUBLISH, 0, "t", b"x" * 100_000), heard.done)
            await heard.until(lambda: heard.of("answer"))
            assert heard.of("push") == [b"x" * 100_000]
        with pytest.raises(LinkFailed, match="certificate"):
            await Link(Endpoint(HOST, port), Access(tls=ssl.create_default_context())).connect()
