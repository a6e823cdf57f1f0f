from pushdesk.restarts import LONG, LONGEST_PAUSE, SHORTEST_PAUSE, Restarts


def test_pauses_double_up_to_the_longest_while_it_ends_soon() -> None:
    restarts, now = Restarts(), 100.0
    pauses = []
    for _ in range(8):
        restarts.started(now)
        pauses.append(restarts.pause(now + 0.5))
    assert pauses[:3] == [SHORTEST_PAUSE, 2 * SHORTEST_PAUSE, 4 * SHORTEST_PAUSE]
    assert pauses[-2:] == [LONGEST_PAUSE, LONGEST_PAUSE]


def test_what_ran_for_long_is_started_again_soon() -> None:
    restarts = Restarts()
    for _ in range(5):
        restarts.started(0.0)
        restarts.pause(0.0)
    assert restarts.pause(LONG) == SHORTEST_PAUSE
