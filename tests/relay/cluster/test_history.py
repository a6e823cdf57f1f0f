import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cluster.bus import History
from relay.cluster.history import CHANNEL_BYTES, EVENT_BYTES, POSITION_TTL, SWEPT, Histories
from relay.cluster.memory import Recovered
from relay.protocol.events import with_id
from relay.wire.frames import text_frame

EPOCH = "0a1b2c3d"
START = f"{EPOCH}.0-0"
THREE = History(3, 10)
MANY = 100_000_000
MESSAGE = b'{"event":"e","channel":"a","data":"1"}'


class Happening(NamedTuple):
    id: str
    frame: bytes
    at: float


class Log:
    """Histories, and beside them everything that was ever published."""

    def __init__(self, max_bytes: int = MANY, history: History = THREE) -> None:
        self.histories = Histories(EPOCH, max_bytes)
        self.history = history
        self.now = 100.0
        self.published: dict[str, list[Happening]] = {}

    def publish(self, channel: str = "a", data: str = "") -> str:
        message = b'{"event":"e","channel":"%b","data":"%b"}' % (channel.encode(), data.encode())
        event_id, frame, _ = self.histories.add(channel, message, self.history, round(self.now * 1_000), self.now)
        self.published.setdefault(channel, []).append(Happening(event_id, frame, self.now))
        return event_id

    def since(self, position: str, channel: str = "a") -> Recovered:
        return self.histories.since(channel, position, self.now)

    def after(self, position: str, channel: str = "a") -> tuple[bytes, ...]:
        """The frames of all that came after a position, remembered or not."""
        events = self.published.get(channel, [])
        return tuple(event.frame for event in events if _place(event.id) > _place(position))

    def expected(self, position: str, channel: str) -> Recovered:
        """What a naive reading of the rules says, while no channel had to be forgotten."""
        events = self.published.get(channel, [])
        remembered: list[Happening] = []
        for event in events:
            if remembered and remembered[-1].at + self.history.ttl <= event.at:
                remembered = []
            remembered = [*remembered, event][-self.history.size :]
        if remembered and remembered[-1].at + self.history.ttl <= self.now:
            remembered = []
        # Nothing of what came after these is forgotten.
        known = [START, *(event.id for event in events)][len(events) - len(remembered) :]
        top = events[-1].id if events else START
        if position in known:
            return Recovered(top, is_complete=True, frames=self.after(position, channel))
        return Recovered(top, is_complete=False)


def _place(event_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = event_id.removeprefix(f"{EPOCH}.").partition("-")
    return int(milliseconds), int(sequence)


PUBLISH, WAIT, ASK = "publish", "wait", "ask"
CHANNELS = st.sampled_from("ab")
STEPS = st.lists(
    st.tuples(st.just(PUBLISH), CHANNELS, st.just(0.0))
    | st.tuples(st.just(WAIT), st.just(""), st.sampled_from([0.0004, 1.0, 4.0, 9.0, 10.0]))
    | st.tuples(st.just(ASK), CHANNELS, st.just(0.0)),
    max_size=40,
)


class TestAgainstANaiveModel:
    @given(steps=STEPS, size=st.integers(1, 4))
    def test_every_position_is_answered_as_the_rules_say(self, steps: list[tuple[str, str, float]], size: int) -> None:
        log = Log(history=History(size, 10))
        for step, channel, seconds in steps:
            log.now += seconds
            if step == PUBLISH:
                log.publish(channel)
            elif step == WAIT:
                log.histories.tick(log.now)
            else:
                for position in (START, *(event.id for event in log.published.get(channel, []))):
                    assert log.since(position, channel) == log.expected(position, channel)

    @given(steps=STEPS, room=st.integers(0, 5))
    def test_who_is_said_to_have_recovered_has_missed_nothing_whatever_was_forgotten(
        self, steps: list[tuple[str, str, float]], room: int
    ) -> None:
        log = Log(max_bytes=room * (CHANNEL_BYTES + EVENT_BYTES))
        # What clients were told: positions of a channel, and ids of its events.
        known: dict[str, set[str]] = {"a": {START}, "b": {START}}
        for step, channel, seconds in steps:
            # A wait is so long that positions are forgotten as well.
            log.now += seconds * POSITION_TTL / 10 if seconds >= 9 else seconds
            if step == PUBLISH:
                known[channel].add(log.publish(channel))
            elif step == WAIT:
                log.histories.tick(log.now)
            else:
                known[channel].add(log.since("", channel).position)
            assert log.histories.weight <= max(room * (CHANNEL_BYTES + EVENT_BYTES), CHANNEL_BYTES)
            for name, positions in known.items():
                for position in positions:
                    found = log.since(position, name)
                    assert found.frames == (log.after(position, name) if found.is_complete else ())


class TestIds:
    def test_an_id_is_the_epoch_and_milliseconds_and_a_sequence_within_them(self) -> None:
        log = Log()
        assert [log.publish(), log.publish(), log.publish("b")] == [
            f"{EPOCH}.100000-0",
            f"{EPOCH}.100000-1",
            f"{EPOCH}.100000-2",
        ]
        log.now += 1
        assert log.publish() == f"{EPOCH}.101000-0"

    def test_a_clock_that_is_set_back_does_not_take_ids_back(self) -> None:
        histories = Histories(EPOCH, MANY)
        ids = [histories.add("a", MESSAGE, History(9, 9), at, 0.0)[0] for at in (2_000, 1_000, 1_001, 2_001)]
        assert ids == [f"{EPOCH}.{rest}" for rest in ("2000-0", "2000-1", "2000-2", "2001-0")]

    def test_the_frame_carries_the_id_behind_everything_else(self) -> None:
        event_id, frame, _ = Histories(EPOCH, MANY).add("a", MESSAGE, History(9, 9), 7, 0.0)
        assert frame == text_frame(with_id(MESSAGE, event_id))
        assert frame.endswith(b'"data":"1","id":"%b.7-0"}' % EPOCH.encode())


class TestPositions:
    def test_who_has_none_is_told_where_the_channel_stands_and_gets_no_events(self) -> None:
        log = Log()
        assert log.since("") == Recovered(START, is_complete=True)
        event_id = log.publish()
        assert log.since("") == Recovered(event_id, is_complete=True)

    @pytest.mark.parametrize(
        "position",
        ["x", "0a1b2c3d", "0a1b2c3d.", "0a1b2c3d.1", "0a1b2c3d.1-", "zzzzzzzz.0-0", f"{START} ", "0a1b2c3d.1-١", "-"],
    )
    def test_a_position_of_another_start_or_none_at_all_is_not_recovered(self, position: str) -> None:
        log = Log()
        assert not log.since(position).is_complete
        event_id = log.publish()
        assert log.since(position) == Recovered(event_id, is_complete=False)

    def test_a_client_of_a_quiet_channel_misses_nothing_but_the_event_that_ended_the_quiet(self) -> None:
        log = Log()
        known = log.publish()
        log.now += 11
        assert log.since(known) == Recovered(known, is_complete=True)
        assert not log.since(START).is_complete
        log.publish()
        assert log.since(known).frames == log.after(known)
        assert not log.since(START).is_complete

    def test_a_smaller_size_counts_from_the_next_event_on(self) -> None:
        log = Log()
        ids = [log.publish() for _ in range(3)]
        log.history = History(1, 10)
        ids.append(log.publish())
        assert [log.since(position).is_complete for position in ids] == [False, False, True, True]


class TestBounds:
    def test_the_channel_that_was_quiet_for_longest_is_forgotten_first(self) -> None:
        log = Log(max_bytes=2 * (CHANNEL_BYTES + 2 * EVENT_BYTES))
        log.publish("a")
        log.publish("b")
        log.publish("a")
        before_c = log.since("", "c").position
        log.publish("c")
        assert not log.since(START, "b").is_complete
        assert log.since(START, "a").frames == log.after(START, "a")
        assert before_c == START
        assert log.since(START, "c").is_complete

    def test_what_comes_after_a_channel_was_forgotten_is_recovered_again(self) -> None:
        log = Log(max_bytes=CHANNEL_BYTES + 2 * EVENT_BYTES)
        log.publish("a")
        log.publish("b")
        position = log.since("", "a").position
        assert position != START
        log.publish("a")
        assert log.since(position, "a").frames == log.after(position, "a")
        assert not log.since(START, "a").is_complete

    def test_one_channel_alone_gives_up_its_oldest_events(self) -> None:
        log = Log(max_bytes=CHANNEL_BYTES + 2 * EVENT_BYTES + 200)
        ids = [log.publish() for _ in range(3)]
        assert [log.since(position).is_complete for position in (START, *ids)] == [False, True, True, True]

    def test_an_event_that_is_larger_than_the_bound_is_sent_and_not_remembered(self) -> None:
        log = Log(max_bytes=CHANNEL_BYTES + EVENT_BYTES)
        event_id = log.publish(data="x" * 1_000)
        assert log.since(event_id).is_complete
        assert not log.since(START).is_complete

    def test_a_lower_bound_counts_at_once_and_says_whether_something_had_to_go(self) -> None:
        log = Log()
        log.publish("a")
        log.publish("b")
        assert not log.histories.bound(MANY)
        assert log.histories.bound(CHANNEL_BYTES + EVENT_BYTES + 100)
        assert len(log.histories) == 1

    def test_a_tick_forgets_what_is_over_and_later_the_channel(self) -> None:
        log = Log()
        for channel in range(SWEPT + 1):
            log.publish(str(channel))
        log.now += 10
        for _ in range(3):
            log.histories.tick(log.now)
        assert log.histories.weight == CHANNEL_BYTES * (SWEPT + 1)
        log.now += POSITION_TTL
        for _ in range(3):
            log.histories.tick(log.now)
        assert len(log.histories) == log.histories.weight == 0
        assert not log.since(START, "0").is_complete

    def test_the_bytes_that_are_counted_are_those_that_are_taken(self) -> None:
        tracemalloc.start()
        try:
            log = Log(history=History(10, 1_000))
            log.histories.add("warm", MESSAGE, log.history, 1, 1.0)
            before = tracemalloc.get_traced_memory()[0]
            for number in range(2_000):
                log.histories.add(f"private-chat-{number % 400}", MESSAGE, log.history, number, 1.0)
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert taken <= log.histories.weight
