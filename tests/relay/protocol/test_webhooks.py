import hashlib
import hmac
import json

import pytest

from relay.protocol.webhooks import (
    ANYBODY,
    CHANNELS,
    MEMBERS,
    EventName,
    WebhookEvent,
    body_of,
    cause_of,
    headers_of,
)


def test_an_event_has_the_fields_that_it_was_given_and_no_others() -> None:
    assert WebhookEvent("channel_occupied", "a").fields() == {"name": "channel_occupied", "channel": "a"}
    event = WebhookEvent("client_event", "presence-a", "client-x", "1", "1.2", "7")
    assert event.fields() == {
        "name": "client_event",
        "channel": "presence-a",
        "event": "client-x",
        "data": "1",
        "socket_id": "1.2",
        "user_id": "7",
    }


def test_a_count_of_nobody_is_told() -> None:
    assert WebhookEvent("subscription_count", "a", subscription_count=0).fields()["subscription_count"] == 0


def test_the_body_has_whole_milliseconds_and_the_events_in_their_order() -> None:
    events = [WebhookEvent("channel_occupied", "a"), WebhookEvent("member_added", "a", user_id="й")]
    assert json.loads(body_of(events, 1_700_000_000.9876)) == {
        "time_ms": 1_700_000_000_987,
        "events": [
            {"name": "channel_occupied", "channel": "a"},
            {"name": "member_added", "channel": "a", "user_id": "й"},
        ],
    }


def test_the_headers_sign_the_body_and_name_the_type_to_the_letter() -> None:
    body = '{"й":1}'.encode()
    assert headers_of("key", "secret", body) == {
        "Content-Type": "application/json",
        "X-Pusher-Key": "key",
        "X-Pusher-Signature": hmac.new(b"secret", body, hashlib.sha256).hexdigest(),
    }


@pytest.mark.parametrize(
    ("name", "channel", "cause"),
    [
        ("channel_occupied", "news", ANYBODY),
        ("subscription_count", "cache-news", ANYBODY),
        ("channel_vacated", "private-a", CHANNELS),
        ("cache_miss", "private-encrypted-cache-a", CHANNELS),
        ("channel_occupied", "presence-a", CHANNELS),
        ("member_added", "presence-a", MEMBERS),
        ("client_event", "private-a", MEMBERS),
    ],
)
def test_the_cause_of_an_event_is_who_can_make_it_happen(name: EventName, channel: str, cause: str) -> None:
    assert cause_of(WebhookEvent(name, channel)) == cause
