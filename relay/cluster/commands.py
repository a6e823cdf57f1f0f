"""The contract of commands: orders to all nodes. Every implementation passes tests/relay/cluster/contract.py.

`done` is called exactly once, as by Bus.publish: after Accepted all nodes carry it out (Receiver), this one too, in the
order of the messages of the user or the cluster.
"""

from collections.abc import Callable
from typing import Protocol

from relay.cluster.bus import Outcome


class Commands(Protocol):
    """Orders to all nodes."""

    def terminate(self, app_id: str, user_id: str, done: Callable[[Outcome], None], /) -> None:
        """Close every connection that is signed in as the user."""

    def unsubscribe(self, app_id: str, user_id: str, channel: str | None, done: Callable[[Outcome], None], /) -> None:
        """End the user's subscriptions to a channel, or to all that need a signature (decision 0014)."""

    def reload(self, done: Callable[[Outcome], None], /) -> None:
        """Read the apps anew."""

    def observe(self, app_id: str, viewer: str, seconds: float, done: Callable[[Outcome], None], /) -> None:
        """For so long, let `viewer` (a name of its own) have what happens to the app on every node: see `show`."""

    def show(self, viewer: str, happening: bytes, /) -> None:
        """Hand a viewer what happened here; dropped when the cluster cannot be reached."""
