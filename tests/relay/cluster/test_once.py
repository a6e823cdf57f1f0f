from relay.cluster.once import ONCE_TTL, OnceKeys


def test_a_key_is_known_for_its_channel_for_two_minutes() -> None:
    keys = OnceKeys()
    keys.keep("k", "a", "id-1", 10.0)
    assert keys.find("k", "a", 10.0) == "id-1"
    assert keys.find("k", "a", 10.0 + ONCE_TTL - 0.1) == "id-1"
    assert keys.find("k", "a", 10.0 + ONCE_TTL) is None
    assert keys.find("k", "b", 10.0) is None
    assert keys.find("l", "a", 10.0) is None


def test_a_key_whose_time_is_over_can_be_kept_anew() -> None:
    keys = OnceKeys()
    keys.keep("k", "a", "id-1", 0.0)
    keys.keep("k", "a", "id-2", ONCE_TTL)
    assert keys.find("k", "a", ONCE_TTL + 1) == "id-2"
    assert len(keys) == 1


def test_what_is_over_takes_no_memory() -> None:
    keys = OnceKeys()
    for number in range(10):
        keys.keep(str(number), "a", "", float(number))
    keys.tick(ONCE_TTL + 4)
    assert len(keys) == 5


def test_the_oldest_key_is_forgotten_when_there_are_too_many() -> None:
    keys = OnceKeys(2)
    for key in ("k", "l", "m"):
        keys.keep(key, "a", key, 0.0)
    assert [keys.find(key, "a", 0.0) for key in ("k", "l", "m")] == [None, "l", "m"]
