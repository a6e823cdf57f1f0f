import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol import events
from relay.protocol.limits import Limits
from relay.wire.frames import text_frame
from tests.helpers.json_values import JSON, TEXTS

# Names of channels are checked before they come here (test_channels.py); those of users hold any id.
CHANNELS = st.from_regex(r"[-a-zA-Z0-9_=@,.;]{1,20}", fullmatch=True) | TEXTS.map("#server-to-user-{}".format)
CODES = st.none() | st.integers(0, 9_999)


def decoded(message: bytes) -> Any:
    """The message as the standard library reads it; a parser that is stricter must read it too."""
    assert "event" in orjson.loads(message)
    return json.loads(message)


@given(first=st.integers(0, 2**32 - 1), second=st.integers(0, 2**32 - 1), timeout=st.integers(1, 3_600))
def test_connection_established_holds_its_data_as_a_string(first: int, second: int, timeout: int) -> None:
    message = decoded(events.connection_established(f"{first}.{second}", timeout))
    assert set(message) == {"event", "data"}
    assert message["event"] == "pusher:connection_established"
    assert json.loads(message["data"]) == {"socket_id": f"{first}.{second}", "activity_timeout": timeout}


def test_ping_and_pong_hold_an_empty_object() -> None:
    assert decoded(events.PING) == {"event": "pusher:ping", "data": {}}
    assert decoded(events.PONG) == {"event": "pusher:pong", "data": {}}


@given(message=TEXTS, code=CODES, channel=st.none() | TEXTS)
def test_an_error_holds_an_object_and_its_channel_if_any(message: str, code: int | None, channel: str | None) -> None:
    expected: dict[str, object] = {"event": "pusher:error", "data": {"message": message, "code": code}}
    assert decoded(events.error(message, code, channel)) == (
        expected if channel is None else expected | {"channel": channel}
    )


@given(channel=TEXTS, kind=TEXTS, message=TEXTS, status=st.integers(100, 9_999))
def test_a_subscription_error_holds_an_object(channel: str, kind: str, message: str, status: int) -> None:
    assert decoded(events.subscription_error(channel, kind, message, status)) == {
        "event": "pusher:subscription_error",
        "channel": channel,
        "data": {"type": kind, "error": message, "status": status},
    }


@given(CHANNELS)
def test_the_confirmation_of_a_channel_without_members_holds_an_empty_object_as_a_string(channel: str) -> None:
    assert decoded(events.subscription_succeeded(channel)) == {
        "event": "pusher_internal:subscription_succeeded",
        "channel": channel,
        "data": "{}",
    }


@given(channel=CHANNELS, members=st.dictionaries(TEXTS, JSON, max_size=5))
def test_the_confirmation_of_a_presence_channel_lists_ids_infos_and_count(
    channel: str, members: dict[str, object]
) -> None:
    pieces = [events.member_fragments(user_id, json.dumps(info).encode()) for user_id, info in members.items()]
    ids, entries = [piece[0] for piece in pieces], [piece[1] for piece in pieces]
    message = decoded(events.presence_succeeded(channel, ids, entries, len(members)))
    assert set(message) == {"event", "channel", "data"}
    assert (message["event"], message["channel"]) == ("pusher_internal:subscription_succeeded", channel)
    assert json.loads(message["data"]) == {"presence": {"ids": list(members), "hash": members, "count": len(members)}}


@given(channel=CHANNELS, is_complete=st.booleans())
def test_a_client_that_can_resume_is_told_where_it_stands_in_the_confirmation(channel: str, is_complete: bool) -> None:
    told = {"position": "0a1b2c3d.17-0", "recovered": is_complete}
    recovery = events.recovery("0a1b2c3d.17-0", is_complete)
    assert json.loads(decoded(events.subscription_succeeded(channel, recovery))["data"]) == told
    presence = json.loads(decoded(events.presence_succeeded(channel, [], [], 0, recovery))["data"])
    assert presence == {"presence": {"ids": [], "hash": {}, "count": 0}} | told


@given(name=TEXTS, channel=CHANNELS, data=TEXTS)
def test_the_id_of_an_event_is_its_last_field_and_nothing_else_is_changed(name: str, channel: str, data: str) -> None:
    message = events.channel_event(orjson.dumps(name), channel, orjson.dumps(data))
    with_id = events.with_id(message, "0a1b2c3d.17-0")
    assert decoded(with_id) == decoded(message) | {"id": "0a1b2c3d.17-0"}
    assert with_id.startswith(message[:-1])


@given(channel=CHANNELS, user_id=TEXTS, info=JSON)
def test_member_added_holds_id_and_info_as_a_string(channel: str, user_id: str, info: object) -> None:
    message = decoded(events.member_added(channel, user_id, json.dumps(info, ensure_ascii=False).encode()))
    assert set(message) == {"event", "channel", "data"}
    assert (message["event"], message["channel"]) == ("pusher_internal:member_added", channel)
    assert json.loads(message["data"]) == {"user_id": user_id, "user_info": info}


@given(channel=CHANNELS, user_id=TEXTS)
def test_member_removed_holds_the_id_as_a_string(channel: str, user_id: str) -> None:
    message = decoded(events.member_removed(channel, user_id))
    assert set(message) == {"event", "channel", "data"}
    assert (message["event"], message["channel"]) == ("pusher_internal:member_removed", channel)
    assert json.loads(message["data"]) == {"user_id": user_id}


@given(name=TEXTS, channel=CHANNELS, data=TEXTS)
def test_an_event_of_the_application_holds_the_publishers_string(name: str, channel: str, data: str) -> None:
    message = events.channel_event(orjson.dumps(name), channel, orjson.dumps(data))
    assert decoded(message) == {"event": name, "channel": channel, "data": data}


@given(name=TEXTS, channel=CHANNELS, data=JSON, user_id=st.none() | TEXTS)
def test_a_client_event_holds_the_senders_json_and_the_user_on_a_presence_channel(
    name: str, channel: str, data: object, user_id: str | None
) -> None:
    expected = {"event": f"client-{name}", "channel": channel, "data": data}
    message = events.client_event(f"client-{name}", channel, json.dumps(data).encode(), user_id)
    assert decoded(message) == (expected if user_id is None else expected | {"user_id": user_id})


@given(JSON)
def test_json_within_a_string_is_the_same_json(value: object) -> None:
    text = json.dumps(value)
    assert json.loads(events.as_string(text.encode())) == text


@pytest.mark.parametrize("character", ['"', "\\", "\x00", "\n", "\u2028", "\U0001f600", "\x7f"])
def test_a_character_with_a_meaning_in_json_survives_both_encodings(character: str) -> None:
    message = decoded(events.member_added("presence-a", character, json.dumps({character: character}).encode()))
    assert json.loads(message["data"]) == {"user_id": character, "user_info": {character: character}}


def test_a_message_at_the_default_limits_is_small_beside_what_may_wait_for_a_client() -> None:
    limits = Limits()
    fragments = [events.member_fragments(str(at), b'"%b"' % (b"x" * 2_000)) for at in range(limits.presence_members)]
    ids, entries = [fragment[0] for fragment in fragments], [fragment[1] for fragment in fragments]
    message = events.presence_succeeded("presence-a", ids, entries, limits.presence_members)
    assert len(message) < 1_048_576


def test_a_count_is_a_number_in_a_string_of_json() -> None:
    message = json.loads(events.subscription_count("a", 12))
    assert (message["event"], message["channel"]) == ("pusher_internal:subscription_count", "a")
    assert json.loads(message["data"]) == {"subscription_count": 12}


def test_the_end_of_a_subscription_names_its_channel_and_holds_an_empty_object_as_a_string() -> None:
    ended = {"event": "pusher_internal:unsubscribed", "channel": "private-a", "data": "{}"}
    assert decoded(events.unsubscribed("private-a")) == ended


def test_a_cache_miss_holds_an_empty_object_as_a_string() -> None:
    assert json.loads(events.cache_miss("cache-a")) == {
        "event": "pusher:cache_miss",
        "channel": "cache-a",
        "data": "{}",
    }


# One message of every kind that a client is sent.
MESSAGES: dict[str, bytes] = {
    "PING": events.PING,
    "PONG": events.PONG,
    "connection_established": events.connection_established("1.2", 120),
    "error": events.error("text", None),
    "subscription_error": events.subscription_error("a", "AuthError", "text", 401),
    "unsubscribed": events.unsubscribed("private-a"),
    "subscription_succeeded": events.subscription_succeeded("a"),
    "with_id": events.with_id(events.channel_event(b'"x"', "a", b'""'), "0a1b2c3d.1-0"),
    "presence_succeeded": events.presence_succeeded("presence-a", [], [], 0),
    "member_added": events.member_added("presence-a", "7", b"{}"),
    "member_removed": events.member_removed("presence-a", "7"),
    "subscription_count": events.subscription_count("a", 1),
    "cache_miss": events.cache_miss("cache-a"),
    "signin_success": events.signin_success("{}"),
    "watchlist_events": events.watchlist_events(["7"], []),
    "channel_event": events.channel_event(b'"x"', "a", b'""'),
    "client_event": events.client_event("client-x", "private-a", b"null", None),
}
# What A4 gives an object for data, where all else has a string.
WITH_AN_OBJECT = {"PING", "PONG", "error", "subscription_error", "signin_success"}
# JSON to put into messages, and what looks at them.
NO_MESSAGES = {"as_string", "recovery", "member_fragments", "kind_of", "dumps"}


def test_every_kind_of_message_is_among_those_looked_at() -> None:
    builders = {name for name, value in vars(events).items() if callable(value) and name.islower()}
    builders |= {name for name, value in vars(events).items() if isinstance(value, bytes)}
    assert builders - NO_MESSAGES == set(MESSAGES)


@pytest.mark.parametrize("kind", MESSAGES)
def test_no_message_leaves_out_what_strict_clients_look_for(kind: str) -> None:
    message = decoded(MESSAGES[kind])
    assert isinstance(message["event"], str)
    if kind == "client_event":  # holds what its sender sent
        assert "data" in message
    elif kind in WITH_AN_OBJECT:
        assert isinstance(message["data"], dict)
    else:
        assert isinstance(message["data"], str)


def test_a_sign_in_is_confirmed_with_the_clients_own_string_in_an_object() -> None:
    message = json.loads(events.signin_success('{"id": "7"}'))
    assert message == {"event": "pusher:signin_success", "data": {"user_data": '{"id": "7"}'}}


@pytest.mark.parametrize(
    ("online", "offline", "groups"),
    [
        (["1"], ["2", "й"], [("online", ["1"]), ("offline", ["2", "й"])]),
        (["1"], [], [("online", ["1"])]),
        ([], ["1"], [("offline", ["1"])]),
    ],
)
def test_a_watchlist_names_the_groups_that_have_somebody(
    online: list[str], offline: list[str], groups: list[tuple[str, list[str]]]
) -> None:
    message = json.loads(events.watchlist_events(online, offline))
    assert message["event"] == "pusher_internal:watchlist_events"
    assert json.loads(message["data"]) == {"events": [{"name": name, "user_ids": ids} for name, ids in groups]}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (events.channel_event(b'"order.shipped"', "a", b'"1"'), "event"),
        (events.channel_event(b'"clients"', "a", b'"1"'), "event"),
        (events.channel_event(b'"x"', "a", b'"' + b"1" * 300 + b'"'), "event"),
        (events.channel_event(b'"x"', "a", b'"' + b"1" * 70_000 + b'"'), "event"),
        (events.client_event("client-x", "private-a", b"1", None), "client_event"),
        (events.client_event("client-x", "private-a", b"1" * 300, None), "client_event"),
        (events.member_removed("presence-a", "7"), "internal"),
        (events.subscription_count("a", 7), "internal"),
    ],
)
def test_the_kind_of_a_message_is_seen_in_its_frame(message: bytes, kind: str) -> None:
    assert events.kind_of(text_frame(message)) == kind
