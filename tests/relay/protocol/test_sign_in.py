"""Signing in (A11), and what a signed-in connection may do."""

import json

import pytest
from msgspec.structs import replace

from relay.apps import App, KeyPair
from relay.protocol.errors import MessageRefused, SubscriptionRefused
from relay.protocol.session import Identify, Join, Member, Session, User
from tests.helpers.clients import APP, app_with, message, signature, subscription

SOCKET_ID = "12.34"
USER = '{"id":"7","user_info":{"name":"Anna"},"watchlist":["8","9"]}'


def signed(user_data: str, app: App = APP, socket_id: str = SOCKET_ID) -> dict[str, str]:
    auth = f"{app.key}:{signature(app.secret, f'{socket_id}::user::{user_data}')}"
    return {"auth": auth, "user_data": user_data}


def sign_in(session: Session, user_data: str = USER, /, **changes: str) -> Identify:
    effect = session.receive(message("pusher:signin", signed(user_data) | changes), 0.0)
    assert isinstance(effect, Identify)
    return effect


def refusal(session: Session, user_data: str = USER, /, **changes: str) -> MessageRefused:
    with pytest.raises(MessageRefused) as refused:
        sign_in(session, user_data, **changes)
    return refused.value


@pytest.fixture
def session() -> Session:
    return Session(APP, SOCKET_ID)


class TestSigningIn:
    def test_a_signed_user_is_identified(self, session: Session) -> None:
        effect = sign_in(session)
        assert effect == Identify(User("7", b'{"name":"Anna"}', ("8", "9")), None, USER, False)
        assert session.user == effect.user
        assert session.is_authorized

    def test_what_is_known_of_a_user_may_hold_half_of_a_character_and_an_id_not(self, session: Session) -> None:
        data = r'{"id":"7","user_info":{"name":"\uD83D"}}'
        assert sign_in(session, data).user == User("7", rb'{"name":"\uD83D"}', ())
        for wrong in (r'{"id":"\ud83d"}', r'{"id":"7","watchlist":["\ud83d"]}'):
            assert "half of a character" in refusal(session, wrong).message

    def test_a_user_needs_no_more_than_an_id(self, session: Session) -> None:
        assert sign_in(session, '{"id":"7"}').user == User("7", b"{}", ())

    def test_a_key_that_is_being_replaced_signs_as_well(self) -> None:
        app = replace(APP, other_keys=(KeyPair("old", "old-secret"),))
        auth = f"old:{signature('old-secret', f'{SOCKET_ID}::user::{USER}')}"
        assert sign_in(Session(app, SOCKET_ID), auth=auth).user.user_id == "7"

    @pytest.mark.parametrize(
        "changes",
        [
            {"user_data": USER.replace("7", "8")},
            {"user_data": USER + " "},
            {"auth": signed(USER, socket_id="12.35")["auth"]},
            {"auth": signed(USER)["auth"][:-1]},
            {"auth": signed(USER)["auth"].upper()},
            {"auth": "other" + signed(USER)["auth"]},
            {"auth": f"{APP.key}:{signature('wrong', f'{SOCKET_ID}::user::{USER}')}"},
            {"auth": f"{APP.key}:{signature(APP.secret, f'{SOCKET_ID}:{USER}')}"},
            {"auth": f"{APP.key}:"},
            {"auth": APP.key},
            {"auth": ""},
        ],
    )
    def test_a_wrong_signature_is_refused_with_4009_and_names_what_to_sign(
        self, session: Session, changes: dict[str, str]
    ) -> None:
        refused = refusal(session, USER, **changes)
        assert (refused.code, refused.channel) == (4009, None)
        assert refused.message.startswith("Invalid signature: the text to sign is '12.34::user::")
        assert APP.secret not in refused.message
        assert (session.user, session.is_authorized) == (None, False)

    @pytest.mark.parametrize(
        "user_data",
        [
            "",
            "7",
            "[]",
            "{}",
            '{"id":7}',
            '{"id":null}',
            '{"id":""}',
            '{"id":"7","watchlist":"8"}',
            '{"id":"7","watchlist":[8]}',
            json.dumps({"id": "x" * 129}),
        ],
    )
    def test_a_user_without_a_proper_id_is_refused_with_4009(self, session: Session, user_data: str) -> None:
        assert refusal(session, user_data).code == 4009
        assert session.user is None

    def test_another_user_on_the_same_connection_is_refused_and_the_first_one_stays(self, session: Session) -> None:
        first = sign_in(session).user
        refused = refusal(session, '{"id":"8"}')
        assert (refused.code, refused.message) == (4009, "The connection is signed in as another user")
        assert session.user is first

    def test_the_same_user_again_brings_what_is_new(self, session: Session) -> None:
        first = sign_in(session).user
        again = sign_in(session, '{"id":"7","watchlist":["10"]}')
        assert (again.earlier, again.user) == (first, User("7", b"{}", ("10",)))
        assert session.user == again.user

    def test_a_watchlist_keeps_the_first_of_too_many_and_each_once(self) -> None:
        session = Session(app_with(watchlist=2), SOCKET_ID)
        assert sign_in(session, '{"id":"7","watchlist":["1","1","2","2"]}') == Identify(
            User("7", b"{}", ("1", "2")), None, '{"id":"7","watchlist":["1","1","2","2"]}', False
        )
        cut = sign_in(session, '{"id":"7","watchlist":["1","2","3"]}')
        assert (cut.user.watched, cut.has_too_many_watched) == (("1", "2"), True)

    def test_a_hundred_watched_users_fit_by_default(self, session: Session) -> None:
        ids = [str(at) for at in range(100)]
        assert not sign_in(session, json.dumps({"id": "7", "watchlist": ids})).has_too_many_watched
        assert sign_in(session, json.dumps({"id": "7", "watchlist": [*ids, "x"]})).has_too_many_watched


class TestOnceSignedIn:
    def test_the_users_own_channel_is_for_that_user_only(self, session: Session) -> None:
        sign_in(session)
        own = session.receive(message("pusher:subscribe", {"channel": "#server-to-user-7", "auth": ""}), 0.0)
        assert isinstance(own, Join)
        assert (own.rules.user_id, own.member) == ("7", None)
        with pytest.raises(SubscriptionRefused) as refused:
            session.receive(message("pusher:subscribe", {"channel": "#server-to-user-8", "auth": ""}), 0.0)
        assert (refused.value.kind, refused.value.code) == ("AuthError", 401)

    def test_a_presence_channel_takes_the_signed_in_user_for_its_member(self, session: Session) -> None:
        sign_in(session)
        join = session.receive(message("pusher:subscribe", subscription(APP, SOCKET_ID, "presence-a")), 0.0)
        assert isinstance(join, Join)
        assert join.member == Member("7", b'{"name":"Anna"}')

    def test_channel_data_goes_before_the_signed_in_user(self, session: Session) -> None:
        sign_in(session)
        data = subscription(APP, SOCKET_ID, "presence-a", '{"user_id":"8"}')
        join = session.receive(message("pusher:subscribe", data), 0.0)
        assert isinstance(join, Join)
        assert join.member == Member("8", b"{}")

    def test_a_presence_channel_still_needs_its_own_signature(self, session: Session) -> None:
        sign_in(session)
        with pytest.raises(SubscriptionRefused, match="auth must be the answer"):
            session.receive(message("pusher:subscribe", {"channel": "presence-a"}), 0.0)


class TestAuthorized:
    @pytest.mark.parametrize(("channel", "is_authorized"), [("a", False), ("cache-a", False), ("private-a", True)])
    def test_a_subscription_that_is_signed_authorises_the_connection(
        self, session: Session, channel: str, is_authorized: bool
    ) -> None:
        session.receive(message("pusher:subscribe", subscription(APP, SOCKET_ID, channel)), 0.0)
        assert session.is_authorized is is_authorized

    def test_one_that_is_refused_does_not(self, session: Session) -> None:
        with pytest.raises(SubscriptionRefused):
            session.receive(message("pusher:subscribe", {"channel": "private-a", "auth": "key-3:00"}), 0.0)
        assert not session.is_authorized


def test_a_session_goes_on_under_changed_settings(session: Session) -> None:
    session.adopt(app_with(watchlist=1))
    assert sign_in(session).user.watched == ("8",)
