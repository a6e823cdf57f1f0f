from relay.cluster.redis.lease import EPOCH_LENGTH, Greeting, Lease


def answer(epoch: str = "aaaaaaaa", top: bytes = b"1-0", rest_of_rebuild: int = 0, nodes: int = 1) -> list[object]:
    return [epoch.encode(), top, rest_of_rebuild, nodes]


def test_a_node_says_hello_once_and_beats_from_then_on() -> None:
    lease = Lease("1:1")
    lease.begin("run")
    script, (node, epoch, before, shape) = lease.next_call()
    assert (script, before, shape) == ("hello", "", "1:1")
    assert len(epoch) == EPOCH_LENGTH
    assert lease.take(answer(), 5.0) == Greeting(b"1-0", is_new_epoch=False, is_rebuilt=False)
    assert lease.next_call() == ("beat", (node,))
    assert lease.renewed_at == 5.0
    assert not lease.must_assert


def test_a_node_that_lost_its_lease_takes_a_new_name_and_must_assert_all_that_it_holds() -> None:
    lease = Lease()
    lease.begin("run")
    _, (node, *_) = lease.next_call()
    lease.take(answer(), 5.0)
    lease.lose()
    script, (name, _, before, _) = lease.next_call()
    assert script == "hello"
    assert name != node
    assert before == "aaaaaaaa"
    assert lease.take(answer(), 6.0) == Greeting(b"1-0", is_new_epoch=False, is_rebuilt=False)
    assert lease.must_assert


def test_a_new_epoch_is_noticed_and_all_is_asserted() -> None:
    lease = Lease()
    lease.begin("run")
    lease.take(answer(), 5.0)
    assert lease.take(answer("bbbbbbbb", rest_of_rebuild=5_000), 6.0).is_new_epoch
    assert lease.must_assert
    assert lease.is_rebuilding


def test_the_end_of_a_rebuild_is_noticed_once() -> None:
    lease = Lease()
    lease.begin("run")
    lease.take(answer(rest_of_rebuild=2), 5.0)
    assert lease.take(answer(), 6.0).is_rebuilt
    assert not lease.take(answer(), 7.0).is_rebuilt
    assert not lease.is_rebuilding


def test_another_run_of_redis_may_have_less_than_was_written_so_all_is_asserted() -> None:
    lease = Lease()
    lease.begin("run")
    lease.take(answer(), 5.0)
    lease.begin("run")
    assert not lease.must_assert
    lease.begin("other run")
    assert lease.must_assert
    assert lease.next_call()[0] == "beat"
