"""What happens to an app as it happens, for those who watch it live (relay/console).

The parts that know tell; who watches, and how it is shown, they do not know. Nobody watches most of the time: then all that
is spent is the test whether `observers` is empty, and nothing is built. Must not be given a secret.
"""

from collections.abc import Callable

from msgspec import Struct


class Happening(Struct, frozen=True, omit_defaults=True, tag_field="kind"):
    """One thing that happened. Texts are as they came from clients and back ends, of any length."""


class Connected(Happening, frozen=True, tag="connected"):
    """A client on a page of `origin` was welcomed."""

    socket_id: str
    address: str
    origin: str | None = None


class Disconnected(Happening, frozen=True, tag="disconnected"):
    """A connection ended; its subscriptions have ended before. `code` is 0 for a client's own, which `reason` names."""

    socket_id: str
    code: int
    reason: str


class RefusedConnection(Happening, frozen=True, tag="connection_refused"):
    """A client was turned away."""

    code: int
    reason: str
    address: str
    origin: str | None = None


class Subscribed(Happening, frozen=True, tag="subscribed"):
    """A connection is in a channel, as `user_id` where its subscription was signed for one; `subscribers` are there now."""

    socket_id: str
    channel: str
    subscribers: int
    user_id: str | None = None


class Unsubscribed(Happening, frozen=True, tag="unsubscribed"):
    """A connection left a channel, or ended; `subscribers` are left."""

    socket_id: str
    channel: str
    subscribers: int
    user_id: str | None = None


class SignedIn(Happening, frozen=True, tag="signed_in"):
    """A connection is a user's from now on."""

    socket_id: str
    user_id: str


class Published(Happening, frozen=True, tag="published"):
    """A back end's event went to a channel, to `recipients` on this node; `exclude` is the socket id that was left out."""

    channel: str
    event: str
    data: str
    recipients: int
    exclude: str | None = None


class ClientEvent(Happening, frozen=True, tag="client_event"):
    """A client's event went to the others in the channel; `data` is JSON."""

    socket_id: str
    channel: str
    event: str
    data: str
    recipients: int
    user_id: str | None = None


class RefusedMessage(Happening, frozen=True, tag="message_refused"):
    """A client's message was answered with an error; `data` is the message."""

    socket_id: str
    reason: str
    data: str
    code: int | None = None
    channel: str | None = None


class RefusedSubscription(RefusedMessage, frozen=True, tag="subscription_refused"):
    """The message was a subscription, and the client is not in the channel."""


class RefusedRequest(Happening, frozen=True, tag="request_refused"):
    """A back end's API request was answered with an error."""

    method: str
    path: str
    status: int
    reason: str
    address: str


class WebhookFailed(Happening, frozen=True, tag="webhook_failed"):
    """A webhook target did not take `count` events; they are given up, or tried again after a pause."""

    url: str
    reason: str
    count: int
    is_given_up: bool = False


# Called at once, with everything that happens to one app; must not raise.
Observe = Callable[[Happening], None]


class Observers(dict[str, tuple[Observe, ...]]):
    """Who watches, by app id."""

    def add(self, app_id: str, observe: Observe) -> None:
        """Somebody watches the app."""
        self[app_id] = (*self.get(app_id, ()), observe)

    def remove(self, app_id: str, observe: Observe) -> None:
        """They do not any more."""
        others = tuple(one for one in self[app_id] if one != observe)
        if others:
            self[app_id] = others
        else:
            del self[app_id]

    def tell(self, app_id: str | None, happening: Happening) -> None:
        """Tell who watches the app; None, for what belongs to no app that exists, tells everybody who watches any."""
        told = list(self.values()) if app_id is None else [self.get(app_id, ())]
        for observe in [observe for observers in told for observe in observers]:
            observe(happening)
