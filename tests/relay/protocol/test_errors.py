import pytest

from relay.protocol import errors
from relay.protocol.errors import CloseCode, MessageRefused, ProtocolError, Rejected, SubscriptionRefused
from relay.wire.codes import WebSocketCode


def test_the_close_codes_are_those_of_the_protocol() -> None:
    assert {code.name: int(code) for code in CloseCode} == {
        "APP_NEEDS_TLS": 4000,
        "UNKNOWN_APP": 4001,
        "APP_DISABLED": 4003,
        "OVER_CONNECTION_LIMIT": 4004,
        "PATH_NOT_FOUND": 4005,
        "INVALID_VERSION": 4006,
        "UNSUPPORTED_PROTOCOL": 4007,
        "NO_PROTOCOL": 4008,
        "UNAUTHORIZED": 4009,
        "OVER_CAPACITY": 4100,
        "RECONNECT": 4200,
        "PONG_TIMEOUT": 4201,
        "INACTIVE": 4202,
    }


def test_no_close_code_makes_a_client_stay_away_for_ever_by_its_class() -> None:
    # G4: 4300 and above as a close code is a permanent disconnect.
    assert max(CloseCode) < 4300


def test_the_codes_of_the_framing_layer_are_those_of_the_rfc() -> None:
    assert sorted(WebSocketCode) == [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1009, 1011]


def test_the_codes_of_refusals_are_those_of_the_protocol() -> None:
    assert (errors.CLIENT_EVENT_REFUSED, errors.MEMBER_TOO_BIG) == (4301, 4301)
    assert (errors.LIMIT_REACHED, errors.NAME_REFUSED, errors.SIGNATURE_REFUSED) == (4100, 4009, 401)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ProtocolError("no"), "no"),
        (ProtocolError("no", 4301), "no (4301)"),
        (Rejected(CloseCode.UNKNOWN_APP, "no app"), "no app (4001)"),
        (MessageRefused("not now", 4301, "private-a"), "not now (4301)"),
        (SubscriptionRefused("private-a", "AuthError", "bad", 401), "bad (401)"),
    ],
)
def test_an_error_reads_as_its_message_and_code(error: ProtocolError, text: str) -> None:
    assert str(error) == text


def test_errors_carry_what_the_answer_needs() -> None:
    refused = SubscriptionRefused("private-a", "AuthError", "bad", 401)
    assert (refused.channel, refused.kind, refused.message, refused.code) == ("private-a", "AuthError", "bad", 401)
    message = MessageRefused("not now", channel="a")
    assert (message.channel, message.code) == ("a", None)
