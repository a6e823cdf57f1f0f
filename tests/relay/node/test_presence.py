import json
from typing import Any

import pytest

from relay.node.presence import Presence


def presence_of(**infos: bytes) -> Presence:
    """Members, each with a connection here."""
    presence = Presence()
    for user_id, info in infos.items():
        presence.add(user_id, info)
        presence.join(user_id)
    return presence


def listed(presence: Presence) -> dict[str, Any]:
    message = json.loads(presence.confirmation("presence-a"))
    assert message["event"] == "pusher_internal:subscription_succeeded"
    assert message["channel"] == "presence-a"
    data = json.loads(message["data"])
    assert set(data) == {"presence"}
    return dict(data["presence"])


def test_nobody_is_present_at_first() -> None:
    presence = Presence()
    assert (len(presence), list(presence), "7" in presence, list(presence.here)) == (0, [], False, [])
    assert listed(presence) == {"ids": [], "hash": {}, "count": 0}


def test_a_user_with_several_connections_is_one_member_until_the_last_one_left() -> None:
    presence = presence_of(a=b"{}")
    presence.join("a")
    presence.join("a")
    assert (len(presence), list(presence.here)) == (1, ["a"])
    assert [presence.leave("a") for _ in range(3)] == [False, False, True]
    assert list(presence.here) == []
    with pytest.raises(KeyError):
        presence.leave("a")


def test_a_member_may_be_on_another_node() -> None:
    presence = presence_of(a=b"{}")
    presence.add("b", b"1")
    assert (dict(presence), list(presence.here)) == ({"a": b"{}", "b": b"1"}, ["a"])


def test_whoever_has_left_here_is_a_member_until_the_cluster_says_otherwise() -> None:
    presence = presence_of(a=b"7")
    assert presence.leave("a")
    assert "a" in presence
    assert (presence.remove("a"), presence.remove("a"), "a" in presence) == (b"7", None, False)


def test_the_info_that_the_cluster_took_stands_until_the_user_has_left() -> None:
    presence = presence_of(a=b'{"tab":1}')
    presence.add("a", b'{"tab":2}')
    assert listed(presence)["hash"] == {"a": {"tab": 1}}
    presence.remove("a")
    presence.add("a", b'{"tab":3}')
    assert listed(presence)["hash"] == {"a": {"tab": 3}}


def test_all_members_may_be_told_anew() -> None:
    presence = presence_of(a=b"1", b=b"2")
    presence.replace({"c": b"3", "a": b"1"})
    assert listed(presence) == {"ids": ["c", "a"], "hash": {"c": 3, "a": 1}, "count": 2}


def test_a_member_whom_another_list_describes_otherwise_is_listed_as_it_says() -> None:
    presence = presence_of(a=b"1", b=b"2")
    presence.replace({"a": b"1", "b": b"3", "c": b"4"})
    assert listed(presence) == {"ids": ["a", "b", "c"], "hash": {"a": 1, "b": 3, "c": 4}, "count": 3}
    assert dict(presence) == {"a": b"1", "b": b"3", "c": b"4"}


def test_the_confirmation_lists_everybody_in_the_order_of_joining() -> None:
    presence = presence_of(b=b"null", a=b'{"n":"\\"\xd0\xb9"}')
    assert listed(presence) == {"ids": ["b", "a"], "hash": {"b": None, "a": {"n": '"й'}}, "count": 2}
