"""A wide channel that rests: what is sent to it is held back beyond the turn, until somebody sees to it."""

from collections.abc import Callable

from relay.node.channel import WIDE, Batch, Channel
from relay.node.hub import Hub
from relay.protocol.channels import rules_for
from relay.wire.frames import text_frame
from tests.helpers.transport import RecordingTransport

EVENT = text_frame(b'{"event":"held","data":"back"}')


def resting_channel(hub: Hub) -> Channel:
    """The channel "wide" of a hub without any, which has just written."""
    turns: list[Callable[[], None]] = []
    hub.batch = Batch(turns.append, lambda _seconds, _call: None)
    channel, _ = hub.open(rules_for("wide"))
    channel._writers.update({f"9.{at}": RecordingTransport().write for at in range(WIDE)})
    channel.send(EVENT)
    turns.pop()()
    return channel
