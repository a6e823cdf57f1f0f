"""What the scripts of the roster decide, each edge once: in a real Redis, and in that of tests which move its time."""

import msgspec
import pytest
import redis as redis_py

from tests.helpers.fake_redis import FakeRedis
from tests.helpers.redis import RedisServer
from tests.relay.cluster.redis.partition import APP, PREFIX, Partition

ROOM = "presence-a"
TOPIC = f"t:{APP}:{ROOM}"


@pytest.fixture(params=["real", "fake"])
def partition(request: pytest.FixtureRequest) -> Partition:
    """A partition with three nodes."""
    partition = Partition(FakeRedis() if request.param == "fake" else request.getfixturevalue("redis"))
    partition.has_nodes("n1", "n2", "n3")
    return partition


def test_a_push_is_the_log_entry_with_its_id_in_front(redis: RedisServer) -> None:
    partition = Partition(redis)
    partition.has_nodes("n1")
    listener = partition.redis.pubsub()
    listener.subscribe(f"{PREFIX}{TOPIC}")
    listener.get_message(timeout=5)
    partition.enter("n1", ROOM, "ann", exclude="1.2")
    pushed = listener.get_message(timeout=5)["data"]
    listener.close()
    entry, fields = partition.redis.xrevrange(f"{PREFIX}log", count=1)[0]
    assert fields[b"t"] == f"{PREFIX}{TOPIC}".encode()
    assert pushed == entry + b"\0" + fields[b"m"]


class TestMembers:
    def test_the_first_connection_in_the_cluster_is_told_once(self, partition: Partition) -> None:
        assert partition.enter("n1", ROOM, "ann", info='{"a":1}', exclude="1.2") == b"OK"
        assert partition.enter("n2", ROOM, "ann", info='{"a":2}', exclude="3.4") == b"OK"
        assert partition.told() == [(TOPIC, "a", "1.2", ["ann", '{"a":1}'])]
        assert partition.hooks() == [{"name": "member_added", "channel": ROOM, "user_id": "ann"}]
        assert partition.members(ROOM) == {b"ann": b'{"a":1}'}

    def test_the_last_one_is_told_once(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.enter("n2", ROOM, "ann")
        partition.told()
        partition.leave("n1", ROOM, "ann")
        assert partition.told() == []
        partition.leave("n2", ROOM, "ann")
        assert partition.told() == [(TOPIC, "r", "", "ann")]
        assert partition.members(ROOM) == {}

    def test_what_is_repeated_changes_nothing(self, partition: Partition) -> None:
        for _ in range(3):
            partition.enter("n1", ROOM, "ann")
        assert len(partition.told()) == 1
        for _ in range(3):
            partition.leave("n1", ROOM, "ann")
        assert len(partition.told()) == 1
        partition.enter("n2", ROOM, "ann")
        partition.leave("n1", ROOM, "ann")
        assert partition.members(ROOM) == {b"ann": b"{}"}

    def test_a_full_channel_takes_nobody_but_who_is_in(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann", limit=1)
        assert partition.enter("n2", ROOM, "bob", limit=1) == b"FULL"
        assert partition.enter("n2", ROOM, "ann", limit=1) == b"OK"
        partition.leave("n2", ROOM, "bob")
        partition.leave("n1", ROOM, "ann")
        partition.leave("n2", ROOM, "ann")
        assert partition.enter("n2", ROOM, "bob", limit=1) == b"OK"
        assert [(kind, body) for _, kind, _, body in partition.told()] == [
            ("a", ["ann", "{}"]), ("r", "ann"), ("a", ["bob", "{}"])
        ]  # fmt: skip

    def test_a_snapshot_has_everybody_and_whoever_asks_again_gets_it_again(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann", info='{"a":1}')
        for _ in range(2):
            flat = partition.enter("n2", ROOM, "bob", snapshot=1)
            assert dict(zip(flat[::2], flat[1::2], strict=True)) == {b"ann": b'{"a":1}', b"bob": b"{}"}

    def test_nothing_is_kept_of_those_who_left(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "a\0b", hooked=0)
        partition.count("n1", ROOM, 2, hooked=0)
        partition.leave("n1", ROOM, "a\0b", hooked=0)
        partition.count("n1", ROOM, 0, hooked=0)
        assert partition.is_empty_but_for()


class TestGrace:
    def test_back_ends_hear_of_a_member_who_does_not_come_back(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "a\0b")
        partition.leave("n1", ROOM, "a\0b")
        partition.hooks()
        partition.age(2_000)
        partition.run("sweep", 100)
        assert partition.hooks() == []
        partition.age(1_500)
        assert partition.run("sweep", 100) == 0
        assert partition.hooks() == [{"name": "member_removed", "channel": ROOM, "user_id": "a\0b"}]

    def test_back_ends_hear_nothing_of_one_who_comes_back_on_another_node(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.count("n1", ROOM, 1)
        partition.hooks()
        partition.leave("n1", ROOM, "ann")
        partition.count("n1", ROOM, 0)
        partition.enter("n2", ROOM, "ann")
        partition.count("n2", ROOM, 1)
        partition.age(10_000)
        partition.run("sweep", 100)
        assert partition.hooks() == []
        assert [kind for _, kind, _, _ in partition.told()] == ["a", "r", "a"]

    def test_an_app_without_webhooks_has_nothing_written_for_it(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann", hooked=0)
        partition.count("n1", ROOM, 1, hooked=0, told=1)
        partition.leave("n1", ROOM, "ann", hooked=0)
        partition.count("n1", ROOM, 0, hooked=0, told=1)
        assert partition.hooks() == []
        assert not partition.redis.exists(f"{PREFIX}going")

    def test_nobody_is_said_to_be_gone_who_came_back_before_the_app_had_webhooks(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.count("n1", ROOM, 1)
        partition.leave("n1", ROOM, "ann")
        partition.count("n1", ROOM, 0)
        partition.enter("n1", ROOM, "ann", hooked=0)
        partition.count("n1", ROOM, 1, hooked=0)
        partition.hooks()
        partition.age(4_000)
        partition.run("sweep", 100)
        assert partition.hooks() == []

    def test_so_many_are_told_of_at_once(self, partition: Partition) -> None:
        for at in range(25):
            partition.count("n1", f"c{at}", 1)
            partition.count("n1", f"c{at}", 0)
        partition.hooks()
        partition.age(4_000)
        assert [partition.run("sweep", 10) for _ in range(3)] == [1, 1, 0]
        assert len(partition.hooks()) == 25


class TestHandover:
    def test_a_member_who_comes_back_in_time_causes_no_event(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.told()
        partition.hooks()
        partition.leave("n1", ROOM, "ann", handover=5_000)
        assert partition.members(ROOM) == {b"ann": b"{}"}
        partition.enter("n2", ROOM, "ann")
        partition.age(6_000)
        partition.run("sweep", 100)
        assert partition.told() == []
        assert partition.hooks() == []
        partition.leave("n2", ROOM, "ann")
        assert partition.told() == [(TOPIC, "r", "", "ann")]

    def test_one_who_does_not_is_removed_when_it_is_due(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "a\0b")
        partition.told()
        partition.leave("n1", ROOM, "a\0b", handover=5_000)
        partition.age(4_000)
        partition.run("sweep", 100)
        assert partition.told() == []
        partition.age(1_500)
        partition.run("sweep", 100)
        assert partition.told() == [(TOPIC, "r", "", "a\0b")]
        assert partition.members(ROOM) == {}

    def test_handed_over_twice_by_a_node_they_are_held_once(self, partition: Partition) -> None:
        for _ in range(2):
            partition.enter("n1", ROOM, "ann")
            partition.leave("n1", ROOM, "ann", handover=5_000)
        partition.age(6_000)
        partition.run("sweep", 100)
        assert [kind for _, kind, _, _ in partition.told()] == ["a", "r"]
        assert partition.is_empty_but_for("going")

    def test_an_outage_of_redis_does_not_end_it(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.leave("n1", ROOM, "ann", handover=5_000)
        partition.age(10_000, beats=False)
        partition.run("sweep", 100)
        assert partition.members(ROOM) == {b"ann": b"{}"}


class TestOccupied:
    def test_a_channel_is_occupied_by_the_first_and_vacated_by_the_last_in_the_cluster(
        self, partition: Partition
    ) -> None:
        partition.count("n1", "a", 2)
        partition.count("n2", "a", 3)
        assert partition.hooks() == [{"name": "channel_occupied", "channel": "a"}]
        assert partition.run("show", APP, "a") == [5, 0]
        partition.count("n1", "a", 0)
        partition.age(4_000)
        partition.run("sweep", 100)
        assert partition.hooks() == []
        partition.count("n2", "a", 0)
        partition.age(4_000)
        partition.run("sweep", 100)
        assert partition.hooks() == [{"name": "channel_vacated", "channel": "a"}]
        assert partition.run("show", APP, "a") is None

    def test_a_number_that_is_repeated_changes_nothing(self, partition: Partition) -> None:
        for _ in range(3):
            partition.count("n1", "a", 2)
        assert partition.run("show", APP, "a") == [2, 0]
        for _ in range(3):
            partition.count("n1", "a", 0)
        assert partition.is_empty_but_for("going")


class TestCounts:
    def counts(self, partition: Partition) -> list[int]:
        return [body for _, kind, _, body in partition.told() if kind == "n"]

    def test_a_small_channel_is_told_at_once_and_then_after_a_tenth_of_a_second(self, partition: Partition) -> None:
        assert partition.count("n1", "a", 1, told=1) == 0
        wait = partition.count("n2", "a", 1, told=1)
        assert 0 < wait <= 100
        assert self.counts(partition) == [1]
        partition.age(100)
        assert partition.count("n2", "a", 1, told=1, again=1) == 0
        assert partition.count("n1", "a", 1, told=1, again=1) == 0
        assert self.counts(partition) == [2]
        assert [event["subscription_count"] for event in partition.hooks() if "subscription_count" in event] == [1, 2]

    def test_a_large_one_is_told_every_five_seconds(self, partition: Partition) -> None:
        partition.count("n1", "a", 101, told=1)
        partition.age(4_000)
        assert 0 < partition.count("n2", "a", 1, told=1) <= 1_000
        partition.age(1_000)
        assert partition.count("n2", "a", 1, told=1, again=1) == 0
        assert self.counts(partition) == [101, 102]

    def test_whoever_is_new_is_told_though_they_are_as_many_as_before(self, partition: Partition) -> None:
        partition.count("n1", "a", 2, told=1)
        partition.age(100)
        partition.count("n1", "a", 2, told=1)
        assert self.counts(partition) == [2, 2]

    def test_coming_and_going_without_end_does_not_tell_more_often(self, partition: Partition) -> None:
        for _ in range(5):
            partition.count("n1", "a", 1, told=1)
            partition.count("n1", "a", 0, told=1)
        assert self.counts(partition) == [1]

    def test_a_clock_that_was_set_back_does_not_keep_a_count(self, partition: Partition) -> None:
        partition.count("n1", "a", 1, told=1)
        partition.age(-3_600_000)
        assert partition.count("n1", "a", 2, told=1) == 0

    def test_an_app_whose_subscribers_are_not_told_tells_nobody(self, partition: Partition) -> None:
        assert partition.count("n1", "a", 1) == 0
        assert self.counts(partition) == []


class TestUsers:
    def test_watchers_are_told_of_the_first_and_the_last_connection_in_the_cluster(self, partition: Partition) -> None:
        for node in ("n1", "n2"):
            for _ in range(2):
                partition.sign_in(node, "a:b", "1.2")
        assert partition.told() == [(f"u:{APP}:a:b", "o", "1.2", None)]
        partition.sign_out("n1", "a:b")
        assert partition.told() == []
        for _ in range(2):
            partition.sign_out("n2", "a:b")
        assert partition.told() == [(f"u:{APP}:a:b", "f", "", None)]
        assert partition.is_empty_but_for()


class TestDeadNodes:
    def dies(self, partition: Partition, node: str = "n1") -> None:
        """Its lease has been over for a second, and the others beat."""
        partition.redis.zadd(f"{PREFIX}nodes", {node: partition.redis.time()[0] * 1_000 - 1_000})

    def test_all_that_a_dead_node_had_is_taken_back_and_nobody_hears_of_those_who_are_elsewhere(
        self, partition: Partition
    ) -> None:
        for node, user in [("n1", "ann"), ("n1", "bob"), ("n2", "bob")]:
            partition.enter(node, ROOM, user)
            partition.sign_in(node, user)
        partition.count("n1", ROOM, 2)
        partition.count("n2", ROOM, 1)
        partition.count("n1", "b", 1)
        partition.run("load", "n1", APP, 3)
        partition.run("load", "n2", APP, 1)
        partition.told()
        partition.hooks()
        self.dies(partition)
        partition.reap()
        assert sorted(partition.told()) == [(TOPIC, "r", "", "ann"), (f"u:{APP}:ann", "f", "", None)]
        assert partition.run("show", APP, ROOM) == [1, 1]
        assert partition.run("show", APP, "b") is None
        assert partition.run("load", "n2", APP, 1) == [1]
        partition.age(4_000)
        partition.run("sweep", 100)
        gone = partition.hooks()
        assert sorted(event["name"] for event in gone) == ["channel_vacated", "member_removed"]
        assert partition.redis.keys(f"{PREFIX}*n1") == []

    def test_a_bounded_part_is_taken_back_at_once(self, partition: Partition) -> None:
        for at in range(60):
            partition.enter("n1", ROOM, f"user-{at}")
        for at in range(60):
            partition.count("n1", f"c{at}", 1)
        self.dies(partition)
        partition.told()
        partition.run("reap", 50, APP)
        assert len(partition.told()) + 60 - len(partition.redis.zrange(f"{PREFIX}occ:{APP}", 0, -1)) <= 50
        partition.reap(50)
        assert partition.members(ROOM) == {}
        assert partition.run("list", APP, "", "", 1_000, 1, 1) == []

    def test_a_node_whose_end_has_begun_is_not_known_any_more(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        self.dies(partition)
        assert partition.run("reap") == 1
        with pytest.raises(redis_py.ResponseError, match=r"^STALE"):
            partition.run("beat", "n1")
        with pytest.raises(redis_py.ResponseError, match=r"^STALE"):
            partition.enter("n1", ROOM, "bob")

    def test_nobody_is_taken_for_dead_while_nobody_could_beat(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.age(20_000, beats=False)
        assert partition.reap() == 0
        # The first beat gives all of them a lease's time to come back.
        partition.run("beat", "n2")
        assert partition.reap() == 0
        assert partition.members(ROOM) == {b"ann": b"{}"}
        partition.age(6_500)
        partition.run("beat", "n2")
        assert partition.reap() > 0
        assert partition.members(ROOM) == {}

    def test_who_is_left_is_told_the_new_count(self, partition: Partition) -> None:
        partition.count("n1", "a", 2, told=1)
        partition.count("n2", "a", 1, told=1)
        partition.told()
        self.dies(partition)
        partition.reap()
        partition.age(1_000)
        partition.run("sweep", 100)
        assert [(kind, body) for _, kind, _, body in partition.told()] == [("n", 1)]

    def test_a_node_that_is_not_known_changes_nothing(self, partition: Partition) -> None:
        calls: list[tuple[str, *tuple[str | int, ...]]] = [
            ("enter", "n9", APP, ROOM, "ann", "{}", 9, "", 1, 0),
            ("leave", "n9", APP, ROOM, "ann", 0, 1),
            ("count", "n9", APP, "a", 1, 1, 1, 0),
            ("sign_in", "n9", APP, "ann", ""),
            ("sign_out", "n9", APP, "ann"),
            ("assert", "n9"),
        ]
        for call in calls:
            with pytest.raises(redis_py.ResponseError, match=r"^STALE"):
                partition.run(*call)
        assert partition.told() == []
        assert partition.hooks() == []


class TestAssert:
    def held(self) -> list[bytes]:
        items = [
            ["e", APP, ROOM, "ann", '{"a":1}', True],
            ["e", APP, ROOM, "bob", "{}", True],
            ["c", APP, ROOM, 2, True, False],
            ["c", APP, "a", 3, True, True],
            ["u", APP, "ann"],
        ]
        return [msgspec.msgpack.encode(item) for item in items]

    def test_what_a_node_holds_is_there_again(self, partition: Partition) -> None:
        for _ in range(2):
            assert partition.run("assert", "n1", *self.held()) == b"OK"
        assert partition.members(ROOM) == {b"ann": b'{"a":1}', b"bob": b"{}"}
        assert partition.run("list", APP, "", "", 10, 1, 1) == [b"a", 3, 0, ROOM.encode(), 2, 2]
        assert [(kind, body) for _, kind, _, body in partition.told()] == [
            ("a", ["ann", '{"a":1}']), ("a", ["bob", "{}"]), ("n", 3), ("o", None)
        ]  # fmt: skip

    def test_of_what_is_told_anew_to_an_emptied_redis_nothing_is_an_event(self, partition: Partition) -> None:
        partition.redis.hset(f"{PREFIX}beat", "rebuild_until", partition.redis.time()[0] * 1_000 + 5_000)
        partition.run("assert", "n1", *self.held())
        partition.enter("n1", ROOM, "cid")
        partition.leave("n1", ROOM, "cid")
        assert partition.count("n2", "b", 1, told=1) > 1_000
        questions: list[tuple[str, list[str | int]]] = [
            ("list", [APP, "", "", 10, 1, 1]),
            ("show", [APP, "a"]),
            ("members", [APP, ROOM]),
        ]
        for name, arguments in questions:
            with pytest.raises(redis_py.ResponseError, match=r"^REBUILD"):
                partition.run(name, *arguments)
        partition.age(6_000)
        partition.run("sweep", 100)
        # The count that waited is told, and was an event of its own.
        assert [event["name"] for event in partition.hooks()] == ["subscription_count"]
        assert ("n", 3) in [(kind, body) for _, kind, _, body in partition.told()]


class TestQuestions:
    def test_channels_come_in_pages_in_the_order_of_their_names(self, partition: Partition) -> None:
        for name in ("a", "b1", "b2", "b3", "c"):
            partition.count("n1", name, len(name))
        partition.enter("n1", "b2", "ann")
        assert partition.run("list", APP, "b", "", 2, 1, 1) == [b"b1", 2, 0, b"b2", 2, 1]
        assert partition.run("list", APP, "b", "b2", 2, 0, 0) == [b"b3", 0, 0]
        assert partition.run("list", APP, "", "", 1_000, 0, 0)[::3] == [b"a", b"b1", b"b2", b"b3", b"c"]
        assert partition.run("list", "4", "", "", 1_000, 0, 0) == []

    def test_the_members_of_a_channel(self, partition: Partition) -> None:
        partition.enter("n1", ROOM, "ann")
        partition.enter("n2", ROOM, "bob")
        assert set(partition.run("members", APP, ROOM)) == {b"ann", b"bob"}
        assert partition.run("members", APP, "b") == []
