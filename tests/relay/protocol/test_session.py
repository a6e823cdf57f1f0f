import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.apps import App
from relay.protocol.channels import rules_for
from relay.protocol.errors import CloseCode, MessageRefused, ProtocolError, Rejected, SubscriptionRefused
from relay.protocol.session import (
    NO_POSITION,
    POSITION_LENGTH,
    Effect,
    Forward,
    Join,
    Leave,
    Member,
    SendPong,
    Session,
    User,
    ensure_protocol,
)
from tests.helpers.clients import APP, app_with, member, message, signature, subscription
from tests.helpers.json_values import JSON, MESSAGES, TEXTS

SOCKET_ID = "12.34"
PRIVATE = ("private-a", "private-encrypted-a", "private-cache-a", "private-encrypted-cache-a")


def session(app: App = APP, **subscriptions: str | None) -> Session:
    """A session with subscriptions: session(private_a=None); the node would have put them in."""
    made = Session(app, SOCKET_ID)
    for name, user in subscriptions.items():
        made.join(name.replace("_", "-"), user)
    return made


def subscribe(target: Session, channel: str, signed_data: str | None = None, /, **changes: object) -> Effect | None:
    data = subscription(target._app, SOCKET_ID, channel, signed_data)  # type: ignore[arg-type] # an App here
    return target.receive(message("pusher:subscribe", data | changes), 0.0)


def refusal(target: Session, channel: str, signed_data: str | None = None, /, **changes: object) -> SubscriptionRefused:
    with pytest.raises(SubscriptionRefused) as refused:
        subscribe(target, channel, signed_data, **changes)
    assert refused.value.channel == channel
    return refused.value


def refused_message(target: Session, raw: bytes, now: float = 0.0) -> MessageRefused:
    with pytest.raises(MessageRefused) as refused:
        target.receive(raw, now)
    return refused.value


class TestProtocolVersion:
    @pytest.mark.parametrize("version", [None, "4", "5", "6", "7", "007"])
    def test_versions_four_to_seven_are_served_and_seven_is_the_default(self, version: str | None) -> None:
        ensure_protocol(version)
        assert version is None or 4 <= int(version) <= 7

    @pytest.mark.parametrize("version", ["0", "1", "3", "8", "99", "999999999"])
    def test_other_versions_are_rejected_with_4007(self, version: str) -> None:
        with pytest.raises(Rejected, match=f"Protocol version {version} is not supported: .* 4 to 7") as rejected:
            ensure_protocol(version)
        assert rejected.value.code == CloseCode.UNSUPPORTED_PROTOCOL

    @pytest.mark.parametrize(
        "version", ["", "x", "-7", "7.0", "+7", " 7", "\u0667", "\u00b2", "7\n", "7" * 10, "7" * 5_000]
    )
    def test_what_is_no_number_is_rejected_with_4006(self, version: str) -> None:
        with pytest.raises(Rejected, match="must be a number") as rejected:
            ensure_protocol(version)
        assert rejected.value.code == CloseCode.INVALID_VERSION


class TestLiveness:
    def test_a_ping_is_answered_and_a_pong_is_not(self) -> None:
        assert session().receive(message("pusher:ping"), 0.0) == SendPong()
        assert session().receive(message("pusher:pong"), 0.0) is None


class TestSubscribing:
    @pytest.mark.parametrize("channel", ["a", "cache-a"])
    def test_a_public_channel_takes_anybody(self, channel: str) -> None:
        assert subscribe(session(), channel) == Join(rules_for(channel), None)
        assert subscribe(session(), channel, auth="") == Join(rules_for(channel), None)
        assert subscribe(session(), channel, auth="nonsense") == Join(rules_for(channel), None)

    @pytest.mark.parametrize("channel", PRIVATE)
    def test_a_private_channel_takes_a_signed_subscription(self, channel: str) -> None:
        assert subscribe(session(), channel) == Join(rules_for(channel), None)

    @pytest.mark.parametrize("channel", PRIVATE)
    @pytest.mark.parametrize(
        ("channel_data", "user_id"),
        [
            ('{"user_id":"7","user_info":{"name":"Olga"}}', "7"),
            ('{"user_id": 7}', "7"),
            (member("x" * 128), "x" * 128),
            ('{"user_id":""}', None),
            (member("x" * 129), None),
            ('{"any":"thing"}', None),
            ("{", None),
            ("not JSON", None),
            ("", None),
        ],
    )
    def test_a_private_channel_takes_signed_channel_data_and_keeps_the_user_that_it_names(
        self, channel: str, channel_data: str, user_id: str | None
    ) -> None:
        assert subscribe(session(), channel, channel_data) == Join(rules_for(channel), None, user_id)

    @pytest.mark.parametrize("channel", PRIVATE)
    def test_a_private_channel_takes_a_signature_without_the_channel_data_and_believes_none_of_it(
        self, channel: str
    ) -> None:
        for channel_data in ("{", member("7")):
            assert subscribe(session(), channel, channel_data=channel_data) == Join(rules_for(channel), None)

    @pytest.mark.parametrize("channel", PRIVATE)
    @pytest.mark.parametrize("channel_data", [member("8"), member("7") + " ", "", None])
    def test_a_private_channel_refuses_other_channel_data_than_was_signed(
        self, channel: str, channel_data: str | None
    ) -> None:
        refused = refusal(session(), channel, member("7"), channel_data=channel_data)
        assert (refused.kind, refused.code) == ("AuthError", 401)
        wanted = f"12.34:{channel}" if channel_data is None else f"12.34:{channel}:{channel_data}"
        assert refused.message == f"Invalid signature: the text to sign is {wanted!r}"

    @pytest.mark.parametrize("channel", ["presence-a", "presence-cache-a"])
    def test_a_presence_channel_takes_a_signed_member(self, channel: str) -> None:
        joined = subscribe(session(), channel, '{"user_id": "7", "user_info": {"n" : [1]}}')
        assert joined == Join(rules_for(channel), Member("7", b'{"n" : [1]}'))

    @pytest.mark.parametrize(
        ("auth", "reason"),
        [
            ("", "auth must be the answer"),
            (None, "auth must be the answer"),
            ("key-3", "auth must be the answer"),
            ("key-3:", "auth must be the answer"),
            (":" + "0" * 64, "Invalid key in auth: this connection's app has the key 'key-3'"),
            ("other:" + signature("secret-3", "12.34:private-a"), "Invalid key in auth"),
            ("key-3:" + "0" * 64, "Invalid signature: the text to sign is '12.34:private-a'"),
            ("key-3:" + signature("secret-4", "12.34:private-a"), "Invalid signature"),
            ("key-3:" + signature("secret-3", "12.35:private-a"), "Invalid signature"),
            ("key-3:" + signature("secret-3", "12.34:private-b"), "Invalid signature"),
            ("key-3:" + signature("secret-3", "12.34:private-a").upper(), "Invalid signature"),
            ("key-3:" + signature("secret-3", "12.34:private-a") + ":", "Invalid signature"),
            ("key-3:\u20ac", "Invalid signature"),
        ],
    )
    def test_a_private_channel_refuses_any_other_auth_with_401(self, auth: str | None, reason: str) -> None:
        refused = refusal(session(), "private-a", auth=auth)
        assert (refused.kind, refused.code) == ("AuthError", 401)
        assert reason in refused.message
        assert APP.secret not in refused.message

    @pytest.mark.parametrize(
        "channel_data", [member(8), '{"user_id":7}', member(7, {}), member("7"), "", member(7) + " "]
    )
    def test_a_presence_channel_refuses_a_member_that_was_not_signed(self, channel_data: str) -> None:
        refused = refusal(session(), "presence-a", member(7), channel_data=channel_data)
        assert (refused.kind, refused.code) == ("AuthError", 401)

    def test_a_presence_channel_needs_channel_data_even_when_the_signature_covers_none(self) -> None:
        refused = refusal(session(), "presence-a")
        assert (refused.kind, refused.code) == ("AuthError", 401)
        assert "needs channel_data" in refused.message

    @pytest.mark.parametrize("channel", ["a", "private-a", "presence-a"])
    @pytest.mark.parametrize(
        ("since", "known"),
        [("", ""), ("x", "x"), ("x" * POSITION_LENGTH, "x" * POSITION_LENGTH), ("x" * 65, NO_POSITION)],
    )
    def test_what_a_client_that_can_resume_knows_is_handed_on(self, channel: str, since: str, known: str) -> None:
        signed = member("7") if channel.startswith("presence-") else None
        joined = subscribe(session(), channel, signed, since=since)
        assert isinstance(joined, Join)
        assert joined.since == known

    def test_a_signature_for_one_kind_of_channel_is_none_for_another(self) -> None:
        auth = subscription(APP, SOCKET_ID, "private-a")["auth"]
        assert refusal(session(), "presence-a", auth=auth).code == 401

    @pytest.mark.parametrize("channel", ["", "a b", "#a", 'a"b', "a\x00", "private-\n", "a" * 201, "й"])
    def test_a_name_that_nobody_may_use_is_refused_with_4009(self, channel: str) -> None:
        refused = refusal(session(), channel)
        assert (refused.kind, refused.code) == ("InvalidChannel", 4009)

    def test_a_second_subscription_to_a_channel_is_refused_and_the_first_stays(self) -> None:
        busy = session(private_a=None)
        refused = refused_message(busy, message("pusher:subscribe", subscription(APP, SOCKET_ID, "private-a")))
        assert (str(refused), refused.code) == ("Existing subscription to channel private-a", None)
        assert busy.subscriptions == {"private-a": None}

    def test_a_connection_may_have_so_many_subscriptions_and_no_more(self) -> None:
        busy = session(app_with(subscriptions=2), a=None)
        assert subscribe(busy, "b") == Join(rules_for("b"), None)
        busy.subscriptions["b"] = None
        refused = refusal(busy, "c")
        assert (refused.kind, refused.code) == ("LimitReached", 4100)

    def test_the_channel_of_a_user_is_for_nobody_who_is_not_signed_in(self) -> None:
        refused = refusal(session(), "#server-to-user-7", auth="")
        assert (refused.kind, refused.code) == ("AuthError", 401)

    def test_a_subscription_changes_nothing_until_the_node_has_done_it(self) -> None:
        fresh = session()
        subscribe(fresh, "a")
        assert fresh.subscriptions == {}


class TestWhatTheNodeSays:
    """A legal subscription waits, is confirmed, ends."""

    def test_while_a_subscription_waits_a_second_one_is_refused_and_it_may_be_taken_back(self) -> None:
        waiting = session()
        waiting.wait("a")
        waiting.wait("b")
        refused = refused_message(waiting, message("pusher:subscribe", {"channel": "a"}))
        assert str(refused) == "Existing subscription to channel a"
        assert waiting.receive(message("pusher:unsubscribe", {"channel": "a"}), 0.0) == Leave("a")
        assert waiting.leave("a") is None
        assert waiting.joining == {"b"}
        assert subscribe(waiting, "a") == Join(rules_for("a"), None)

    def test_a_subscription_that_waits_counts_among_those_that_a_connection_may_have(self) -> None:
        waiting = session(app_with(subscriptions=2), a=None)
        waiting.wait("b")
        assert refusal(waiting, "c").kind == "LimitReached"

    def test_while_it_waits_nothing_may_be_said_there(self) -> None:
        waiting = session()
        waiting.wait("private-a")
        refused = refused_message(waiting, message("client-x", 1, "private-a"))
        assert str(refused) == "No current subscription to channel private-a"

    def test_it_waits_no_more_once_it_is_confirmed(self) -> None:
        confirmed = session()
        confirmed.wait("private-a")
        confirmed.join("private-a", "7")
        assert (confirmed.joining, confirmed.subscriptions) == (set(), {"private-a": "7"})
        assert (confirmed.leave("private-a"), confirmed.subscriptions) == ("7", {})

    def test_sessions_that_wait_for_nothing_share_no_state(self) -> None:
        one, other = session(), session()
        one.wait("a")
        assert other.joining == set()
        one.join("a", None)
        other.wait("b")
        assert one.joining == set()

    @pytest.mark.parametrize(
        ("signed_in_as", "channel", "found"),
        [
            (None, None, ["private-b", "presence-c"]),
            (None, "private-b", ["private-b"]),
            (None, "private-a", []),
            ("7", None, ["private-a", "private-b", "presence-c"]),
            ("7", "public", []),
            ("8", None, ["private-b", "presence-c"]),
        ],
    )
    def test_subscriptions_are_in_the_name_of_whom_they_were_signed_for_or_who_is_signed_in(
        self, signed_in_as: str | None, channel: str | None, found: list[str]
    ) -> None:
        named = session()
        if signed_in_as is not None:
            named.user = User(signed_in_as, b"{}", ())
        for name, signed_for in (("public", None), ("private-a", None), ("private-b", "7"), ("presence-c", "7")):
            named.join(name, signed_for)
        assert named.subscribed_as("7", channel) == found


class TestMembers:
    @pytest.mark.parametrize(
        ("user_id", "expected"),
        [
            ("7", "7"),
            (7, "7"),
            (0, "0"),
            (-7, "-7"),
            (2**64, "18446744073709551616"),
            ("a b\x00\"\\'", "a b\x00\"\\'"),
            ("й" * 128, "й" * 128),
        ],
    )
    def test_a_user_id_is_text_whatever_it_was(self, user_id: object, expected: str) -> None:
        assert subscribe(session(), "presence-a", member(user_id)) == Join(
            rules_for("presence-a"), Member(expected, b"{}")
        )

    @pytest.mark.parametrize("info", [None, [], "x", 7, False, {"a": {"b": None}}])
    def test_user_info_is_any_json(self, info: object) -> None:
        channel_data = json.dumps({"user_id": "7", "user_info": info})
        joined = subscribe(session(), "presence-a", channel_data)
        assert isinstance(joined, Join)
        assert joined.member is not None
        assert json.loads(joined.member.user_info) == info

    def test_user_info_with_half_of_a_character_is_passed_on_byte_for_byte(self) -> None:
        channel_data = r'{"user_id":"7","user_info":{"name":"\uD83D", "\ude00":1}}'
        assert subscribe(session(), "presence-a", channel_data) == Join(
            rules_for("presence-a"), Member("7", rb'{"name":"\uD83D", "\ude00":1}')
        )
        assert subscribe(session(), "private-a", channel_data) == Join(rules_for("private-a"), None, "7")

    @pytest.mark.parametrize(
        ("channel_data", "reason"),
        [
            ("", "truncated"),
            ("null", "Expected `object`, got `null`"),
            ("[]", "Expected `object`, got `array`"),
            ("{}", "missing required field `user_id`"),
            ('{"user_id":null}', "got `null`"),
            ('{"user_id":true}', "got `bool`"),
            ('{"user_id":1.5}', "got `float`"),
            ('{"user_id":1e400}', "out of range"),
            ('{"user_id":{}}', "got `object`"),
            ('{"user_id":"\\ud800\\u0041"}', r"half of a character, \\ud800 .* in `user_id`"),
            ('{"user_id":"7","user_info":}', "malformed"),
            ('{"user_id":"7","user_info":{"a":"\\x"}}', "malformed"),
            ('{"user_id":"7"} {"user_id":"8"}', "malformed"),
            ('{"user_id":"7","user_info":' + "[" * 1_900, "recursion|truncated"),
            ('{"user_id":""}', "1 to 128 characters"),
            (member("x" * 129), "1 to 128 characters"),
            (member(10**128), "1 to 128 characters"),
        ],
    )
    def test_a_member_of_another_shape_is_refused_with_4009(self, channel_data: str, reason: str) -> None:
        refused = refusal(session(), "presence-a", channel_data)
        assert (refused.kind, refused.code) == ("InvalidMember", 4009)
        assert re.search(reason, refused.message)

    def test_an_id_with_thousands_of_digits_is_refused_even_where_the_limit_lets_it_in(self) -> None:
        wide = session(app_with(presence_member_bytes=100_000))
        refused = refusal(wide, "presence-a", '{"user_id":' + "9" * 50_000 + "}")
        assert (refused.kind, refused.code) == ("InvalidMember", 4009)

    def test_a_member_may_be_as_large_as_the_limit_and_no_larger(self) -> None:
        limited = session(app_with(presence_member_bytes=60))
        head = len(member("7", ""))
        assert isinstance(subscribe(limited, "presence-a", member("7", "x" * (60 - head))), Join)
        refused = refusal(limited, "presence-a", member("7", "x" * (61 - head)))
        assert (refused.kind, refused.code, refused.message) == (
            "LimitReached",
            4301,
            "The data of a member may hold 60 bytes",
        )

    def test_the_size_of_a_member_is_counted_in_bytes(self) -> None:
        limited = session(app_with(presence_member_bytes=60))
        channel_data = '{"user_id":"7","user_info":"' + "й" * 20 + '"}'
        assert len(channel_data) < 60
        assert refusal(limited, "presence-a", channel_data).code == 4301


class TestUnsubscribing:
    def test_a_subscribed_channel_is_left(self) -> None:
        assert session(private_a=None).receive(message("pusher:unsubscribe", {"channel": "private-a"}), 0.0) == Leave(
            "private-a"
        )

    def test_a_channel_that_is_not_subscribed_cannot_be_left(self) -> None:
        refused = refused_message(session(), message("pusher:unsubscribe", {"channel": "private-a"}))
        assert (refused.message, refused.code) == ("No current subscription to channel private-a", None)

    def test_a_long_name_is_repeated_only_in_part(self) -> None:
        assert len(refused_message(session(), message("pusher:unsubscribe", {"channel": "a" * 9_999})).message) < 300


def client_event(channel: str, data: object = None, name: str = "client-x") -> bytes:
    return message(name, data, channel)


class TestClientEvents:
    @pytest.mark.parametrize("channel", ["private-a", "private-cache-a"])
    @pytest.mark.parametrize("signed_for", [None, "7"])
    def test_an_event_on_a_private_channel_is_relayed_without_a_user(
        self, channel: str, signed_for: str | None
    ) -> None:
        target = session()
        target.subscriptions[channel] = signed_for
        assert target.receive(client_event(channel, {"a": 1}), 0.0) == Forward("client-x", channel, b'{"a": 1}', None)

    @pytest.mark.parametrize("channel", ["presence-a", "presence-cache-a"])
    def test_an_event_on_a_presence_channel_is_relayed_with_the_users_id(self, channel: str) -> None:
        target = session()
        target.subscriptions[channel] = "7"
        assert target.receive(client_event(channel, "text"), 0.0) == Forward("client-x", channel, b'"text"', "7")

    @pytest.mark.parametrize("channel", ["private-a", "", 'a"b', "a" * 300])
    def test_an_event_to_a_channel_that_is_not_subscribed_is_refused(self, channel: str) -> None:
        refused = refused_message(session(), client_event(channel))
        assert (refused.code, refused.channel) == (None, channel[:200])
        assert "No current subscription" in refused.message

    @pytest.mark.parametrize("channel", ["a", "cache-a", "private-encrypted-a", "private-encrypted-cache-a"])
    def test_an_event_to_a_kind_of_channel_without_client_events_is_refused_with_4301(self, channel: str) -> None:
        target = session()
        target.subscriptions[channel] = None
        refused = refused_message(target, client_event(channel))
        assert (refused.code, refused.channel) == (4301, channel)

    def test_an_event_is_refused_with_4301_where_the_app_has_them_switched_off(self) -> None:
        refused = refused_message(session(app_with(client_messages=False), private_a=None), client_event("private-a"))
        assert (refused.code, refused.message) == (4301, "Client events are switched off for this app")

    def test_a_name_may_be_as_long_as_the_limit_and_no_longer(self) -> None:
        target = session(private_a=None)
        assert isinstance(target.receive(client_event("private-a", name="client-" + "x" * 193), 0.0), Forward)
        refused = refused_message(target, client_event("private-a", name="client-" + "x" * 194))
        assert (refused.code, refused.channel) == (4301, "private-a")

    def test_data_may_be_as_large_as_the_limit_and_no_larger(self) -> None:
        target = session(private_a=None)
        assert isinstance(target.receive(client_event("private-a", "x" * 10_238), 0.0), Forward)
        refused = refused_message(target, client_event("private-a", "x" * 10_239))
        assert (refused.code, refused.message) == (4301, "The data of an event may hold 10240 bytes")

    def test_the_eleventh_event_in_a_second_is_refused_with_4301_and_a_later_one_is_not(self) -> None:
        target = session(private_a=None)
        for _ in range(10):
            target.receive(client_event("private-a"), 5.0)
        refused = refused_message(target, client_event("private-a"), 5.0)
        assert (refused.code, refused.channel) == (4301, "private-a")
        assert isinstance(target.receive(client_event("private-a"), 5.2), Forward)

    def test_refused_events_and_other_messages_cost_nothing_of_the_rate(self) -> None:
        target = session(app_with(client_events_per_second=1), private_a=None, a=None)
        for _ in range(5):
            refused_message(target, client_event("a"))
            target.receive(message("pusher:ping"), 0.0)
        assert isinstance(target.receive(client_event("private-a"), 0.0), Forward)

    def test_a_changed_rate_holds_at_once(self) -> None:
        target = session(app_with(client_events_per_second=1), private_a=None)
        target.receive(client_event("private-a"), 0.0)
        refused_message(target, client_event("private-a"), 0.0)
        target.adopt(app_with(client_events_per_second=2))
        for _ in range(2):
            assert isinstance(target.receive(client_event("private-a"), 0.0), Forward)

    @pytest.mark.parametrize("data", [rb'"\ud83d"', rb'{"a": "\uDE00\ud83D", "\ud83d": [1]}'])
    def test_data_with_half_of_a_character_is_passed_on_byte_for_byte(self, data: bytes) -> None:
        raw = b'{"event":"client-x","channel":"private-a","data":%b}' % data
        assert session(private_a=None).receive(raw, 0.0) == Forward("client-x", "private-a", data, None)

    @pytest.mark.parametrize(
        ("raw", "field"),
        [
            (rb'{"event":"client-\ud83d","channel":"private-a"}', "event"),
            (rb'{"event":"client-x","channel":"private-\ud83d"}', "channel"),
            (rb'{"event":"pusher:subscribe","data":{"channel":"private-\ud83d"}}', "channel"),
            (rb'{"event":"pusher:subscribe","data":{"channel":"private-a","channel_data":"\ud83d"}}', "channel_data"),
            (rb'{"event":"pusher:signin","data":{"auth":"","user_data":"\ud83d"}}', "user_data"),
        ],
    )
    def test_names_and_what_is_signed_hold_whole_characters_only(self, raw: bytes, field: str) -> None:
        refused = refused_message(session(private_a=None), raw)
        text = rf"Invalid message: half of a character, \ud83d without its other half, in `{field}`"
        assert (refused.message, refused.code) == (text, None)

    @given(name=TEXTS, data=JSON)
    def test_valid_data_passes_through_unchanged(self, name: str, data: object) -> None:
        target = session(app_with(event_data_bytes=1_000_000, event_name_length=1_000), private_a=None)
        effect = target.receive(client_event("private-a", {"v": data}, f"client-{name}"), 0.0)
        assert isinstance(effect, Forward)
        assert (effect.name, json.loads(effect.data)) == (f"client-{name}", {"v": data})


@given(st.lists(MESSAGES, max_size=5))
def test_whatever_a_client_says_there_is_an_effect_or_a_refusal(messages: list[bytes]) -> None:
    target = session(private_a=None, presence_a="7")
    for raw in messages:
        outcome: Effect | ProtocolError | None
        try:
            outcome = target.receive(raw, 0.0)
        except (MessageRefused, SubscriptionRefused) as refused:
            outcome = refused
        assert outcome is None or isinstance(outcome, Effect) or outcome.message


@given(channel=TEXTS, auth=TEXTS, channel_data=TEXTS)
def test_no_unsigned_text_opens_a_channel_that_needs_a_signature(channel: str, auth: str, channel_data: str) -> None:
    for name in (f"private-{channel}", f"presence-{channel}"):
        data = {"channel": name, "auth": auth, "channel_data": channel_data}
        with pytest.raises(SubscriptionRefused):
            session().receive(message("pusher:subscribe", data), 0.0)


class TestSubscriptionsThatWait:
    def test_a_channel_waits_until_the_connection_has_joined_it(self) -> None:
        waiting = session()
        waiting.wait("a")
        waiting.wait("private-b")
        assert waiting.joining == {"a", "private-b"}
        waiting.join("a", None)
        waiting.join("private-b", "7")
        assert waiting.joining == set()
        assert waiting.subscriptions == {"a": None, "private-b": "7"}

    def test_a_channel_that_is_left_waits_no_longer(self) -> None:
        waiting = session(b="7")
        waiting.wait("a")
        assert waiting.leave("a") is None
        assert waiting.joining == set()
        assert waiting.leave("b") == "7"
        assert waiting.subscriptions == {}

    def test_a_channel_that_need_not_wait_is_joined_at_once(self) -> None:
        joined = session()
        joined.join("a", None)
        assert (joined.subscriptions, joined.joining) == ({"a": None}, set())

    def test_sessions_that_wait_for_nothing_do_not_share_what_others_wait_for(self) -> None:
        session().wait("a")
        assert session().joining == set()

    def test_subscriptions_in_the_name_of_a_user_were_signed_for_them_or_as_them(self) -> None:
        theirs = session(a=None, private_b=None, private_c="7", presence_d="8")
        assert theirs.subscribed_as("7", None) == ["private-c"]
        theirs.user = User("7", b"{}", ())
        assert theirs.subscribed_as("7", None) == ["private-b", "private-c", "presence-d"]
        assert theirs.subscribed_as("7", "private-b") == ["private-b"]
        assert theirs.subscribed_as("9", None) == []
