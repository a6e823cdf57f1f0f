"""A reader that stops reading, among ten that read on: are the ten harmed, and is the one told what it lost?"""

from typing import Final

from bench import frames
from bench.broadcast import Broadcast
from bench.checks import Verdict, verify
from bench.loop import READ_BYTES, Loop
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import Client, open_clients, subscribe_clients

_OTHERS: Final = 10
_CHANNEL: Final = "bench-slow"

# What the kernel takes in for the slow reader, in bytes; it reads again at the end, until so many seconds bring nothing.
_RECEIVE_BYTES: Final = 4_096
_QUIET: Final = 1.0


def run(target: Target, sizes: Sizes) -> Result:
    """Counts, and `told`: 1 when the reader's connection was ended, with `close_code` (0: none), else 0."""
    result = Result()
    broadcast = Broadcast(target, _CHANNEL, _OTHERS, 4, size=sizes.slow_bytes)
    slow = open_clients(target, broadcast.loop, 1, _RECEIVE_BYTES)
    slow[0].take_socket_id()
    subscribe_clients(broadcast.loop, slow, [frames.subscribe(_CHANNEL)])
    broadcast.first()
    broadcast.publish(sizes.slow_messages - 1, sizes.deadline)
    result.verdict += broadcast.verdict()
    result.refused += broadcast.refused
    stream, is_ended = _read_again(broadcast.loop, slow[0])
    codes = [int.from_bytes(payload[:2]) for opcode, payload, _ in frames.split(stream) if opcode == frames.CLOSE]
    # Cut off in the middle of a frame is no strange content here: the end of the connection tells it.
    got: Verdict = verify(stream, broadcast.sent, sizes.slow_bytes)
    told = bool(codes) or is_ended
    result.figures |= {
        "slow_reader.sent": float(got.expected),
        "slow_reader.received": float(got.arrived),
        "slow_reader.lost": float(got.lost),
        "slow_reader.told": float(told),
        "slow_reader.close_code": float(codes[0]) if codes else 0.0,
        "slow_reader.lost_silently": 0.0 if told else float(got.lost),
        "slow_reader.others_lost": float(result.verdict.lost),
    }
    slow[0].sock.close()
    broadcast.close()
    return result


def _read_again(loop: Loop, client: Client) -> tuple[bytearray, bool]:
    """All that still comes, and whether the connection was ended."""
    stream = bytearray()
    is_ended = False

    def read() -> None:
        nonlocal is_ended
        try:
            data = client.sock.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            is_ended = True
        stream.extend(data)

    loop.watch(client.sock, read)
    before = -1
    while not is_ended and before != len(stream):
        before = len(stream)
        loop.run(lambda: is_ended, _QUIET)
    loop.forget(client.sock)
    return stream, is_ended
