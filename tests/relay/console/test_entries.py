import json

import pytest

from relay.console import entries
from relay.console.entries import State, entry_of, summed
from relay.node.queries import OccupiedHere
from relay.watch.happenings import Published, RefusedRequest
from tests.helpers.clients import APP


class TestTexts:
    def test_long_texts_are_cut_and_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(entries, "TEXT_SHOWN", 9)
        shown = entries._shown(Published("a-long-channel", "event", "0123456789", 1))
        assert (shown["channel"], shown["data"], shown["cut"]) == ("a-long-ch", "012345678", ["channel", "data"])

    def test_an_event_of_the_default_limits_is_shown_whole(self) -> None:
        assert APP.limits.event_data_bytes <= entries.TEXT_SHOWN

    def test_what_is_no_text_is_replaced(self) -> None:
        line = entry_of(RefusedRequest("GET", "/a\udcff\n\n", 404, "no", "192.0.2.1"), 1.5)
        assert line.count(b"\n\n") == 1
        shown = json.loads(line.split(b"data: ")[1])
        assert (shown["path"], shown["at"]) == ("/a?\n\n", 1_500)


def state(*occupied: OccupiedHere, channels: int | None = None) -> State:
    count = len(occupied) if channels is None else channels
    return State(3, count, sum(channel.subscriptions for channel in occupied), False, occupied, 5, 7)


class TestStatesOfSeveralNodes:
    def test_one_node_has_its_own(self) -> None:
        here = state(OccupiedHere("a", 2, None))
        assert summed(here, [], 10) is here

    def test_figures_are_added_up_and_a_channel_is_one_on_all_of_them(self) -> None:
        here = state(OccupiedHere("a", 2, None), OccupiedHere("presence-b", 1, 2))
        there = state(OccupiedHere("presence-b", 3, 2), OccupiedHere("c", 3, None))
        occupied = [OccupiedHere("presence-b", 4, 2), OccupiedHere("c", 3, None), OccupiedHere("a", 2, None)]
        assert summed(here, [there], 10) == State(6, 3, 9, False, occupied, 10, 14)
        assert summed(here, [there], 1).occupied == occupied[:1]

    def test_where_a_node_does_not_list_all_nobody_can_say_how_many_there_are(self) -> None:
        found = summed(state(OccupiedHere("a", 2, None)), [state(OccupiedHere("a", 1, None), channels=4)], 10)
        assert (found.channels, found.is_partial) == (4, True)
