import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol.channels import rules_for
from relay.protocol.errors import ProtocolError
from relay.protocol.limits import Limits
from relay.protocol.requests import (
    BadRequest,
    Publish,
    TooLarge,
    ensure_channel_name,
    ensure_data_fits,
    ensure_event_name,
    ensure_info_fits,
    parse_batch,
    parse_info,
    parse_publish,
    parse_unsubscribe,
)
from tests.helpers.json_values import CHANNEL_NAMES, JSON, MESSAGES, TEXTS

LIMITS = Limits()


def body(**fields: object) -> bytes:
    return json.dumps({"name": "event", "data": "{}"} | fields).encode()


def batch(*items: dict[str, object]) -> bytes:
    return json.dumps({"batch": [{"name": "event", "data": "{}", "channel": "a"} | item for item in items]}).encode()


class TestPublish:
    def test_a_single_channel_is_the_target(self) -> None:
        assert parse_publish(body(channel="a"), LIMITS) == Publish("event", "{}", (rules_for("a"),), None, frozenset())

    def test_many_channels_are_the_target_in_their_order(self) -> None:
        event = parse_publish(body(channels=["b", "private-a", "presence-c"]), LIMITS)
        assert [rules.name for rules in event.channels] == ["b", "private-a", "presence-c"]

    def test_a_channel_named_twice_gets_the_event_once(self) -> None:
        event = parse_publish(body(channels=["a", "b", "a"]), LIMITS)
        assert [rules.name for rules in event.channels] == ["a", "b"]

    def test_an_excluded_connection_and_info_are_kept(self) -> None:
        event = parse_publish(
            body(channel="presence-cache-a", socket_id="1.2", info="user_count,subscription_count,cache"), LIMITS
        )
        assert event.exclude == "1.2"
        assert event.info == {"user_count", "subscription_count", "cache"}

    @pytest.mark.parametrize("info", ["cache", "user_count,cache"])
    def test_info_that_the_channel_does_not_have_is_refused(self, info: str) -> None:
        with pytest.raises(BadRequest, match="cache is known for cache channels only, not for 'presence-a'"):
            parse_publish(body(channel="presence-a", info=info), LIMITS)

    def test_null_stands_for_an_absent_field(self) -> None:
        event = parse_publish(body(channel="a", channels=None, socket_id=None, info=None), LIMITS)
        assert (event.exclude, event.info) == (None, frozenset())

    def test_unknown_fields_are_ignored(self) -> None:
        assert parse_publish(body(channel="a", color="red"), LIMITS).name == "event"

    @pytest.mark.parametrize("key", [None, "x", "\N{SNOWMAN}" * 128, "a b\x00"])
    def test_the_key_that_makes_it_idempotent_is_kept(self, key: str | None) -> None:
        assert parse_publish(body(channel="a", idempotency_key=key), LIMITS).once == key
        assert parse_batch(batch({"idempotency_key": key}, {}), LIMITS)[0].once == key
        assert parse_batch(batch({"idempotency_key": key}, {}), LIMITS)[1].once is None

    def test_data_is_any_text_and_stays_as_it_is(self) -> None:
        assert parse_publish(body(channel="a", data="no { json"), LIMITS).data == "no { json"
        assert parse_publish(body(channel="a", data=""), LIMITS).data == ""

    @pytest.mark.parametrize("name", ["x", "App\\Events\\OrderShipped", ".dot", "client-x", "событие", 'a"b', "pusher"])
    def test_the_name_of_an_event_is_free(self, name: str) -> None:
        assert parse_publish(body(channel="a", name=name), LIMITS).name == name

    @pytest.mark.parametrize("name", ["a\nb", "a\x00", "\x7f", "\x1b[31m"])
    def test_the_name_of_an_event_holds_no_control_characters(self, name: str) -> None:
        with pytest.raises(BadRequest, match="control characters"):
            parse_publish(body(channel="a", name=name), LIMITS)

    @pytest.mark.parametrize(
        ("raw", "explanation"),
        [
            (b"", "Invalid body: Input data was truncated"),
            (b"\xff", "Invalid body: "),
            (b"null", "Expected `object`, got `null`"),
            (b"[]", "Expected `object`, got `array`"),
            (b"{}", "missing required field `name`"),
            (b'{"name":"x","channel":"a"}', "missing required field `data`"),
            (b'{"name":"x","data":{},"channel":"a"}', r"Expected `str`, got `object` - at `\$.data`"),
            (b'{"name":"x","data":"","channels":"a"}', r"at `\$.channels`"),
            (b'{"name":"x","data":"","channels":[1]}', r"at `\$.channels"),
            (b'{"name":"x\\ud800","data":"","channel":"a"}', r"half of a character, \\ud800 .* in `name`"),
            (b'{"name":"x","data":"","channel":"a\\ud800"}', r"half of a character, \\ud800 .* in `channel`"),
            (b'{"name":"x","data":"","channels":["a","\\ud800"]}', "half of a character, .* in `channels`"),
            (b'{"name":"x","data":"","channel":"a"', "truncated"),
            (b'{"name":"x","data":"","channel":"a"}}', "malformed"),
            (b'{"name":"x","data":"","x":' + b"[" * 100_000, "recursion"),
            (body(), "Name the target either in `channel` or in `channels`"),
            (body(channel="a", channels=["b"]), "Name the target either in `channel` or in `channels`"),
            (body(channels=[]), "goes to 1 to 100 channels, not to 0"),
            (body(channels=[f"c{at}" for at in range(101)]), "goes to 1 to 100 channels, not to 101"),
            (body(channel=""), "A channel name holds"),
            (body(channel='a"b'), "A channel name holds"),
            (body(channel="a\x00"), "A channel name holds"),
            (body(channel="#private"), "A channel name holds"),
            (body(channels=["a", "b c"]), "A channel name holds"),
            (body(channel="a" * 201), "at most 200 characters long, this one has 201"),
            (body(channel="a", name=""), "is 1 to 200 characters long"),
            (body(channel="a", name="x" * 201), "is 1 to 200 characters long"),
            (body(channel="a", name="pusher:ping"), "the server's own"),
            (body(channel="a", name="pusher_internal:member_added"), "the server's own"),
            (body(channel="a", socket_id=""), "socket_id must be two numbers joined by a dot"),
            (body(channel="a", socket_id="1.2\n"), "socket_id must be two numbers"),
            (body(channel="a", socket_id="x"), "socket_id must be two numbers"),
            (body(channel="a", idempotency_key=""), "An idempotency_key is 1 to 128 characters long"),
            (body(channel="a", idempotency_key="k" * 129), "An idempotency_key is 1 to 128 characters long"),
            (body(channel="a", idempotency_key=7), r"Expected `str | null`, got `int` - at `\$.idempotency_key`"),
            (
                b'{"name":"x","data":"","channel":"a","idempotency_key":"\\ud800"}',
                "half of a character, .* `idempotency_key`",
            ),
            (body(channel="a", info="members"), "info knows cache, subscription_count, user_count, not members"),
            (body(channel="a", info="user_count"), "user_count is known for presence channels only, not for 'a'"),
            (body(channels=["presence-a", "b"], info="user_count"), "not for 'b'"),
        ],
    )
    def test_a_wrong_body_is_refused_and_the_text_says_what_was_expected(self, raw: bytes, explanation: str) -> None:
        with pytest.raises(BadRequest, match=explanation):
            parse_publish(raw, LIMITS)

    def test_as_many_channels_as_the_limit_are_taken(self) -> None:
        assert len(parse_publish(body(channels=[f"c{at}" for at in range(100)]), LIMITS).channels) == 100

    @given(MESSAGES | st.builds(body, channel=CHANNEL_NAMES | JSON, name=TEXTS | JSON, data=TEXTS | JSON, info=TEXTS))
    def test_whatever_body_comes_it_is_an_event_or_refused(self, raw: bytes) -> None:
        outcome: Publish | list[Publish] | ProtocolError
        for parse in (parse_publish, parse_batch):
            try:
                outcome = parse(raw, LIMITS)
            except (BadRequest, TooLarge) as refused:
                outcome = refused
            assert isinstance(outcome, Publish | list) or outcome.message

    def test_data_may_hold_half_of_a_character_which_counts_three_bytes(self) -> None:
        raw = rb'{"name":"x","channel":"a","data":"\ud83d%b\uDE00 \\ud83d"}'
        assert parse_publish(raw % b"", LIMITS).data == "\U0001f600 \\ud83d"
        half = rb'{"name":"x","channel":"a","data":"\ud83d%b"}'
        assert parse_publish(half % (b"x" * 10_237), LIMITS).data == "\ud83d" + "x" * 10_237
        with pytest.raises(TooLarge):
            parse_publish(half % (b"x" * 10_238), LIMITS)


class TestBatch:
    def test_data_of_an_event_may_hold_half_of_a_character(self) -> None:
        events = parse_batch(batch({"data": "\ud83d"}, {"data": r"\ud83d"}), LIMITS)
        assert [event.data for event in events] == ["\ud83d", r"\ud83d"]

    def test_events_keep_their_order_and_their_own_fields(self) -> None:
        events = parse_batch(
            batch({"name": "x"}, {"channel": "presence-b", "socket_id": "1.2", "info": "user_count"}), LIMITS
        )
        assert [(event.name, event.channels[0].name, event.exclude) for event in events] == [
            ("x", "a", None),
            ("event", "presence-b", "1.2"),
        ]
        assert events[1].info == {"user_count"}

    def test_an_empty_batch_is_taken(self) -> None:
        assert parse_batch(b'{"batch":[]}', LIMITS) == []

    def test_a_batch_holds_up_to_ten_events(self) -> None:
        assert len(parse_batch(batch(*[{}] * 10), LIMITS)) == 10
        with pytest.raises(BadRequest, match="at most 10 events, this one has 11"):
            parse_batch(batch(*[{}] * 11), LIMITS)

    @pytest.mark.parametrize(
        ("raw", "explanation"),
        [
            (b"{}", "missing required field `batch`"),
            (b'{"batch":{}}', r"Expected `array`, got `object` - at `\$.batch`"),
            (b'{"batch":[{"name":"x","data":""}]}', "missing required field `channel`"),
            (batch({}, {"channel": "a b"}), "A channel name holds"),
            (batch({}, {"name": "pusher:x"}), "the server's own"),
            (batch({"socket_id": "x"}), "socket_id must be"),
            (batch({"info": "user_count"}), "presence channels only"),
        ],
    )
    def test_one_wrong_event_refuses_the_whole_batch(self, raw: bytes, explanation: str) -> None:
        with pytest.raises(BadRequest, match=explanation):
            parse_batch(raw, LIMITS)

    def test_too_much_data_in_one_event_refuses_the_whole_batch(self) -> None:
        with pytest.raises(TooLarge) as refused:
            parse_batch(batch({}, {"data": "x" * 10_241}), LIMITS)
        assert refused.value.event == 1

    def test_the_place_of_the_first_wrong_event_is_named_and_none_where_all_are_too_many(self) -> None:
        with pytest.raises(BadRequest) as refused:
            parse_batch(batch({"name": ""}, {"name": ""}), LIMITS)
        assert refused.value.event == 0
        with pytest.raises(BadRequest) as refused:
            parse_batch(batch(*[{}] * 11), LIMITS)
        assert refused.value.event is None


class TestLimits:
    @pytest.mark.parametrize("character", ["x", "й", "\u20ac", "\U0001f600"])
    def test_data_is_measured_in_bytes_of_utf8(self, character: str) -> None:
        limits = Limits(event_data_bytes=120)
        size = len(character.encode())
        ensure_data_fits(character * (120 // size), limits)
        with pytest.raises(TooLarge, match="may hold 120 bytes"):
            ensure_data_fits(character * (120 // size + 1), limits)

    @given(data=TEXTS, limit=st.integers(1, 60))
    def test_data_fits_exactly_when_its_bytes_do(self, data: str, limit: int) -> None:
        try:
            ensure_data_fits(data, Limits(event_data_bytes=limit))
        except TooLarge:
            assert len(data.encode()) > limit
        else:
            assert len(data.encode()) <= limit

    def test_the_limits_of_the_app_count(self) -> None:
        limits = Limits(event_name_length=3, channel_name_length=3)
        ensure_event_name("abc", limits)
        assert ensure_channel_name("abc", limits).name == "abc"
        with pytest.raises(BadRequest, match="1 to 3 characters"):
            ensure_event_name("abcd", limits)
        with pytest.raises(BadRequest, match="at most 3 characters long"):
            ensure_channel_name("abcd", limits)


class TestInfo:
    @pytest.mark.parametrize(
        ("text", "fields"),
        [
            (None, set()),
            ("", set()),
            ("user_count", {"user_count"}),
            ("user_count,subscription_count", {"user_count", "subscription_count"}),
            ("cache,cache", {"cache"}),
        ],
    )
    def test_a_list_of_fields_is_read(self, text: str | None, fields: set[str]) -> None:
        assert parse_info(text) == fields

    @pytest.mark.parametrize("text", ["users", "user_count,", "user_count, cache", "User_Count"])
    def test_an_unknown_field_is_refused(self, text: str) -> None:
        with pytest.raises(BadRequest, match="info knows"):
            parse_info(text)

    def test_members_are_counted_on_presence_channels_only(self) -> None:
        ensure_info_fits({"user_count"}, rules_for("presence-a"))
        ensure_info_fits({"user_count"}, rules_for("presence-cache-a"))
        ensure_info_fits({"subscription_count"}, rules_for("a"))
        with pytest.raises(BadRequest, match="presence channels only"):
            ensure_info_fits({"user_count"}, rules_for("private-a"))


class TestUnsubscribe:
    @pytest.mark.parametrize("channel", ["private-a", "presence-a", "private-cache-a", "private-encrypted-a"])
    def test_a_channel_that_needs_a_signature_can_be_lost(self, channel: str) -> None:
        assert parse_unsubscribe(json.dumps({"channel": channel}).encode(), LIMITS) == channel

    def test_null_is_all_channels(self) -> None:
        assert parse_unsubscribe(b'{"channel":null}', LIMITS) is None

    @pytest.mark.parametrize(
        ("raw", "explanation"),
        [
            (b"{}", "channel"),
            (b"x", "Invalid body"),
            (b'{"channel":"a"}', "Anybody may join"),
            (b'{"channel":"#server-to-user-7"}', "Anybody may join"),
            (b'{"channel":"private-%b"}' % (b"a" * 200), "200 characters"),
            (b'{"channel":"private-a b"}', "characters"),
        ],
    )
    def test_any_other_body_is_refused_with_a_reason(self, raw: bytes, explanation: str) -> None:
        with pytest.raises(BadRequest, match=explanation):
            parse_unsubscribe(raw, LIMITS)
