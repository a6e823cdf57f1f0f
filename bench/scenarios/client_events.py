"""Client events in 100 private rooms of two: one talks, the other listens. Each room keeps a few events under way."""

import socket
from functools import partial
from typing import Final

from bench import frames
from bench.checks import Verdict, stamp, verify
from bench.loop import BUFFER, READ_BYTES, VIEW, Loop
from bench.process import Meter
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import close_clients, open_clients, subscribe_clients

# Events of a room that are sent and have not arrived.
UNDER_WAY: Final = 4


class Tally:
    """How many events have arrived, in all rooms."""

    def __init__(self) -> None:
        self.arrived = 0


class Room:
    """A talker and a listener. What is to be said is masked before the clock starts."""

    __slots__ = (
        "_frame_bytes",
        "_listener",
        "_sent",
        "_size",
        "_speech",
        "_talker",
        "_tally",
        "arrived",
        "count",
        "stream",
    )

    def __init__(self, channel: str, talker: socket.socket, listener: socket.socket, count: int, tally: Tally) -> None:
        said = [frames.message("client-bench", stamp(0, number), channel) for number in range(count)]
        self._tally = tally
        self._talker = talker
        self._listener = listener
        self._size = len(said[0])
        self._speech = memoryview(b"".join(said))
        self._frame_bytes = 0
        self._sent = 0
        self.arrived = 0
        self.count = count
        self.stream = bytearray()

    def speak(self, until: int) -> None:
        """Send the events up to the number `until`."""
        until = min(until, self.count)
        if until > self._sent:
            self._talker.send(self._speech[self._sent * self._size : until * self._size])
            self._sent = until

    def listen(self) -> None:
        """Take what has arrived, and let the talker send as many again."""
        size = self._listener.recv_into(BUFFER, READ_BYTES)
        self.stream += VIEW[:size]
        if not self._frame_bytes:
            first = next(frames.split(self.stream), None)
            if first is None:
                return
            self._frame_bytes = first[2]
        before, self.arrived = self.arrived, len(self.stream) // self._frame_bytes
        self._tally.arrived += self.arrived - before
        self.speak(self.arrived + UNDER_WAY)

    def verdict(self) -> Verdict:
        """Check all that the listener got."""
        return verify(self.stream, {0: self.count})


def run(target: Target, sizes: Sizes) -> Result:
    """Client events a second and server CPU each."""
    loop = Loop()
    clients = open_clients(target, loop, sizes.rooms * 2)
    channels = [f"private-bench-room-{index // 2}" for index in range(len(clients))]
    requests = [
        frames.subscribe(channel, target.channel_auth(client.take_socket_id(), channel))
        for client, channel in zip(clients, channels, strict=True)
    ]
    subscribe_clients(loop, clients, requests)
    result = Result()
    for count, is_measured in ((max(1, sizes.room_events // 3), False), (sizes.room_events, True)):
        tally = Tally()
        rooms = [
            Room(channel, talker.sock, listener.sock, count, tally)
            for channel, talker, listener in zip(channels[::2], clients[::2], clients[1::2], strict=True)
        ]
        for listener, room in zip(clients[1::2], rooms, strict=True):
            loop.watch(listener.sock, room.listen)
        meter = Meter(target, loop)
        for room in rooms:
            room.speak(UNDER_WAY)
        loop.run(partial(_is_done, tally, count * len(rooms)), sizes.deadline)
        usage = meter.stop()
        if is_measured:
            result.figures |= usage.figures("client_events", count * len(rooms))
        for room in rooms:
            result.verdict += room.verdict()
    close_clients(loop, clients)
    return result


def _is_done(tally: Tally, total: int) -> bool:
    return tally.arrived >= total
