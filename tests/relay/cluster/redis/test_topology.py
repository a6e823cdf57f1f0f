"""URLs and what they mean, and who the primaries are: asked of real Sentinels and a real Cluster."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hiredis import ReplyError
from hypothesis import given
from hypothesis import strategies as st

from relay.cluster.bus import Unavailable
from relay.cluster.redis.link import Access, Endpoint, Link
from relay.cluster.redis.topology import (
    BadAnswer,
    BadUrl,
    NotFound,
    Primary,
    RedisUrl,
    Topology,
    means_elsewhere,
    parse_url,
    read_master,
    read_shards,
)
from tests.helpers.processes import HOST, free_port
from tests.helpers.redis import Cluster, Guarded, RedisServer, primary_port, running_cluster, running_tls_redis, until

HOSTS = st.sampled_from(["redis.example", "127.0.0.1", "2001:db8::1", "a"])
ENDPOINTS = st.builds(Endpoint, HOSTS, st.integers(1, 65_535))
TEXTS = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=20)
CUT = Unavailable("cut", is_unknown=True)


# --- URLs


@pytest.mark.parametrize(
    ("url", "meaning"),
    [
        ("redis://cache", RedisUrl("standalone", (Endpoint("cache", 6379),))),
        ("redis://cache:7000/3", RedisUrl("standalone", (Endpoint("cache", 7000),), db=3)),
        ("redis://[::1]:7000", RedisUrl("standalone", (Endpoint("::1", 7000),))),
        ("redis://[::1]", RedisUrl("standalone", (Endpoint("::1", 6379),))),
        ("redis://:p%40ss@cache", RedisUrl("standalone", (Endpoint("cache", 6379),), password="p@ss")),
        ("rediss://me:word@cache", RedisUrl("standalone", (Endpoint("cache", 6379),), True, "me", "word")),
        ("rediss://cache?ca=/etc/ca.pem", RedisUrl("standalone", (Endpoint("cache", 6379),), True, ca="/etc/ca.pem")),
        ("unix:///run/redis.sock", RedisUrl("standalone", (Endpoint(path="/run/redis.sock"),))),
        (
            "unix://me:word@/run/r.sock?db=2",
            RedisUrl("standalone", (Endpoint(path="/run/r.sock"),), False, "me", "word", 2),
        ),
        ("sentinel://a,b:1/main", RedisUrl("sentinel", (Endpoint("a", 26379), Endpoint("b", 1)), name="main")),
        ("sentinels://a/main/4", RedisUrl("sentinel", (Endpoint("a", 26379),), True, db=4, name="main")),
        (
            "sentinel://me:word@a/main?sentinel_user=s&sentinel_password=t",
            RedisUrl("sentinel", (Endpoint("a", 26379),), False, "me", "word", 0, "main", "", "s", "t"),
        ),
        ("redis+cluster://a,b:1", RedisUrl("cluster", (Endpoint("a", 6379), Endpoint("b", 1)))),
        ("rediss+cluster://a?ca=x.pem", RedisUrl("cluster", (Endpoint("a", 6379),), True, ca="x.pem")),
    ],
)
def test_a_url_says_where_redis_is(url: str, meaning: RedisUrl) -> None:
    assert vars_of(parse_url(url)) == vars_of(meaning)


def vars_of(url: RedisUrl) -> dict[str, Any]:
    return {name: getattr(url, name) for name in url.__struct_fields__}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "begin with"),
        ("cache:6379", "begin with"),
        ("http://cache", "begin with"),
        ("redis://", "not a host"),
        ("redis://a b", "not a host"),
        ("redis://:6379", "not a host"),
        ("redis://a[b", "not a host"),
        ("redis://cache:", "not a port"),
        ("redis://cache:0", "not a port"),
        ("redis://cache:65536", "not a port"),
        ("redis://cache:x", "not a port"),
        ("redis://cache:٣", "not a port"),
        ("redis://a,b", "several hosts"),
        ("redis://cache/x", "number of a database"),
        ("redis://cache/-1", "number of a database"),
        ("redis://cache/99999999999", "number of a database"),
        ("redis://cache?ca=x", "unknown option 'ca'"),
        ("rediss://cache?cafile=x", "unknown option 'cafile'; here there are ca"),
        ("unix://run/redis.sock", "absolute path"),
        ("unix://", "absolute path"),
        ("unix:///", "absolute path"),
        ("unix:///r.sock?db=x", "number of a database"),
        ("sentinel://a,b", "call the primary"),
        ("sentinel://a,,b/main", "not a host"),
        ("sentinel://a/main/x", "number of a database"),
        ("redis+cluster://a/1", "no databases"),
        ("redis+cluster://a?sentinel_user=x", "unknown option"),
    ],
)
def test_a_url_that_means_nothing_is_refused_with_what_is_wrong(url: str, why: str) -> None:
    with pytest.raises(BadUrl, match=why):
        parse_url(url)


@given(
    st.sampled_from(["standalone", "sentinel", "cluster"]),
    st.lists(ENDPOINTS, min_size=1, max_size=3),
    st.booleans(),
    st.integers(0, 15),
    st.sampled_from(["me", "a/b", "a@b:c"]),
)
def test_a_shown_url_is_the_same_url_but_for_its_secrets(
    kind: Any, endpoints: list[Endpoint], is_tls: bool, db: int, user: str
) -> None:
    url = RedisUrl(
        kind,
        tuple(endpoints if kind != "standalone" else endpoints[:1]),
        is_tls,
        user,
        "***",
        0 if kind == "cluster" else db,
        "main" if kind == "sentinel" else "",
        "/ca.pem" if is_tls else "",
        "watch" if kind == "sentinel" else "",
        "***" if kind == "sentinel" else "",
    )
    assert vars_of(parse_url(str(url))) == vars_of(url)


@pytest.mark.parametrize(
    "url",
    ["redis://me:geheim@a", "unix://:geheim@/r.sock?db=2", "sentinel://:geheim@a/m?sentinel_password=geheim"],
)
def test_a_password_is_never_shown(url: str) -> None:
    parsed = parse_url(url)
    assert "geheim" not in f"{parsed} {parsed!r} {Topology(parsed).access!r}"
    assert "***" in str(parsed)


@given(TEXTS)
def test_nothing_but_a_bad_url_comes_of_nonsense(text: str) -> None:
    for scheme in ("", "redis://", "sentinel://", "unix://", "redis+cluster://"):
        try:
            parse_url(scheme + text)
        except BadUrl:
            continue


# --- answers


@pytest.mark.parametrize("code", ["MOVED 1 a:1", "ASK 1 a:1", "READONLY You", "LOADING", "CLUSTERDOWN", "TRYAGAIN"])
def test_errors_that_mean_another_redis_are_known(code: str) -> None:
    assert means_elsewhere(ReplyError(code))


@pytest.mark.parametrize("answer", [ReplyError("ERR no"), ReplyError("NOSCRIPT"), b"MOVED 1 a:1", None, CUT])
def test_other_answers_do_not_mean_another_redis(answer: Any) -> None:
    assert not means_elsewhere(answer)


@pytest.mark.parametrize("answer", [None, ReplyError("ERR no"), CUT, [], [b"host", b"x"], 1])
def test_a_sentinel_that_names_no_primary_is_a_bad_answer(answer: Any) -> None:
    with pytest.raises(BadAnswer):
        read_master(answer, "main")


def shard(slots: list[int], *nodes: dict[bytes, Any]) -> dict[bytes, Any]:
    return {b"slots": slots, b"nodes": list(nodes)}


def node(
    port: int, role: bytes = b"master", health: bytes = b"online", host: bytes | None = b"10.0.0.1"
) -> dict[bytes, Any]:
    return {b"role": role, b"health": health, b"endpoint": host, b"port": port, b"tls-port": port + 1}


ASKED = Endpoint("asked", 1)


def test_primaries_are_those_that_are_online_and_have_slots() -> None:
    shards = [
        shard([8_000, 16_383], node(3)),
        shard([0, 10, 20, 7_999], node(1, health=b"fail"), node(2), node(4, b"replica")),
        shard([], node(5)),
    ]
    assert read_shards(shards, ASKED, is_tls=False) == (
        Primary(Endpoint("10.0.0.1", 2), ((0, 10), (20, 7_999))),
        Primary(Endpoint("10.0.0.1", 3), ((8_000, 16_383),)),
    )


@pytest.mark.parametrize("host", [None, b"", b"?"])
def test_a_node_that_does_not_know_its_address_is_where_it_was_asked(host: bytes | None) -> None:
    (primary,) = read_shards([shard([0, 1], node(7, host=host))], ASKED, is_tls=True)
    assert primary.endpoint == Endpoint("asked", 8)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        1,
        [1],
        [{}],
        [{b"slots": [1], b"nodes": []}],
        [],
        [shard([0, 1], node(1, health=b"fail"))],
        ReplyError("ERR no"),
    ],
)
def test_what_names_no_primary_of_a_cluster_is_a_bad_answer(answer: Any) -> None:
    with pytest.raises(BadAnswer):
        read_shards(answer, ASKED, is_tls=False)


# --- real servers


async def test_one_redis_is_its_own_primary_of_all_slots(redis: RedisServer) -> None:
    (primary,) = await Topology(parse_url(redis.unix_url)).find()
    assert primary.endpoint == Endpoint(path=str(redis.path))
    assert primary.has(0)
    assert primary.has(16_383)


async def test_a_url_with_tls_leads_to_a_link_with_tls(tmp_path: Path) -> None:
    with running_tls_redis(tmp_path) as (_redis, port, certificate):
        topology = Topology(parse_url(f"rediss://{HOST}:{port}?ca={certificate}"))
        (primary,) = await topology.find()
        link = Link(primary.endpoint, topology.access)
        assert (await link.connect()).role == "master"
        link.abort("the test is over")


def test_a_file_of_certificates_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        Topology(parse_url(f"rediss://a?ca={tmp_path}/none.pem"))


@pytest.mark.long
async def test_sentinels_lead_to_the_primary_and_after_a_fail_over_to_the_next(redis_sentinels: Guarded) -> None:
    guarded = redis_sentinels
    topology = Topology(parse_url(guarded.url))
    assert await topology.find() == (Primary(Endpoint(HOST, guarded.primary.port)),)
    guarded.sentinels[0].kill()
    guarded.primary.kill()
    sentinels = guarded.sentinels[1:]
    await asyncio.to_thread(until, lambda: primary_port(sentinels) == guarded.replica.port, "the fail-over")
    assert await topology.find() == (Primary(Endpoint(HOST, guarded.replica.port)),)


async def test_a_primary_that_sentinels_do_not_know_is_told_with_their_reasons(redis: RedisServer) -> None:
    nobody = free_port()
    topology = Topology(parse_url(f"sentinel://{HOST}:{nobody},{HOST}:{redis.port}/main"))
    with pytest.raises(NotFound, match=f"(?s){nobody}.*{redis.port}.*unknown command"):
        await topology.find()


async def test_a_cluster_says_who_has_which_slots(redis_cluster: Cluster) -> None:
    topology = Topology(parse_url(redis_cluster.url))
    primaries = await topology.find()
    for slot in (0, 5_000, 10_000, 16_383):
        (owner,) = [primary.endpoint.port for primary in primaries if primary.has(slot)]
        assert owner == redis_cluster.owner(slot).port


async def test_a_moved_slot_is_found_where_it_is_and_asked_for_in_the_wrong_place_means_elsewhere(
    redis_cluster: Cluster,
) -> None:
    topology = Topology(parse_url(redis_cluster.url))
    slot = int(redis_cluster.primaries[0].ask("CLUSTER", "KEYSLOT", "{moving}"))
    source = redis_cluster.owner(slot)
    target = next(server for server in redis_cluster.primaries if server is not source)
    redis_cluster.move(slot, target)
    (owner,) = [primary.endpoint.port for primary in await topology.find() if primary.has(slot)]
    assert owner == target.port
    link = Link(Endpoint(HOST, source.port), Access())
    await link.connect()
    assert means_elsewhere(await link.ask("GET", "{moving}"))
    link.abort("the test is over")


async def test_a_cluster_is_asked_where_it_is_up(redis_cluster: Cluster) -> None:
    topology = Topology(parse_url(f"redis+cluster://{HOST}:{free_port()},{HOST}:{redis_cluster.primaries[1].port}"))
    assert len(await topology.find()) == 3
    # Those that it was told of are asked from now on, the dead one of the URL last.
    assert topology._guides[-1] == topology.url.endpoints[0]


@pytest.mark.long
async def test_the_replica_of_a_killed_primary_is_found(tmp_path: Path) -> None:
    with running_cluster(tmp_path, replicas=1) as cluster:
        topology = Topology(parse_url(cluster.url))
        (primary,) = [primary for primary in await topology.find() if primary.has(0)]
        assert primary.endpoint.port == cluster.primaries[0].port
        cluster.primaries[0].kill()
        async with asyncio.timeout(20):
            while primary.endpoint.port != cluster.replicas[0].port:
                await asyncio.sleep(0.1)
                primary = next((primary for primary in await topology.find() if primary.has(0)), primary)
