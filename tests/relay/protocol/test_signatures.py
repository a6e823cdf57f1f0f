import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol.signatures import (
    RequestUnsigned,
    body_md5,
    channel_text,
    ensure_body_unchanged,
    ensure_recent,
    is_signed,
    request_text,
    sign,
    signed_params,
    verify_request,
)

# docs/protocol.md B: the pair of the public documentation, and values computed with it.
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"
NOW = 1_353_088_179

CHANNEL_VECTORS = [
    (
        channel_text("1234.1234", "private-foobar"),
        "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4",
    ),
    (
        '1234.1234::user::{"id":"12345"}',
        "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
    ),
    (
        channel_text("1234.1234", "presence-foobar", '{"user_id":10,"user_info":{"name":"Mr. Channels"}}'),
        "31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
    ),
    (
        # B3: a webhook signs its raw body.
        '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"test_channel"}]}',
        "709fdb84c03664445f7698120b0edf0acc1ab1c8c6e93a0368c61841d6b998aa",
    ),
]

BODY = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
BODY_MD5 = "ec365a775a4cd0599faeb73354201b6f"
AUTH = {"auth_key": KEY, "auth_timestamp": str(NOW), "auth_version": "1.0"}
REQUEST_VECTORS = [
    (
        "POST",
        "/apps/3/events",
        {"body_md5": BODY_MD5},
        BODY,
        "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
    ),
    (
        "GET",
        "/apps/3/channels",
        {"filter_by_prefix": "presence-", "info": "user_count"},
        b"",
        "16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291",
    ),
    (
        # What pusher-http-python sends: the MD5 of nothing.
        "GET",
        "/apps/3/channels",
        {"filter_by_prefix": "presence-", "info": "user_count", "body_md5": "d41d8cd98f00b204e9800998ecf8427e"},
        b"",
        "f3f17c61ae491cc9085db68b22076e9b772e3bcb301659d655153ee3f9782aba",
    ),
    (
        "GET",
        "/apps/3/channels/presence-a=b,c@d;e.f",
        {},
        b"",
        "5083ff39d5937357fe9ce7898fd7eff93fbbbc30041473e7dd03cc766958de99",
    ),
]


@pytest.mark.parametrize(("text", "signature"), CHANNEL_VECTORS)
def test_the_documented_texts_have_the_documented_signatures(text: str, signature: str) -> None:
    assert sign(SECRET, text) == signature
    assert is_signed(SECRET, text, signature)


@pytest.mark.parametrize(
    ("socket_id", "channel", "data"),
    [
        ("1234.1235", "presence-foobar", '{"user_id":10}'),
        ("1234.1234", "presence-foobaz", '{"user_id":10}'),
        ("1234.1234", "presence-foobar", '{"user_id":11}'),
        ("1234.1234", "presence-foobar", '{"user_id": 10}'),
        ("1234.1234", "presence-foobar", ""),
        ("1234.1234", "presence-foobar", None),
    ],
)
def test_a_channel_signature_is_void_once_a_signed_field_is_changed(
    socket_id: str, channel: str, data: str | None
) -> None:
    signature = sign(SECRET, channel_text("1234.1234", "presence-foobar", '{"user_id":10}'))
    assert not is_signed(SECRET, channel_text(socket_id, channel, data), signature)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "x",
        "00" * 32,
        sign(SECRET, "text").upper(),
        sign(SECRET, "text") + "0",
        sign("other", "text"),
        "é",
        "\ud800",
    ],
)
def test_a_signature_that_is_not_exactly_the_right_one_is_refused(signature: str) -> None:
    assert not is_signed(SECRET, "text", signature)


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    text=st.text(st.characters(exclude_categories=["Cs"])),
)
def test_what_was_signed_is_signed(secret: str, text: str) -> None:
    signature = sign(secret, text)
    assert is_signed(secret, text, signature)
    assert len(signature) == 64
    assert set(signature) <= set("0123456789abcdef")


@pytest.mark.parametrize(("method", "path", "extra", "body", "signature"), REQUEST_VECTORS)
def test_the_documented_requests_have_the_documented_signatures(
    method: str, path: str, extra: dict[str, str], body: bytes, signature: str
) -> None:
    params = AUTH | extra
    assert sign(SECRET, request_text(method, path, params.items())) == signature
    verify_request(KEY, SECRET, method, path, params | {"auth_signature": signature}, body, NOW)


def test_the_body_of_the_documented_request_has_the_documented_md5() -> None:
    assert body_md5(BODY) == BODY_MD5


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_request_signed_here_is_verified_here(method: str, body: bytes) -> None:
    params = signed_params(KEY, SECRET, method, "/apps/3/channels", body, NOW + 0.9, [("info", "user_count")])
    verify_request(KEY, SECRET, method, "/apps/3/channels", dict(params), body, NOW)
    assert ("body_md5" in dict(params)) is bool(body)
    assert dict(params)["auth_timestamp"] == str(NOW)


def signed(body: bytes = b"{}", path: str = "/apps/3/events", method: str = "POST") -> dict[str, str]:
    return dict(signed_params(KEY, SECRET, method, path, body, NOW, [("info", "user_count")]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"auth_key": "another"}, "auth_key is not a key of this app"),
        ({"auth_timestamp": str(NOW + 1)}, "Invalid signature"),
        ({"auth_version": "1.1"}, "Invalid signature"),
        ({"info": "subscription_count"}, "Invalid signature"),
        ({"body_md5": body_md5(b"[]")}, "body_md5 is not the MD5 of the body"),
        ({"auth_signature": "0" * 64}, "Invalid signature"),
        ({"auth_signature": ""}, "Invalid signature"),
        ({"auth_signature": "\u20ac"}, "Invalid signature"),
        ({"body_md5": "\u20ac"}, "body_md5 is not the MD5"),
        ({"added": "1"}, "Invalid signature"),
    ],
)
def test_a_request_is_refused_once_a_signed_parameter_is_changed(change: dict[str, str], reason: str) -> None:
    with pytest.raises(RequestUnsigned, match=reason):
        verify_request(KEY, SECRET, "POST", "/apps/3/events", signed() | change, b"{}", NOW)


@pytest.mark.parametrize("name", ["auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5", "info"])
def test_a_request_is_refused_once_a_signed_parameter_is_missing(name: str) -> None:
    params = signed()
    del params[name]
    with pytest.raises(RequestUnsigned):
        verify_request(KEY, SECRET, "POST", "/apps/3/events", params, b"{}", NOW)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/apps/3/events", b"{}"),
        ("post", "/apps/3/events", b"{}"),
        ("POST", "/apps/4/events", b"{}"),
        ("POST", "/apps/3/events/", b"{}"),
        ("POST", "/apps/3/events", b"{} "),
        ("POST", "/apps/3/events", b""),
    ],
)
def test_a_request_is_refused_once_method_path_or_body_is_changed(method: str, path: str, body: bytes) -> None:
    with pytest.raises(RequestUnsigned):
        verify_request(KEY, SECRET, method, path, signed(), body, NOW)


def test_a_request_signed_with_another_secret_is_refused_without_naming_a_secret() -> None:
    params = dict(signed_params(KEY, "another", "POST", "/apps/3/events", b"{}", NOW))
    with pytest.raises(RequestUnsigned) as refused:
        verify_request(KEY, SECRET, "POST", "/apps/3/events", params, b"{}", NOW)
    assert SECRET not in str(refused.value)
    assert sign(SECRET, request_text("POST", "/apps/3/events", params.items())) not in str(refused.value)
    assert r"POST\n/apps/3/events\nauth_key=" in str(refused.value)


@pytest.mark.parametrize("signed_path", ["/apps/3/channels/a=b,c@d;e", "/apps/3/channels/a%3Db%2Cc%40d%3Be"])
def test_a_path_may_be_signed_before_or_after_it_is_percent_encoded(signed_path: str) -> None:
    params = dict(signed_params(KEY, SECRET, "GET", signed_path, b"", NOW))
    verify_request(KEY, SECRET, "GET", "/apps/3/channels/a%3Db%2Cc%40d%3Be", params, b"", NOW)


def test_a_percent_encoded_path_that_nobody_signed_is_refused() -> None:
    with pytest.raises(RequestUnsigned, match="Invalid signature"):
        verify_request(KEY, SECRET, "GET", "/apps/3/channels/%zz%ff", signed(b"", method="GET"), b"", NOW)


def test_parameters_are_signed_in_the_order_of_their_names() -> None:
    assert (
        request_text("GET", "/p", [("b", "2"), ("a", "1"), ("auth_signature", "x"), ("A", "0")])
        == "GET\n/p\nA=0&a=1&b=2"
    )


@pytest.mark.parametrize("offset", [-600, -599.5, 0, 600])
def test_a_timestamp_within_ten_minutes_is_recent(offset: float) -> None:
    params = signed()
    verify_request(KEY, SECRET, "POST", "/apps/3/events", params, b"{}", NOW + offset)
    assert params["auth_timestamp"] == str(NOW)


@pytest.mark.parametrize("offset", [-601, 600.5, 601, 10**9])
def test_a_timestamp_further_away_is_refused_with_our_time(offset: float) -> None:
    with pytest.raises(
        RequestUnsigned, match=rf"more than 600 s away from this server's clock \({int(NOW + offset)}\)"
    ):
        verify_request(KEY, SECRET, "POST", "/apps/3/events", signed(), b"{}", NOW + offset)


@pytest.mark.parametrize("timestamp", ["", "x", "-1", "1.5", "1e9", " 1353088179", "\u0661", "1" * 20, "1" * 5_000])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: str) -> None:
    with pytest.raises(RequestUnsigned, match="auth_timestamp must be the unix time"):
        ensure_recent(timestamp, NOW)


def test_an_empty_body_needs_no_md5_and_may_have_one() -> None:
    ensure_body_unchanged(None, b"")
    ensure_body_unchanged(body_md5(b""), b"")
    with pytest.raises(RequestUnsigned, match="is not the MD5"):
        ensure_body_unchanged("", b"")


def test_a_body_needs_its_md5() -> None:
    ensure_body_unchanged(body_md5(b"x"), b"x")
    with pytest.raises(RequestUnsigned, match="body_md5 is missing"):
        ensure_body_unchanged(None, b"x")
