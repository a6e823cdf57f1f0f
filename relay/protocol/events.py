"""Messages to a client (A2): one builder an event, each returns the JSON text as bytes.

Each message has an event and data, also where there is nothing to say: clients of strict languages fail without.

Builders splice JSON that is already encoded; callers encode what is shared once and pass it to many.
"""

from collections.abc import Iterable
from typing import Final

from orjson import dumps

PONG: Final = b'{"event":"pusher:pong","data":{}}'
PING: Final = b'{"event":"pusher:ping","data":{}}'


# What stands behind {"event":" in the messages that are no back end's events.
_KINDS: Final = {b"pusher_": "internal", b"client-": "client_event"}


def kind_of(frame: bytes) -> str:
    """The kind of a message that goes to a channel, by its text frame: event, client_event or internal."""
    length = frame[1]
    start = 12 if length < 126 else 14 if length == 126 else 20
    return _KINDS.get(frame[start : start + 7], "event")


def as_string(json: bytes) -> bytes:
    """`json` as a JSON string holding it: the double encoding of A2."""
    return dumps(json.decode())


def connection_established(socket_id: str, activity_timeout: int) -> bytes:
    """The first message; `activity_timeout` in seconds."""
    return (
        b'{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"%b\\",\\"activity_timeout\\":%d}"}'
        % (socket_id.encode(), activity_timeout)
    )


def error(message: str, code: int | None, channel: str | None = None) -> bytes:
    """pusher:error; `channel` where the error belongs to one."""
    body: dict[str, object] = {"event": "pusher:error", "data": {"message": message, "code": code}}
    if channel is not None:
        body["channel"] = channel
    return dumps(body)


def subscription_error(channel: str, kind: str, message: str, status: int) -> bytes:
    """pusher:subscription_error (A6), which client libraries hand to the handlers of that channel."""
    data = {"type": kind, "error": message, "status": status}
    return dumps({"event": "pusher:subscription_error", "channel": channel, "data": data})


def recovery(position: str, is_complete: bool) -> bytes:
    """The fields of a confirmation that tell a client which can resume where it stands, and whether it misses nothing (A13);
    escaped to stand inside a data string."""
    is_recovered = b"true" if is_complete else b"false"
    return b'\\"position\\":\\"%b\\",\\"recovered\\":%b' % (position.encode(), is_recovered)


def subscription_succeeded(channel: str, recovery: bytes = b"") -> bytes:
    """The confirmation of a subscription without members; `recovery`: see above, for a client that asked."""
    return b'{"event":"pusher_internal:subscription_succeeded","channel":%b,"data":"{%b}"}' % (dumps(channel), recovery)


def unsubscribed(channel: str) -> bytes:
    """The application ended this client's subscription; libraries pass over names of this prefix that they do not know."""
    return b'{"event":"pusher_internal:unsubscribed","channel":%b,"data":"{}"}' % dumps(channel)


def presence_succeeded(
    channel: str, ids: Iterable[bytes], entries: Iterable[bytes], count: int, recovery: bytes = b""
) -> bytes:
    """The confirmation of a presence subscription: each member's id, and its "id":info entry, from `member_fragments`;
    `recovery`: see above, for a client that asked."""
    return (
        b'{"event":"pusher_internal:subscription_succeeded","channel":%b,'
        b'"data":"{\\"presence\\":{\\"ids\\":[%b],\\"hash\\":{%b},\\"count\\":%d}%b}"}'
        % (dumps(channel), b",".join(ids), b",".join(entries), count, recovery and b"," + recovery)
    )


def member_fragments(user_id: str, user_info: bytes) -> tuple[bytes, bytes]:
    """The id and the "id":info entry of a member, escaped to stand inside the data string of `presence_succeeded`."""
    encoded_id = dumps(user_id)
    return as_string(encoded_id)[1:-1], as_string(encoded_id + b":" + user_info)[1:-1]


def member_added(channel: str, user_id: str, user_info: bytes) -> bytes:
    """A user's first connection came; `user_info` is JSON."""
    data = as_string(b'{"user_id":%b,"user_info":%b}' % (dumps(user_id), user_info))
    return b'{"event":"pusher_internal:member_added","channel":%b,"data":%b}' % (dumps(channel), data)


def member_removed(channel: str, user_id: str) -> bytes:
    """A user's last connection left."""
    data = as_string(b'{"user_id":%b}' % dumps(user_id))
    return b'{"event":"pusher_internal:member_removed","channel":%b,"data":%b}' % (dumps(channel), data)


def subscription_count(channel: str, count: int) -> bytes:
    """How many connections are subscribed to a channel without members (A9)."""
    return b'{"event":"pusher_internal:subscription_count","channel":%b,"data":"{\\"subscription_count\\":%d}"}' % (
        dumps(channel),
        count,
    )


def cache_miss(channel: str) -> bytes:
    """A cache channel has nothing to remember (A8)."""
    return b'{"event":"pusher:cache_miss","channel":%b,"data":"{}"}' % dumps(channel)


def signin_success(user_data: str) -> bytes:
    """The connection is signed in; `user_data` is the string that the client sent."""
    return dumps({"event": "pusher:signin_success", "data": {"user_data": user_data}})


def watchlist_events(online: Iterable[str], offline: Iterable[str]) -> bytes:
    """Which of the users that somebody watches came or are there, and which left or are not (A11)."""
    groups = {"online": list(online), "offline": list(offline)}
    events = [{"name": name, "user_ids": ids} for name, ids in groups.items() if ids]
    data = as_string(dumps({"events": events}))
    return b'{"event":"pusher_internal:watchlist_events","data":%b}' % data


def channel_event(name_json: bytes, channel: str, data_json: bytes) -> bytes:
    """An event of the application: its name and its data string as JSON, encoded once for all channels."""
    return b'{"event":%b,"channel":%b,"data":%b}' % (name_json, dumps(channel), data_json)


def with_id(message: bytes, event_id: str) -> bytes:
    """The message of a remembered event, with its id as the last field (A13); libraries that do not know it pass over it."""
    return b'%b,"id":"%b"}' % (message[:-1], event_id.encode())


def client_event(name: str, channel: str, data: bytes, user_id: str | None) -> bytes:
    """A client event passed on: `data` is the sender's JSON untouched, `user_id` the sender on a presence channel (A10)."""
    # Not joined from pieces: it is built for each client event (bench/, scenario "client-events").
    if user_id is None:
        return b'{"event":%b,"channel":%b,"data":%b}' % (dumps(name), dumps(channel), data)
    return b'{"event":%b,"channel":%b,"data":%b,"user_id":%b}' % (dumps(name), dumps(channel), data, dumps(user_id))
