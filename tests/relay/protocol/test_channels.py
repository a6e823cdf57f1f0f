import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.protocol.channels import InvalidChannelName, Kind, channel_of, ensure_channel, is_socket_id, rules_for
from relay.protocol.limits import Limits

FAMILIES = [
    # name, kind, needs a signature, has members, takes client events (A5)
    ("room", Kind.PUBLIC, False, False, False),
    ("privateroom", Kind.PUBLIC, False, False, False),
    ("private", Kind.PUBLIC, False, False, False),
    ("Private-room", Kind.PUBLIC, False, False, False),
    ("private-room", Kind.PRIVATE, True, False, True),
    ("private-", Kind.PRIVATE, True, False, True),
    ("private-presence-room", Kind.PRIVATE, True, False, True),
    ("private-encrypted", Kind.PRIVATE, True, False, True),
    ("private-encrypted-room", Kind.PRIVATE_ENCRYPTED, True, False, False),
    ("private-cache-room", Kind.PRIVATE_CACHE, True, False, True),
    ("private-encrypted-cache-room", Kind.PRIVATE_ENCRYPTED_CACHE, True, False, False),
    ("presence-room", Kind.PRESENCE, True, True, True),
    ("presence-cache-room", Kind.PRESENCE_CACHE, True, True, True),
    ("cache-room", Kind.CACHE, False, False, False),
    ("#server-to-user-12", Kind.SERVER_TO_USER, False, False, False),
]


@pytest.mark.parametrize(("name", "kind", "auth", "members", "client_events"), FAMILIES)
def test_the_prefix_of_a_name_decides_its_rules(
    name: str, kind: Kind, auth: bool, members: bool, client_events: bool
) -> None:
    rules = rules_for(name)
    assert (rules.name, rules.kind) == (name, kind)
    assert (rules.needs_auth, rules.is_presence, rules.allows_client_events) == (auth, members, client_events)


def test_every_kind_of_channel_has_a_case_above() -> None:
    assert {kind for _, kind, *_ in FAMILIES} == set(Kind)


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a\n",
        "private-a\n",
        "a\x00",
        'a"b',
        "a\\b",
        "a'b",
        "a/b",
        "a:b",
        "a#b",
        "a?b",
        "a+b",
        "комната",
        "\N{FULLWIDTH DIGIT ONE}",
        "#",
        "#room",
        "#server-to-user",
        "#server-to-user-",
        "#Server-to-user-1",
        "\ud800",
    ],
)
def test_a_name_with_another_character_or_a_reserved_one_is_refused(name: str) -> None:
    with pytest.raises(InvalidChannelName, match="A channel name holds"):
        rules_for(name)


def test_all_documented_characters_are_allowed() -> None:
    assert rules_for("azAZ09_-=@,.;").kind is Kind.PUBLIC


def test_a_name_as_long_as_the_limit_is_taken() -> None:
    assert ensure_channel("a" * 200, Limits()).name == "a" * 200


def test_a_name_longer_than_the_limit_is_refused_with_both_lengths() -> None:
    with pytest.raises(InvalidChannelName, match="at most 200 characters long, this one has 201"):
        ensure_channel("a" * 201, Limits())


@pytest.mark.parametrize(
    "user_id",
    ["12", "auth0|5f7c", "e:2", "john+a@example.com", "иван", "a/b", " ", '"\\', "\x00\n", "#server-to-user-1"],
)
def test_the_channel_of_a_user_holds_whatever_id_was_signed(user_id: str) -> None:
    rules = ensure_channel(channel_of(user_id), Limits())
    assert (rules.name, rules.kind, rules.user_id) == (f"#server-to-user-{user_id}", Kind.SERVER_TO_USER, user_id)


def test_the_channel_of_a_user_is_limited_by_the_length_of_an_id_and_not_of_a_name() -> None:
    limits = Limits(channel_name_length=10, user_id_length=20)
    assert ensure_channel(channel_of("й" * 20), limits).user_id == "й" * 20
    with pytest.raises(InvalidChannelName, match="at most 20 characters") as refused:
        ensure_channel(channel_of("й" * 21), limits)
    assert refused.value.limit == "user_id_length"
    assert rules_for("room").user_id is None


@given(st.text())
def test_a_name_that_is_taken_stands_in_json_as_it_is_but_for_those_of_users(name: str) -> None:
    try:
        rules = rules_for(name)
    except InvalidChannelName:
        return
    if rules.user_id is not None:
        return
    assert name.isascii()
    assert name.isprintable()
    assert not set(name) & set('"\\')


@pytest.mark.parametrize("text", ["1.2", "0.0", "1234.1234", "4294967295.4294967295", "9" * 20 + "." + "9" * 20])
def test_two_numbers_with_a_dot_are_a_socket_id(text: str) -> None:
    assert is_socket_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".1",
        "1",
        "1.2.3",
        "a.b",
        "-1.2",
        "1.2\n",
        " 1.2",
        "1,2",
        "1.2:x",
        "\u0661.\u0662",
        "9" * 21 + ".1",
    ],
)
def test_anything_else_is_no_socket_id(text: str) -> None:
    assert not is_socket_id(text)
