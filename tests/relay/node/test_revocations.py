from relay.node.revocations import Revocations


def test_a_loss_covers_the_connections_that_were_there_and_no_later_ones() -> None:
    revocations = Revocations()
    assert revocations.up_to == 0
    revocations.add("7", "private-a", newest=5, oldest=1)
    assert revocations.up_to == 5
    assert [revocations.covers("7", "private-a", number) for number in (1, 5, 6)] == [True, True, False]


def test_a_loss_is_of_one_user_and_one_channel() -> None:
    revocations = Revocations()
    revocations.add("7", "private-a", newest=5, oldest=1)
    assert not revocations.covers("8", "private-a", 1)
    assert not revocations.covers("7", "private-b", 1)


def test_the_loss_of_all_channels_is_of_one_user() -> None:
    revocations = Revocations()
    revocations.add("7", None, newest=5, oldest=1)
    assert revocations.covers("7", "private-a", 5)
    assert not revocations.covers("7", "private-a", 6)
    assert not revocations.covers("8", "private-a", 5)


def test_a_second_loss_covers_what_came_between() -> None:
    revocations = Revocations()
    for newest in (5, 9):
        revocations.add("7", "private-a", newest, oldest=1)
    assert len(revocations) == 1
    assert [revocations.covers("7", "private-a", number) for number in (9, 10)] == [True, False]


def test_a_loss_is_forgotten_when_nobody_is_left_whom_it_concerns() -> None:
    revocations = Revocations()
    for number in range(1, 100):
        # All but the newest connection are gone.
        revocations.add("7", f"private-{number}", newest=number, oldest=number)
        assert len(revocations) == 1


def test_a_loss_stays_while_one_connection_is_there_whom_it_concerns() -> None:
    revocations = Revocations()
    revocations.add("7", "private-a", newest=5, oldest=1)
    revocations.add("7", "private-b", newest=9, oldest=5)
    assert revocations.covers("7", "private-a", 5)
    revocations.add("7", "private-c", newest=9, oldest=6)
    assert not revocations.covers("7", "private-a", 5), "connection 5 is gone"


def test_a_full_memory_errs_to_the_safe_side() -> None:
    revocations = Revocations(most=2)
    for number, channel in enumerate(("private-a", "private-b", "private-c"), 1):
        revocations.add("7", channel, newest=number * 10, oldest=1)
    assert len(revocations) == 2
    # What is forgotten is lost to those who were there, and so is everything else that is in a user's name.
    assert revocations.covers("7", "private-a", 10)
    assert revocations.covers("8", "private-z", 10)
    assert not revocations.covers("8", "private-z", 11)
    assert [revocations.covers("7", "private-c", number) for number in (30, 31)] == [True, False]
