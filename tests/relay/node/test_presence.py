import json
from typing import Any

from relay.node.presence import Presence
from relay.protocol.session import Member


def member(user_id: str, info: bytes = b"{}") -> Member:
    return Member(user_id, info)


def listed(presence: Presence) -> dict[str, Any]:
    message = json.loads(presence.confirmation("presence-a"))
    assert message["event"] == "pusher_internal:subscription_succeeded"
    assert message["channel"] == "presence-a"
    data = json.loads(message["data"])
    assert set(data) == {"presence"}
    return dict(data["presence"])


def test_nobody_is_present_at_first() -> None:
    presence = Presence()
    assert (len(presence), list(presence), "7" in presence) == (0, [], False)
    assert listed(presence) == {"ids": [], "hash": {}, "count": 0}


def test_a_user_with_several_connections_is_one_member() -> None:
    presence = Presence()
    assert [presence.join(member("7")), presence.join(member("7")), presence.join(member("8"))] == [True, False, True]
    assert (len(presence), list(presence), "7" in presence) == (2, ["7", "8"], True)


def test_a_user_is_present_until_the_last_connection_left() -> None:
    presence = Presence()
    for _ in range(3):
        presence.join(member("7"))
    assert [presence.leave("7"), presence.leave("7"), "7" in presence] == [False, False, True]
    assert (presence.leave("7"), "7" in presence, len(presence)) == (True, False, 0)


def test_the_info_of_the_first_connection_stands_until_the_user_has_left() -> None:
    presence = Presence()
    presence.join(member("7", b'{"tab":1}'))
    presence.join(member("7", b'{"tab":2}'))
    presence.leave("7")
    assert listed(presence)["hash"] == {"7": {"tab": 1}}
    presence.leave("7")
    presence.join(member("7", b'{"tab":3}'))
    assert listed(presence)["hash"] == {"7": {"tab": 3}}


def test_the_confirmation_lists_everybody_in_the_order_of_joining() -> None:
    presence = Presence()
    presence.join(member("b", b"null"))
    presence.join(member("a", b'{"n":"\\"\xd0\xb9"}'))
    assert listed(presence) == {"ids": ["b", "a"], "hash": {"b": None, "a": {"n": '"й'}}, "count": 2}
