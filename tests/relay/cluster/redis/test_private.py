"""The private Redis: it is there, for one user alone, and it is gone when its relay is."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis as RedisClient
from redis import RedisError

from relay.cluster.redis import private
from relay.cluster.redis.link import Access, Endpoint, Link
from relay.cluster.redis.private import PrivateRedisFailed, private_redis
from relay.cluster.redis.topology import parse_url
from tests.helpers.parts import REDIS, require
from tests.helpers.processes import ROOT
from tests.helpers.redis import until

RELAY: Final = """
import asyncio, pathlib, sys, uvloop
from relay.cluster.redis.private import private_redis
async def run():
    async with private_redis(pathlib.Path(sys.argv[1])) as redis:
        print(redis.pid, flush=True)
        await asyncio.sleep(60)
uvloop.run(run())
"""


@pytest.fixture(autouse=True)
def _there_is_a_redis() -> None:
    require(REDIS)


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text("utf-8")
    except FileNotFoundError:
        return False


async def link_to(url: str) -> Link:
    (endpoint,) = parse_url(url).endpoints
    link = Link(endpoint, Access())
    await link.connect()
    return link


async def test_it_answers_on_its_socket_and_nowhere_else(tmp_path: Path) -> None:
    async with private_redis(tmp_path / "data") as redis:
        link = await link_to(redis.url)
        settings = await link.ask("CONFIG", "GET", "*")
        wanted = {b"port": b"0", b"save": b"", b"appendonly": b"no", b"maxmemory-policy": b"noeviction"}
        assert {name: settings[name] for name in wanted} == wanted
        link.abort("the test is over")


async def test_its_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    async with private_redis(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "redis.sock").stat().st_mode) == 0o700


async def test_it_ends_with_what_used_it(tmp_path: Path) -> None:
    async with private_redis(tmp_path) as redis:
        pid = redis.pid
        assert is_running(pid)
    assert not is_running(pid)
    assert not (tmp_path / "redis.sock").exists()


async def test_it_can_be_started_again_in_the_same_folder(tmp_path: Path) -> None:
    for _ in range(2):
        async with private_redis(tmp_path) as redis:
            link = await link_to(redis.url)
            assert await link.ask("INCR", "n") == 1
            link.abort("the test is over")


async def test_it_is_started_again_when_it_ends_by_itself(
    tmp_path: Path, logged: list[MutableMapping[str, Any]]
) -> None:
    async with private_redis(tmp_path) as redis:
        pid = redis.pid
        os.kill(pid, signal.SIGKILL)
        again = RedisClient(unix_socket_path=str(tmp_path / "redis.sock"))
        await asyncio.to_thread(until, lambda: _process_of(again) not in (0, pid), "it was started again")
        again.close()
        assert redis.pid != pid
    assert [entry["event"] for entry in logged] == ["private_redis_ended"]
    logged.clear()


def _process_of(client: RedisClient) -> int:
    try:
        return int(client.info("server")["process_id"])
    except RedisError:
        return 0


async def test_it_is_gone_when_its_relay_is_killed(tmp_path: Path) -> None:
    relay = await asyncio.create_subprocess_exec(
        sys.executable, "-c", RELAY, str(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert relay.stdout is not None
    pid = int(await relay.stdout.readline())
    assert is_running(pid)
    relay.kill()
    await relay.wait()
    await asyncio.to_thread(until, lambda: not is_running(pid), "the private Redis ended")
    async with private_redis(tmp_path) as redis:
        (await link_to(redis.url)).abort("it took the folder over")


async def test_a_relay_that_ended_while_it_was_being_started_leaves_none_behind(tmp_path: Path) -> None:
    launched = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", "-c", private._LAUNCHER, "1", "/bin/true", stderr=subprocess.PIPE
    )
    _, error = await launched.communicate()
    assert launched.returncode == 1
    assert b"the relay has ended" in error


async def test_a_second_relay_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with private_redis(tmp_path) as redis:
        with pytest.raises(PrivateRedisFailed, match="another relay uses"):
            async with private_redis(tmp_path):
                raise AssertionError("there must not be two")
        (await link_to(redis.url)).abort("the first is still there")


async def test_a_missing_program_is_told_in_one_line_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PrivateRedisFailed, match="install the package redis-server or valkey-server") as failed:
        async with private_redis(tmp_path / "data"):
            raise AssertionError("there is none")
    assert "\n" not in str(failed.value)


async def test_valkey_is_taken_where_there_is_no_redis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "valkey-server"
    real = private._program()
    program.write_text(f'#!/bin/sh\nexec {real} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    async with private_redis(tmp_path / "data") as redis:
        (await link_to(redis.url)).abort("it answers")


async def test_a_program_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "_OPTIONS", ("--port", "nonsense"))
    with pytest.raises(PrivateRedisFailed, match="ended with 1"):
        async with private_redis(tmp_path):
            raise AssertionError("it cannot run")


async def test_a_program_that_does_not_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\necho $$ >pid\nexec /bin/sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(private, "START_TIMEOUT", 0.5)
    with pytest.raises(PrivateRedisFailed, match="did not answer within"):
        async with private_redis(tmp_path / "data"):
            raise AssertionError("it does not answer")
    assert not is_running(int((tmp_path / "pid").read_text("utf-8")))


async def test_one_that_does_not_end_when_it_is_asked_to_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(private, "STOP_TIMEOUT", 0.1)
    async with private_redis(tmp_path) as redis:
        pid = redis.pid
        os.kill(pid, signal.SIGSTOP)
    assert not is_running(pid)


@pytest.mark.parametrize(("part", "broken"), [("_program", "/bin/false"), ("_folder", Path("/dev/null/none"))])
async def test_it_is_tried_again_until_it_can_be_started(
    part: str,
    broken: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[MutableMapping[str, Any]],
) -> None:
    async with private_redis(tmp_path) as redis:
        pid = redis.pid
        monkeypatch.setattr(redis, part, broken)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(until, lambda: logged[1:], "a failure")
        monkeypatch.undo()
        again = RedisClient(unix_socket_path=str(tmp_path / "redis.sock"))
        await asyncio.to_thread(until, lambda: _process_of(again) not in (0, pid), "it was started again")
        again.close()
    assert {entry["event"] for entry in logged[1:]} == {"private_redis_failed"}
    logged.clear()


async def test_one_that_cannot_be_started_is_tried_more_and_more_seldom(
    tmp_path: Path, logged: list[MutableMapping[str, Any]]
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 4:
            raise asyncio.CancelledError

    redis = private.PrivateRedis(tmp_path, "/bin/false", sleep)
    with pytest.raises(PrivateRedisFailed):
        await redis.start()
    with pytest.raises(asyncio.CancelledError):
        await redis.keep()
    assert pauses == [0.1, 0.2, 0.4, 0.8]
    assert [entry["event"] for entry in logged] == ["private_redis_ended"] + ["private_redis_failed"] * 3
    logged.clear()


async def test_a_folder_that_is_too_deep_for_a_socket_is_told(tmp_path: Path) -> None:
    with pytest.raises(PrivateRedisFailed, match="107 at most"):
        async with private_redis(tmp_path / ("x" * 100)):
            raise AssertionError("too long")


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PrivateRedisFailed, match="cannot be used"):
        async with private_redis(tmp_path / "file" / "data"):
            raise AssertionError("a file is in the way")


def test_the_endpoint_of_its_url_is_its_socket(tmp_path: Path) -> None:
    redis = private.PrivateRedis(tmp_path / "ein ordner?", "redis-server")
    assert parse_url(redis.url).endpoints == (Endpoint(path=str(tmp_path / "ein ordner?" / "redis.sock")),)
