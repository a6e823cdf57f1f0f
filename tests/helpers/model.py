"""A relay as one would explain it: what the clients and back ends of one app have to be told, predicted in the plainest way.

Must not import the relay: it would share its mistakes. Nothing here is fast, and every count is counted anew.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

Message = dict[str, Any]
# Somebody or something that is there: a channel with a subscriber (None), or a user in a presence channel.
Fact = tuple[str, str | None]

# Subscribers up to which a change of their count is told soon. The product has 100; a test lowers it.
SMALL: Final = 1

# Seconds between two counts of a channel; of a small one the product has a tenth, here nothing happens between two seconds.
COUNT_INTERVAL: Final = 5
SMALL_COUNT_INTERVAL: Final = 1
GRACE: Final = 3
MISS_INTERVAL: Final = 3
WATCHLIST: Final = 2

_CACHE: Final = ("cache-", "private-cache-", "presence-cache-")
_ANSWERS: Final = (
    "pusher:error",
    "pusher:subscription_error",
    "pusher:signin_success",
    "pusher_internal:watchlist_events",
)
OWN_CHANNEL: Final = "#server-to-user-"


@dataclass(frozen=True)
class Rules:
    """The settings of the app, as far as they matter here; seconds."""

    enabled: bool = True
    counting: bool = False
    client_messages: bool = True
    members: int = 2
    cache_ttl: int = 4
    remembered: int = 2
    """Cache channels whose last event is kept."""


@dataclass(eq=False)
class Guest:
    """A client: its channels in the order of joining, with the user id that each was signed for; whom it is signed in as."""

    socket_id: str
    channels: dict[str, str | None] = field(default_factory=dict)
    user: str | None = None
    info: object = None
    watched: tuple[str, ...] = ()
    told: list[Message] = field(default_factory=list)


def is_presence(channel: str) -> bool:
    return channel.startswith("presence-")


def needs_signature(channel: str) -> bool:
    return channel.startswith(("private-", "presence-"))


def is_cache(channel: str) -> bool:
    return channel.startswith(_CACHE)


def member_data(user: str, info: object) -> str:
    """The channel_data of a member."""
    return json.dumps({"user_id": user, "user_info": info})


def user_data(user: str, info: object, watchlist: list[str]) -> str:
    """What somebody signs in with."""
    return json.dumps({"id": user, "user_info": info, "watchlist": watchlist})


def takes_client_events(channel: str) -> bool:
    return channel.startswith(("private-", "presence-")) and not channel.startswith("private-encrypted-")


class Model:
    """One app and everybody who is connected to it."""

    def __init__(self) -> None:
        self.now = 0
        self.rules = Rules()
        self.guests: list[Guest] = []
        # Channel → its subscribers, and user → user_info, both in the order of coming.
        self.rooms: dict[str, list[Guest]] = {}
        self.members: dict[str, dict[str, object]] = {}
        # Channel → the event and when it is forgotten, the one written longest ago first.
        self.remembered: dict[str, tuple[Message, int]] = {}
        # What back ends are told besides of coming and going, and when whoever is gone went.
        self.happened: list[dict[str, object]] = []
        self.gone_at: dict[Fact, int] = {}
        # Who left a channel in this turn of the loop, or went: what was sent in the turn before may be kept from them.
        self.left: set[Guest] = set()
        # What users lost: the user, the channel (None: all), and who was connected at that moment.
        self.lost: list[tuple[str, str | None, set[Guest]]] = []
        self._missed_at: dict[str, int] = {}
        self._counted_at: dict[str, int] = {}
        # Channel → when its count is to be told.
        self._uncounted: dict[str, int] = {}

    # --- what is the case ------------------------------------------------------------------------------------------------

    def facts(self) -> set[Fact]:
        """The channels that are occupied, and the users who are in them."""
        users = {(channel, user) for channel, members in self.members.items() for user in members}
        return users | {(channel, None) for channel in self.rooms}

    def online(self, user: str) -> list[Guest]:
        return [guest for guest in self.guests if guest.user == user]

    def last_event(self, channel: str) -> tuple[Message, int] | None:
        """What a cache channel remembers, and for how many seconds still."""
        last = self.remembered.get(channel)
        return None if last is None else (last[0], last[1] - self.now)

    # --- what clients do -------------------------------------------------------------------------------------------------

    def connect(self, socket_id: str) -> Guest:
        guest = Guest(socket_id)
        self.guests.append(guest)
        return guest

    def join(self, guest: Guest, channel: str, member: tuple[str, object] | None) -> None:
        """Subscribe, well signed where that is needed: as `member` (user id, info), else as who it is signed in as."""
        if channel in guest.channels:
            guest.told.append(_error(f"Existing subscription to channel {channel}"))
            return
        if channel.startswith(OWN_CHANNEL) and channel != f"{OWN_CHANNEL}{guest.user}":
            text = "Only a connection that is signed in as this user may subscribe"
            guest.told += _refused(channel, "AuthError", text, 401)
            return
        if is_presence(channel):
            self._join_as_member(guest, channel, member)
            return
        named = member[0] if member is not None and needs_signature(channel) else None
        if not self._is_lost(guest, channel, named):
            self._enter(guest, channel, named)
            guest.told.append(_event("pusher_internal:subscription_succeeded", channel, {}))
            self._tell_last_event(guest, channel)
            self._count_changed(channel)

    def _join_as_member(self, guest: Guest, channel: str, member: tuple[str, object] | None) -> None:
        if member is None and guest.user is not None:
            member = guest.user, guest.info
        if member is None:
            text = "A presence channel needs channel_data with a user_id"
            guest.told += _refused(channel, "AuthError", text, 401)
            return
        user, info = member
        if self._is_lost(guest, channel, user):
            return
        present = self.members.get(channel, {})
        if user not in present:
            if len(present) >= self.rules.members:
                text = f"The channel has its {self.rules.members} members"
                guest.told += _refused(channel, "LimitReached", text, 4100)
                return
            added = _event("pusher_internal:member_added", channel, {"user_id": user, "user_info": info})
            self._tell_all(channel, added)
            present = self.members[channel] = present | {user: info}
        self._enter(guest, channel, user)
        presence = {"ids": list(present), "hash": dict(present), "count": len(present)}
        guest.told.append(_event("pusher_internal:subscription_succeeded", channel, {"presence": presence}))
        self._tell_last_event(guest, channel)

    def _is_lost(self, guest: Guest, channel: str, named: str | None) -> bool:
        """Whether the guest may not join in the name of a user who lost the channel, and is told so."""
        is_lost = needs_signature(channel) and any(
            user in {guest.user, named} and what in {None, channel} and guest in there
            for user, what, there in self.lost
        )
        if is_lost:
            text = "The user lost this channel after the connection was opened: connect anew, and have it signed again"
            guest.told += _refused(channel, "Revoked", text, 401)
        return is_lost

    def leave(self, guest: Guest, channel: str) -> None:
        if channel in guest.channels:
            self._exit(guest, channel)
        else:
            guest.told.append(_error(f"No current subscription to channel {channel}"))

    def speak(self, guest: Guest, channel: str, name: str, data: object) -> None:
        """Send a client event."""
        if channel not in guest.channels:
            guest.told.append(_error(f"No current subscription to channel {channel}", None, channel))
        elif not self.rules.client_messages:
            guest.told.append(_error("Client events are switched off for this app", 4301, channel))
        elif not takes_client_events(channel):
            text = "Client events are for private and presence channels that are not encrypted"
            guest.told.append(_error(text, 4301, channel))
        else:
            user = guest.channels[channel] if is_presence(channel) else None
            sender = {} if user is None else {"user_id": user}
            self._tell_all(channel, _event(name, channel, data) | sender, but=guest.socket_id)
            fact = {"name": "client_event", "channel": channel, "event": name, "socket_id": guest.socket_id}
            self.happened.append(fact | sender | {"data": data})

    def sign_in(self, guest: Guest, user: str, info: object, watchlist: list[str], user_data: str) -> None:
        """Sign in, well signed, with `user_data`, which holds the others."""
        if guest.user not in {None, user}:
            guest.told.append(_error("The connection is signed in as another user", 4009))
            return
        came = not self.online(user)
        guest.user, guest.info = user, info
        guest.watched = tuple(dict.fromkeys(watchlist))[:WATCHLIST]
        guest.told.append({"event": "pusher:signin_success", "data": {"user_data": user_data}})
        if len(set(watchlist)) > WATCHLIST:
            guest.told.append(_error(f"A watchlist holds {WATCHLIST} users; the first of them are watched", 4302))
        here = [watched for watched in guest.watched if self.online(watched)]
        away = [watched for watched in guest.watched if not self.online(watched)]
        if guest.watched:
            guest.told.append(_statuses(here, away))
        if came:
            # Whoever has just been told how it is with everybody needs not be told again.
            self._tell_watchers(user, _statuses([user], []), but=guest)

    def close(self, guest: Guest) -> None:
        """The connection is over, whoever ended it."""
        self.guests.remove(guest)
        # Also of whoever was in no channel: what their own channel held may be kept from them.
        self.left.add(guest)
        user, guest.user = guest.user, None
        for channel in list(guest.channels):
            self._exit(guest, channel)
        if user is not None and not self.online(user):
            self._tell_watchers(user, _statuses([], [user]))

    # --- what the app and the time do ------------------------------------------------------------------------------------

    def publish(self, channels: list[str], name: str, data: str, but: str | None) -> None:
        for channel in channels:
            event = _event(name, channel, data)
            if is_cache(channel):
                self.remembered.pop(channel, None)
                self.remembered[channel] = (event, self.now + self.rules.cache_ttl)
                self._forget_the_oldest()
            if channel.startswith(OWN_CHANNEL):
                self._tell_user(channel.removeprefix(OWN_CHANNEL), event, but)
            else:
                self._tell_all(channel, event, but=but)

    def unsubscribe(self, user: str, channel: str | None) -> None:
        """End the user's subscription to a channel, or to all that need a signature."""
        self.lost.append((user, channel, set(self.guests)))
        for guest in self.guests:
            for name, named in list(guest.channels.items()):
                if channel in {None, name} and needs_signature(name) and user in {guest.user, named}:
                    self._exit(guest, name)
                    guest.told.append(_event("pusher_internal:unsubscribed", name, {}))

    def pass_a_second(self) -> None:
        self.now += 1
        self.remembered = {name: last for name, last in self.remembered.items() if last[1] > self.now}
        self._missed_at = {name: at for name, at in self._missed_at.items() if self.now - at < MISS_INTERVAL}
        for channel in sorted(self._uncounted):
            if self._uncounted[channel] <= self.now:
                del self._uncounted[channel]
                self._counted_at[channel] = self.now
                if self.rules.counting:
                    self._tell_count(channel)

    def reload(self, rules: Rules) -> None:
        self.rules = rules
        self._forget_the_oldest()

    def forget_all(self) -> None:
        """The app was taken out of the settings; its guests are gone."""
        self.remembered.clear()

    # --- what follows ----------------------------------------------------------------------------------------------------

    def _forget_the_oldest(self) -> None:
        while len(self.remembered) > self.rules.remembered:
            del self.remembered[next(iter(self.remembered))]

    def _enter(self, guest: Guest, channel: str, user: str | None) -> None:
        guest.channels[channel] = user
        self.rooms.setdefault(channel, []).append(guest)

    def _exit(self, guest: Guest, channel: str) -> None:
        self.left.add(guest)
        user = guest.channels.pop(channel)
        self.rooms[channel].remove(guest)
        if (
            is_presence(channel)
            and user is not None
            and user not in [other.channels[channel] for other in self.rooms[channel]]
        ):
            del self.members[channel][user]
            self.gone_at[channel, user] = self.now
            self._tell_all(channel, _event("pusher_internal:member_removed", channel, {"user_id": user}))
        if self.rooms[channel]:
            self._count_changed(channel)
        else:
            del self.rooms[channel]
            self.members.pop(channel, None)
            self.gone_at[channel, None] = self.now

    def _tell_all(self, channel: str, event: Message, but: str | None = None) -> None:
        for guest in self.rooms.get(channel, []):
            if guest.socket_id != but:
                guest.told.append(event)

    def _tell_user(self, user: str, event: Message, but: str | None) -> None:
        """Whoever is signed in as the user is told, in the user's own channel or not."""
        for guest in self.online(user):
            if guest.socket_id != but:
                guest.told.append(event)

    def _tell_watchers(self, user: str, event: Message, but: Guest | None = None) -> None:
        for guest in self.guests:
            if user in guest.watched and guest is not but:
                guest.told.append(event)

    def _tell_last_event(self, guest: Guest, channel: str) -> None:
        if not is_cache(channel):
            return
        last = self.last_event(channel)
        if last is not None:
            guest.told.append(last[0])
            return
        guest.told.append(_event("pusher:cache_miss", channel, {}))
        if channel not in self._missed_at:
            self._missed_at[channel] = self.now
            self.happened.append({"name": "cache_miss", "channel": channel})

    def _count_changed(self, channel: str) -> None:
        if not self.rules.counting or is_presence(channel):
            return
        interval = SMALL_COUNT_INTERVAL if len(self.rooms[channel]) <= SMALL else COUNT_INTERVAL
        due = self._counted_at.get(channel, self.now - interval) + interval
        if due > self.now:
            self._uncounted[channel] = due
            return
        self._uncounted.pop(channel, None)
        self._counted_at[channel] = self.now
        self._tell_count(channel)

    def _tell_count(self, channel: str) -> None:
        if channel in self.rooms:
            count = len(self.rooms[channel])
            told = {"subscription_count": count}
            self._tell_all(channel, _event("pusher_internal:subscription_count", channel, told))
            self.happened.append({"name": "subscription_count", "channel": channel, "subscription_count": count})


def views(messages: list[Message]) -> dict[str, list[Message]]:
    """`messages` by what keeps an order: within one channel; all that channels were sent; answers to the client itself.

    An answer may come before what was sent to channels in the same turn, and so may the last event of a cache channel.
    """
    result: dict[str, list[Message]] = {"answers": [], "sent": []}
    for message in messages:
        if message["event"] in _ANSWERS:
            result["answers"].append(message)
            continue
        channel = message["channel"]
        result.setdefault(channel, []).append(message)
        if not is_cache(channel) and not message["event"].endswith("subscription_succeeded"):
            result["sent"].append(message)
    return result


def without_visits(told: list[Message], predicted: list[Message]) -> tuple[list[Message], list[Message]]:
    """Both without members who came or went more than once in one turn of the loop: of them it may be told less, if what is
    told in the end is the same."""
    moves = Counter(_moved(message) for message in predicted)
    restless = {who for who, count in moves.items() if who is not None and count > 1}
    for who in restless:
        seen, expected = ([m for m in messages if _moved(m) == who] for messages in (told, predicted))
        assert len(seen) % 2 == len(expected) % 2
        assert is_within(seen, expected)
        assert len(seen) % 2 == 0 or seen[-1] == expected[-1]
    told, predicted = ([m for m in messages if _moved(m) not in restless] for messages in (told, predicted))
    return told, predicted


def _moved(message: Message) -> Fact | None:
    """Who came or went, and where; None for any other message."""
    if message["event"] in {"pusher_internal:member_added", "pusher_internal:member_removed"}:
        return message["channel"], message["data"]["user_id"]
    return None


def is_within(part: list[Message], whole: list[Message]) -> bool:
    """Whether `part` is `whole` without some of its messages."""
    rest = iter(whole)
    return all(message in rest for message in part)


def as_seen(messages: list[Message], members: dict[str, Counter[str]]) -> None:
    """Keep the member lists of a client as a client library does: by what it is told."""
    for message in messages:
        match message:
            case {
                "event": "pusher_internal:subscription_succeeded",
                "channel": channel,
                "data": {"presence": presence},
            }:
                assert presence["count"] == len(presence["ids"]) == len(presence["hash"])
                members[channel] = Counter(presence["ids"])
            case {"event": "pusher_internal:member_added", "channel": channel, "data": {"user_id": user}}:
                members[channel][user] += 1
            case {"event": "pusher_internal:member_removed", "channel": channel, "data": {"user_id": user}}:
                members[channel][user] -= 1


def _event(name: str, channel: str, data: object) -> Message:
    return {"event": name, "channel": channel, "data": data}


def _error(text: str, code: int | None = None, channel: str | None = None) -> Message:
    error = {"event": "pusher:error", "data": {"message": text, "code": code}}
    return error if channel is None else error | {"channel": channel}


def _refused(channel: str, kind: str, text: str, status: int) -> list[Message]:
    refused = _event("pusher:subscription_error", channel, {"type": kind, "error": text, "status": status})
    return [refused, _error(f"Subscription to channel {channel} refused: {text}")]


def _statuses(online: list[str], offline: list[str]) -> Message:
    groups = {"online": online, "offline": offline}
    events = [{"name": name, "user_ids": ids} for name, ids in groups.items() if ids]
    return {"event": "pusher_internal:watchlist_events", "data": {"events": events}}
