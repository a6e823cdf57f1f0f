"""What the messages of a partition mean to this node: one call of the receiver each.

Must not know links. Their format is relay.cluster.push's.
"""

from collections.abc import Callable
from typing import Final

import structlog
from msgspec import DecodeError, msgpack

from relay.cluster import push
from relay.cluster.receiver import Receiver
from relay.cluster.redis.partition import Partition, Topic
from relay.cluster.redis.roster.roster import RedisRoster
from relay.protocol.events import with_id
from relay.protocol.session import Member
from relay.wire.frames import text_frame

log = structlog.get_logger()

# The first byte of a finished text frame; JSON begins with another one.
FRAME: Final = 0x81

_FRAMES: Final = frozenset({push.EVENT, push.CLIENT_EVENT})

# Topic, the socket id that is left out, body.
_Meaning = Callable[[Topic, str | None, bytes], None]


class Meanings:
    """Hands what was pushed to the receiver; of members and users to the roster, which knows whether it is news."""

    __slots__ = ("_meanings", "_receiver", "_roster")

    def __init__(self, receiver: Receiver, roster: RedisRoster) -> None:
        self._receiver = receiver
        self._roster = roster
        self._meanings: dict[bytes, _Meaning] = {
            push.MEMBER_ADDED: self._member_added,
            push.MEMBER_REMOVED: self._member_removed,
            push.COUNT: self._count,
            push.ONLINE: self._online,
            push.OFFLINE: self._offline,
            push.TERMINATE: self._terminate,
            push.UNSUBSCRIBE: self._unsubscribe,
            push.CONTROL: self._control,
        }

    def take(self, partition: Partition, topic: Topic, entry_id: bytes, message: bytes) -> None:
        """What was sent to a topic; `entry_id` is the log's, or empty."""
        kind, exclude, body = push.split_message(message)
        if kind in _FRAMES:
            frame = body if body[0] == FRAME else frame_of(body, id_of(partition, entry_id))
            self._receiver.deliver(topic.app_id, topic.name, frame, exclude)
            return
        meaning = self._meanings.get(kind)
        if meaning is None:
            return
        try:
            meaning(topic, exclude, body)
        except (DecodeError, ValueError, TypeError):
            log.exception("redis_message_not_understood", kind=kind.decode())

    def _member_added(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        user_id, user_info = msgpack.decode(body, type=push.MemberAdded)
        self._roster.members.member_added(topic.app_id, topic.name, Member(user_id, user_info.encode()), exclude)

    def _member_removed(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        self._roster.members.member_removed(topic.app_id, topic.name, msgpack.decode(body, type=push.MemberRemoved))

    def _count(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        self._receiver.count_told(topic.app_id, topic.name, msgpack.decode(body, type=push.Count))

    def _online(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        self._roster.users.went_online(topic.app_id, topic.name, exclude)

    def _offline(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        self._roster.users.went_offline(topic.app_id, topic.name)

    def _terminate(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        self._receiver.terminated(topic.app_id, topic.name)

    def _unsubscribe(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        (channel,) = msgpack.decode(body, type=push.Unsubscribe)
        self._receiver.unsubscribed(topic.app_id, topic.name, channel)

    def _control(self, topic: Topic, exclude: str | None, body: bytes) -> None:
        match msgpack.decode(body):
            case ["reload"]:
                self._receiver.reloaded()
            case ["observe", str(app_id), str(viewer), float(seconds)]:
                self._receiver.observed(app_id, viewer, seconds)
            case ["show", str(viewer), bytes(happening)]:
                self._receiver.shown(viewer, happening)


def id_of(partition: Partition, entry_id: bytes) -> str:
    """The id of an event as clients know it."""
    return f"{partition.lease.epoch}.{entry_id.decode()}"


def frame_of(message: bytes, event_id: str) -> bytes:
    """The frame of an event that is remembered."""
    return text_frame(with_id(message, event_id))
