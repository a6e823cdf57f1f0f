import pytest
from msgspec import convert

from relay.apps import DEVELOPMENT_APP, DEVELOPMENT_SECRET, App, Apps, ChannelHistory, KeyPair
from tests.helpers.clients import APP, app_with

ONE, TWO = app_with(app_id="1"), app_with(app_id="2")


def test_an_app_is_found_by_its_key() -> None:
    apps = Apps([ONE, TWO])
    assert apps.by_key("key-2") is TWO
    assert apps.by_key("2") is None
    assert apps.by_key("") is None


def test_an_app_is_found_by_its_id_or_its_key() -> None:
    apps = Apps([ONE, TWO])
    assert apps.by_id_or_key("2") is TWO
    assert apps.by_id_or_key("key-2") is TWO
    assert apps.by_id_or_key("3") is None


def test_an_id_goes_before_the_key_of_another_app() -> None:
    confusing = App(id="key-1", key="other", secret="s")
    assert Apps([ONE, confusing]).by_id_or_key("key-1") is confusing


def test_all_apps_are_listed_in_their_order() -> None:
    assert list(Apps([TWO, ONE])) == [TWO, ONE]


def test_two_apps_cannot_share_an_id() -> None:
    with pytest.raises(ValueError, match="two apps have the id '1'"):
        Apps([ONE, App(id="1", key="k", secret="s")])


def test_two_apps_cannot_share_a_key() -> None:
    with pytest.raises(ValueError, match="two apps have the key 'key-1'"):
        Apps([ONE, App(id="9", key="key-1", secret="s")])


def test_an_app_never_shows_its_secret() -> None:
    assert repr(APP) == "App(id='3', key='key-3', secret='***')"
    assert repr(KeyPair("old-key", "old-secret")) == "KeyPair(key='old-key', secret='***')"
    assert APP.secret not in f"{APP} {[APP]!r} {(APP,)}"


def test_of_the_histories_whose_prefix_fits_the_longest_counts() -> None:
    chats, rooms = ChannelHistory("private-chat-", 100, 300), ChannelHistory("private-chat-room-", 10, 60)
    users = ChannelHistory("#server-to-user-auth0|")
    app = App(id="1", key="k", secret="s", history=(chats, rooms, users))
    assert app.history_of("private-chat-7") is chats
    assert app.history_of("private-chat-room-7") is rooms
    assert app.history_of("#server-to-user-auth0|7") is users
    assert app.history_of("private-other") is None
    assert "prefix='private-chat-room-', size=10, ttl=60" in repr(app)


def test_an_app_remembers_nothing_unless_it_is_told_to() -> None:
    assert APP.history_of("private-chat-7") is None


def test_the_development_app_is_the_one_of_the_documentation() -> None:
    assert (DEVELOPMENT_APP.id, DEVELOPMENT_APP.key, DEVELOPMENT_APP.secret) == (
        "1",
        "app-key",
        DEVELOPMENT_SECRET,
    )


@pytest.mark.parametrize("text", ["a", "A-z_0.9", "x" * 100])
def test_ids_and_keys_hold_what_may_stand_in_a_path(text: str) -> None:
    assert convert({"id": text, "key": text, "secret": "s"}, App).id == text


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a?", "a#", "a%41", "a\n", "a\x00", "ключ", "x" * 101])
def test_ids_and_keys_with_anything_else_are_refused(text: str) -> None:
    for fields in ({"id": text, "key": "k"}, {"id": "i", "key": text}):
        with pytest.raises(ValueError, match="Expected `str`"):
            convert(fields | {"secret": "s"}, App)
