"""The state machine of one connection: a message and the time in, an effect out.

The session decides what is legal and remembers the connection's subscriptions; what follows from an effect is the
node's business. Must not know sockets, other connections or the app's whereabouts.
"""

from typing import ClassVar, Final, Protocol, assert_never

from msgspec import Raw, Struct

from pushdesk.ratelimit import TokenBucket
from relay.protocol import signatures
from relay.protocol.channels import ChannelRules, InvalidChannelName, Kind, ensure_channel, rules_for
from relay.protocol.commands import ClientEvent, Ping, Pong, SignIn, Subscribe, Unsubscribe, parse
from relay.protocol.errors import (
    CLIENT_EVENT_REFUSED,
    LIMIT_REACHED,
    MEMBER_TOO_BIG,
    NAME_REFUSED,
    SIGN_IN_REFUSED,
    SIGNATURE_REFUSED,
    CloseCode,
    MessageRefused,
    RateLimited,
    Rejected,
    SubscriptionRefused,
)
from relay.protocol.limits import Limits
from relay.wire.decoding import Malformed, decoder

SUPPORTED_PROTOCOLS: Final = range(4, 8)
DEFAULT_PROTOCOL: Final = "7"
# A13: characters of what may be an id, and what is given for a longer text: known to nobody.
POSITION_LENGTH: Final = 64
NO_POSITION: Final = "-"

# What a session has that waits for nothing; never added to.
_NOWHERE: set[str] = set()
# As clients write them.
_SUPPORTED_TEXTS: Final = frozenset(str(version) for version in SUPPORTED_PROTOCOLS)


class SessionApp(Protocol):
    """What a session must know of the app that its client belongs to."""

    @property
    def key(self) -> str: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def client_messages(self) -> bool: ...
    def secret_for(self, key: str) -> str | None: ...


class Member(Struct, frozen=True, gc=False):
    """Who joins a presence channel: the id as text, and user_info as JSON."""

    user_id: str
    user_info: bytes


class User(Struct, frozen=True):
    """Who a connection is signed in as; `watched` are the ids that the user wants to know about."""

    user_id: str
    user_info: bytes
    watched: tuple[str, ...]


class Join(Struct, frozen=True):
    """The subscription is legal: put the connection into the channel, with `member` on a presence channel.

    `user_id` is whom the signed channel_data of a channel without members names, None where it names nobody. `since` is what
    a client that can resume (A13) knows of the channel: an id, or what might be one; empty for nothing.
    """

    kind: ClassVar = "subscribe"

    rules: ChannelRules
    member: Member | None
    user_id: str | None = None
    since: str | None = None


class Leave(Struct, frozen=True):
    """Take the connection out of the channel."""

    kind: ClassVar = "unsubscribe"

    channel: str


class Forward(Struct, frozen=True, gc=False):
    """Pass a client event on to the others in the channel; `user_id` is the sender's on a presence channel."""

    kind: ClassVar = "client_event"

    name: str
    channel: str
    data: bytes
    user_id: str | None


class Identify(Struct, frozen=True):
    """The sign-in is good. `earlier` is what the connection was signed in as before, the same id; `has_too_many_watched` when
    the list was cut to the limit."""

    kind: ClassVar = "signin"

    user: User
    earlier: User | None
    user_data: str
    has_too_many_watched: bool


class SendPong(Struct, frozen=True):
    """Answer a ping with a pong."""

    kind: ClassVar = "ping"


Effect = Join | Leave | Forward | Identify | SendPong

_PONG: Final = SendPong()


class _ChannelData(Struct):
    user_id: str | int
    user_info: Raw = Raw(b"{}")


class _UserData(Struct):
    id: str
    user_info: Raw = Raw(b"{}")
    watchlist: list[str] = []


_decode_user_data = decoder(_UserData)
_decode_channel_data = decoder(_ChannelData)


def ensure_protocol(version: str | None) -> None:
    """Raises Rejected unless a client that asked for this protocol version (A1) can be served."""
    text = DEFAULT_PROTOCOL if version is None else version
    if text in _SUPPORTED_TEXTS:
        return
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Rejected(CloseCode.INVALID_VERSION, "The protocol version in the address must be a number")
    if int(text) not in SUPPORTED_PROTOCOLS:
        raise Rejected(
            CloseCode.UNSUPPORTED_PROTOCOL,
            f"Protocol version {text} is not supported: this server speaks "
            f"{SUPPORTED_PROTOCOLS.start} to {SUPPORTED_PROTOCOLS.stop - 1}",
        )


class Session:
    """One client of one app, known by its socket id."""

    __slots__ = ("_app", "_client_events", "is_authorized", "joining", "socket_id", "subscriptions", "user")

    def __init__(self, app: SessionApp, socket_id: str) -> None:
        self._app = app
        self.socket_id = socket_id
        # Channel name → the user id that the subscription was signed for, None where none was.
        self.subscriptions: dict[str, str | None] = {}
        # Channels whose subscription is legal, and not confirmed yet: the other nodes have to know first.
        self.joining: set[str] = _NOWHERE
        self.user: User | None = None
        # Whether the client ever proved anything: a sign-in, or a subscription that needs a signature.
        self.is_authorized = False
        self._client_events: TokenBucket | None = None

    def adopt(self, app: SessionApp) -> None:
        """Go on under changed settings of the same app."""
        self._app = app
        # Made anew at the next client event, with the rate of these settings.
        self._client_events = None

    def wait(self, channel: str) -> None:
        """A legal subscription cannot be confirmed yet."""
        if not self.joining:
            self.joining = set()
        self.joining.add(channel)

    def join(self, channel: str, user_id: str | None) -> None:
        """The connection is subscribed from now on; `user_id` is whom that was signed for, if anybody."""
        self.subscriptions[channel] = user_id
        if self.joining:
            self._stop_waiting(channel)

    def leave(self, channel: str) -> str | None:
        """The subscription has ended, or will not come about: whom it was signed for."""
        if self.joining:
            self._stop_waiting(channel)
        return self.subscriptions.pop(channel, None)

    def subscribed_as(self, user_id: str, channel: str | None) -> list[str]:
        """The subscriptions in the user's name, to `channel` or to all: what was signed for the user; signed in as the user,
        all that needed a signature."""
        is_signed_in = self.user is not None and self.user.user_id == user_id
        return [
            name
            for name, signed_for in self.subscriptions.items()
            if channel in (None, name) and (signed_for == user_id or (is_signed_in and rules_for(name).needs_auth))
        ]

    def _stop_waiting(self, channel: str) -> None:
        self.joining.discard(channel)
        if not self.joining:
            self.joining = _NOWHERE

    def receive(self, message: bytes | bytearray, now: float) -> Effect | None:
        """What follows from a text message at the time `now` (seconds, monotonic).

        Raises MessageRefused or SubscriptionRefused; the connection stays in both cases.
        """
        command = parse(message)
        match command:
            case ClientEvent():
                return self._client_event(command, now)
            case Subscribe():
                return self._subscribe(command)
            case Unsubscribe():
                return self._unsubscribe(command)
            case SignIn():
                return self._sign_in(command)
            case Ping():
                return _PONG
            case Pong():
                return None
            case _:
                assert_never(command)

    def _subscribe(self, command: Subscribe) -> Join:
        name, limits = command.channel, self._app.limits
        try:
            rules = ensure_channel(name, limits)
        except InvalidChannelName as error:
            raise SubscriptionRefused(name, "InvalidChannel", str(error), NAME_REFUSED, limit=error.limit) from None
        if name in self.subscriptions or name in self.joining:
            raise MessageRefused(f"Existing subscription to channel {name}")
        if len(self.subscriptions) + len(self.joining) >= limits.subscriptions:
            text = f"A connection may be subscribed to {limits.subscriptions} channels"
            raise SubscriptionRefused(name, "LimitReached", text, LIMIT_REACHED, limit="subscriptions")
        if rules.kind is Kind.SERVER_TO_USER and (self.user is None or rules.user_id != self.user.user_id):
            raise _unauthorised(name, "Only a connection that is signed in as this user may subscribe")
        since = None if command.since is None else _position_in(command.since)
        if not rules.needs_auth:
            return Join(rules, None, None, since)
        has_signed_data = self._ensure_authorised(command, rules)
        self.is_authorized = True
        if rules.is_presence:
            return Join(rules, self._member(command), None, since)
        return Join(rules, None, self._user_named(command.channel_data) if has_signed_data else None, since)

    def _ensure_authorised(self, command: Subscribe, rules: ChannelRules) -> bool:
        """Check the signature of a subscription (B), in constant time; True when it covers the channel_data that came.

        Back ends sign channel_data for every kind of channel when they are given some, and then it is sent along. Where it
        is sent but not signed, only a presence channel refuses: elsewhere nothing depends on it.
        """
        key, _, signature = (command.auth or "").partition(":")
        if not signature:
            raise _unauthorised(rules.name, "auth must be the answer of your authorisation endpoint, KEY:SIGNATURE")
        secret = self._app.secret_for(key)
        if secret is None:
            raise _unauthorised(rules.name, f"Invalid key in auth: this connection's app has the key {self._app.key!r}")
        text = signatures.channel_text(self.socket_id, rules.name, command.channel_data)
        if signatures.is_signed(secret, text, signature):
            return command.channel_data is not None
        bare = signatures.channel_text(self.socket_id, rules.name)
        if command.channel_data is None or rules.is_presence or not signatures.is_signed(secret, bare, signature):
            raise _unauthorised(rules.name, f"Invalid signature: the text to sign is {text!r}")
        return False

    def _user_named(self, channel_data: str | None) -> str | None:
        """The user in the signed data of a channel without members: it may hold anything, and need not name one."""
        try:
            user_id = str(_decode_channel_data(channel_data or "").user_id)
        except Malformed:
            return None
        return user_id if 1 <= len(user_id) <= self._app.limits.user_id_length else None

    def _member(self, command: Subscribe) -> Member:
        """The member in the signed channel_data of a presence subscription (A5)."""
        name, limits = command.channel, self._app.limits
        if command.channel_data is None and self.user is not None:
            return Member(self.user.user_id, self.user.user_info)
        if command.channel_data is None:
            raise _unauthorised(name, "A presence channel needs channel_data with a user_id")
        if len(command.channel_data.encode()) > limits.presence_member_bytes:
            text = f"The data of a member may hold {limits.presence_member_bytes} bytes"
            raise SubscriptionRefused(name, "LimitReached", text, MEMBER_TOO_BIG, limit="presence_member_bytes")
        try:
            data = _decode_channel_data(command.channel_data)
        except Malformed as error:
            raise SubscriptionRefused(name, "InvalidMember", f"Invalid channel_data: {error}", NAME_REFUSED) from None
        user_id = str(data.user_id)
        if not 1 <= len(user_id) <= limits.user_id_length:
            text = f"user_id must be 1 to {limits.user_id_length} characters long"
            raise SubscriptionRefused(name, "InvalidMember", text, NAME_REFUSED, limit=_length_limit(user_id))
        return Member(user_id, bytes(data.user_info))

    def _sign_in(self, command: SignIn) -> Identify:
        """Check the signature and the shape of a sign-in (A11); a connection is one user for as long as it lives."""
        key, _, signature = command.auth.partition(":")
        text = signatures.user_text(self.socket_id, command.user_data)
        secret = self._app.secret_for(key)
        if secret is None or not signatures.is_signed(secret, text, signature):
            raise MessageRefused(f"Invalid signature: the text to sign is {text!r}", SIGN_IN_REFUSED)
        try:
            data = _decode_user_data(command.user_data)
        except Malformed as error:
            raise MessageRefused(f"Invalid user_data: {error}", SIGN_IN_REFUSED) from None
        limits = self._app.limits
        if not 1 <= len(data.id) <= limits.user_id_length:
            text = f"The id of a user is 1 to {limits.user_id_length} characters long"
            raise MessageRefused(text, SIGN_IN_REFUSED, limit=_length_limit(data.id))
        if self.user is not None and self.user.user_id != data.id:
            raise MessageRefused("The connection is signed in as another user", SIGN_IN_REFUSED)
        watched, earlier = tuple(dict.fromkeys(data.watchlist)), self.user
        self.user = User(data.id, bytes(data.user_info), watched[: limits.watchlist])
        self.is_authorized = True
        return Identify(self.user, earlier, command.user_data, len(watched) > limits.watchlist)

    def _unsubscribe(self, command: Unsubscribe) -> Leave:
        if command.channel not in self.subscriptions and command.channel not in self.joining:
            raise MessageRefused(f"No current subscription to channel {command.channel[:200]}")
        return Leave(command.channel)

    def _client_event(self, event: ClientEvent, now: float) -> Forward:
        channel, limits = event.channel, self._app.limits
        if channel not in self.subscriptions:
            raise MessageRefused(f"No current subscription to channel {channel[:200]}", None, channel[:200])
        rules = rules_for(channel)  # the name was checked when it was subscribed to
        if not (self._app.client_messages and rules.allows_client_events):
            raise self._client_events_refused(channel)
        if len(event.name) > limits.event_name_length:
            text = f"The name of an event is at most {limits.event_name_length} characters long"
            raise MessageRefused(text, CLIENT_EVENT_REFUSED, channel, limit="event_name_length")
        if len(event.data) > limits.event_data_bytes:
            text = f"The data of an event may hold {limits.event_data_bytes} bytes"
            raise MessageRefused(text, CLIENT_EVENT_REFUSED, channel, limit="event_data_bytes")
        bucket = self._client_events
        if bucket is None:
            bucket = self._client_events = TokenBucket(limits.client_events_per_second, now)
        if not bucket.take(now):
            text = f"Rate limit reached: a connection may send {limits.client_events_per_second} client events a second"
            raise RateLimited(text, CLIENT_EVENT_REFUSED, channel, limit="client_events_per_second")
        return Forward(event.name, channel, event.data, self.subscriptions[channel] if rules.is_presence else None)

    def _client_events_refused(self, channel: str) -> MessageRefused:
        text = "Client events are switched off for this app"
        if self._app.client_messages:
            text = "Client events are for private and presence channels that are not encrypted"
        return MessageRefused(text, CLIENT_EVENT_REFUSED, channel)


def _position_in(since: str) -> str:
    """What a client that can resume (A13) knows of the channel; what is too long to be an id is handed on as none."""
    return since if len(since) <= POSITION_LENGTH else NO_POSITION


def _length_limit(user_id: str) -> str | None:
    """The limit that a refused id has passed: none when it is empty."""
    return "user_id_length" if user_id else None


def _unauthorised(channel: str, text: str) -> SubscriptionRefused:
    return SubscriptionRefused(channel, "AuthError", text, SIGNATURE_REFUSED)
