"""Clients of a relay next to the guests of the model: what a state machine has them do, both sides do.

Rules, and what is compared when, each machine has itself.
"""

from collections import Counter

from hypothesis.stateful import RuleBasedStateMachine

from relay.apps import App
from relay.node.node import Node
from tests.helpers import model
from tests.helpers.clients import message, subscription
from tests.helpers.model import Guest, Model
from tests.helpers.node import Client


class ClientsAndGuests(RuleBasedStateMachine):
    """A machine sets `model`, `app` and `channels`, those that an example uses."""

    model: Model
    app: App
    channels: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.guests: dict[Client, Guest] = {}
        # Who is closed by the relay, in that order: it is free to choose among those who have to go.
        self.closing: list[Client] = []
        # Each client's own member lists.
        self.seen: dict[Client, dict[str, Counter[str]]] = {}

    def open(self) -> list[Client]:
        return [client for client, guest in self.guests.items() if guest in self.model.guests]

    def one(self, at: int) -> tuple[Client, Guest]:
        clients = self.open()
        client = clients[at % len(clients)]
        return client, self.guests[client]

    def channel(self, which: int) -> str:
        return self.channels[which % len(self.channels)]

    def connects(self, node: Node) -> Client:
        client = Client(node, self.app)
        client.transport.take()
        client.transport.when_closed = lambda: self.when_closed(client)
        self.guests[client] = self.model.connect(client.socket_id)
        self.seen[client] = {}
        return client

    def when_closed(self, client: Client) -> None:
        self.closing.append(client)
        client.drop()

    def joins(self, at: int, which: int, member: tuple[str, object] | None) -> None:
        (client, guest), channel = self.one(at), self.channel(which)
        data = None
        if model.needs_signature(channel) and member is not None:
            data = model.member_data(*member)
        client.say(message("pusher:subscribe", subscription(self.app, client.socket_id, channel, data)))
        self.model.join(guest, channel, member)

    def leaves(self, at: int, which: int) -> None:
        (client, guest), channel = self.one(at), self.channel(which)
        client.say(message("pusher:unsubscribe", {"channel": channel}))
        self.model.leave(guest, channel)

    def drops(self, at: int) -> None:
        client, guest = self.one(at)
        client.drop()
        self.model.close(guest)

    def signs_in(self, at: int, user: str, watchlist: list[str]) -> None:
        client, guest = self.one(at)
        info = {"name": user}
        user_data = model.user_data(user, info, watchlist)
        client.say(client.sign_in_message(user_data))
        self.model.sign_in(guest, user, info, watchlist, user_data)

    def speaks(self, at: int, which: int, data: str) -> None:
        (client, guest), channel = self.one(at), self.channel(which)
        client.say(message("client-x", data, channel))
        self.model.speak(guest, channel, "client-x", data)

    def somebody(self, exclude: int | None) -> str | None:
        """The socket id of whoever is left out, who may also be gone."""
        known = list(self.guests.values())
        return None if exclude is None or not known else known[-1 - exclude % len(known)].socket_id


def learn(believes: set[model.Fact], fields: dict[str, object]) -> bool:
    """Whether a back end learns by an event that something is there, or is not any more. Nothing is told twice."""
    channel, user_id = fields["channel"], fields.get("user_id")
    assert isinstance(channel, str)
    assert user_id is None or isinstance(user_id, str)
    fact = channel, user_id
    match fields["name"]:
        case "channel_occupied" | "member_added":
            assert fact not in believes, f"told twice of {fact}"
            believes.add(fact)
        case "channel_vacated" | "member_removed":
            assert fact in believes, f"told of the end of {fact}, which never began"
            believes.remove(fact)
        case _:
            return False
    return True
