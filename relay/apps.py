"""What an app is, and where apps are found: by id or by key.

Must not know connections or channels.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Final, get_args

from msgspec import Meta, Struct, field

from pushdesk.origins import Origins
from relay.protocol.limits import Limits
from relay.protocol.webhooks import EventName, WebhookEvent

DEVELOPMENT_SECRET: Final = "app-secret"  # noqa: S105 - known to everybody, and refused on any address but loopback

# Ids and keys stand in URL paths.
Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+\Z", min_length=1, max_length=100)]
Secret = Annotated[str, Meta(min_length=1, max_length=200)]


class Webhook(Struct, frozen=True, forbid_unknown_fields=True):
    """A URL that is told what happens in channels whose name begins with `channel_prefix`, and not with `exclude_prefix`."""

    url: Annotated[str, Meta(pattern=r"^https?://[^\s/]+")]
    events: tuple[EventName, ...] = get_args(EventName)
    channel_prefix: str = ""
    exclude_prefix: str = ""
    """Empty: none are left out. Some SDKs throw on an event of a `private-encrypted-` channel if they have no key for it."""

    def wants(self, event: WebhookEvent) -> bool:
        """Whether it is told of this event."""
        if event.name not in self.events or not event.channel.startswith(self.channel_prefix):
            return False
        return not self.exclude_prefix or not event.channel.startswith(self.exclude_prefix)


class KeyPair(Struct, frozen=True, forbid_unknown_fields=True):
    """A further key of an app with its secret, while one is replaced by another."""

    key: Identifier
    secret: Secret

    def __repr__(self) -> str:
        return f"KeyPair(key={self.key!r}, secret='***')"


class ChannelHistory(Struct, frozen=True, forbid_unknown_fields=True):
    """Channels whose name begins with `prefix` remember their last `size` events, `ttl` seconds from the newest on (A13)."""

    prefix: Annotated[str, Meta(pattern=r"^(?:#server-to-user-.*|[-a-zA-Z0-9_=@,.;]*)\Z", max_length=200)]
    size: Annotated[int, Meta(ge=1, le=10_000)] = 100
    ttl: Annotated[int, Meta(ge=1, le=86_400)] = 300


class App(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One application: its credentials, switches and limits."""

    id: Identifier
    key: Identifier
    secret: Secret
    enabled: bool = True
    client_messages: bool = True
    subscription_count: bool = False
    """Are subscribers told how many they are?"""
    authorized_connections: bool = False
    """Is a connection closed that neither signs in nor joins a private or presence channel in time?"""
    other_keys: tuple[KeyPair, ...] = ()
    """Accepted as well as `key`; what the relay signs, it signs with `key`."""
    compression: bool = False
    """Are messages compressed for clients that offer it (permessage-deflate)? Saves bandwidth, costs CPU once a broadcast."""
    allowed_origins: tuple[str, ...] = ()
    """Pages that may connect, such as "https://shop.example" or "*.shop.example", and "-" for clients that are not pages;
    none named: all. No authentication: a program can claim any origin."""
    webhooks: tuple[Webhook, ...] = ()
    history: tuple[ChannelHistory, ...] = ()
    """Which channels can be resumed; of several prefixes that fit the longest counts."""
    limits: Limits = field(default_factory=Limits)

    def secret_for(self, key: str) -> str | None:
        """The secret of one of the app's keys, None for any other key."""
        if key == self.key:
            return self.secret
        return next((pair.secret for pair in self.other_keys if pair.key == key), None)

    def history_of(self, channel: str) -> ChannelHistory | None:
        """What the channel remembers of its events, None when nothing."""
        for history in self._histories:
            if channel.startswith(history.prefix):
                return history
        return None

    @cached_property
    def _histories(self) -> list[ChannelHistory]:
        return sorted(self.history, key=lambda history: -len(history.prefix))

    @cached_property
    def origins(self) -> Origins:
        """`allowed_origins`, understood once. Raises BadOrigin, which the settings look for."""
        return Origins(self.allowed_origins)

    def allows_origin(self, origin: str | None) -> bool:
        """Whether a page of `origin` may connect; a program that is no browser names none."""
        return not self.allowed_origins or self.origins.allows(origin)

    def __repr__(self) -> str:
        history = f", history={self.history!r}" if self.history else ""
        return f"App(id={self.id!r}, key={self.key!r}, secret='***'{history})"


DEVELOPMENT_APP: Final = App(id="1", key="app-key", secret=DEVELOPMENT_SECRET)


class Apps:
    """All apps of this relay. Raises ValueError when two share an id or a key."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._by_id: dict[str, App] = {}
        self._by_key: dict[str, App] = {}
        for app in apps:
            if app.id in self._by_id:
                raise ValueError(f"two apps have the id {app.id!r}")
            self._by_id[app.id] = app
            for key in (app.key, *(pair.key for pair in app.other_keys)):
                if key in self._by_key:
                    raise ValueError(f"two apps have the key {key!r}")
                self._by_key[key] = app

    def __iter__(self) -> Iterator[App]:
        return iter(self._by_id.values())

    def by_id(self, app_id: str) -> App:
        """The app of this id. Raises KeyError."""
        return self._by_id[app_id]

    def by_key(self, key: str) -> App | None:
        """The app whose clients connect with `key`."""
        return self._by_key.get(key)

    def by_id_or_key(self, name: str) -> App | None:
        """The app that an HTTP API path names: by its id, or by its key for SDKs that know no id."""
        return self._by_id.get(name) or self._by_key.get(name)
