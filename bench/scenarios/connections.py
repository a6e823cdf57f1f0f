"""Connections: open 5,000, then subscribe each to one public channel of its own, then to a private one."""

from typing import Final

from bench import frames
from bench.loop import Loop
from bench.process import Meter, Processes
from bench.result import Result
from bench.sizes import Sizes
from bench.target import Target
from bench.websocket import close_clients, open_clients, subscribe_clients

# How long the server may settle before its memory is read, in seconds.
_SETTLE: Final = 0.5


def run(target: Target, sizes: Sizes) -> Result:
    """Connections a second, server CPU and memory each; subscriptions a second, server CPU each."""
    result = Result()
    count = sizes.connections
    loop = Loop()
    # Warm up on other connections, which stay: memory that the server takes once is not counted.
    others = open_clients(target, loop, max(1, count // 10))
    subscribe_clients(loop, others, [frames.subscribe(f"bench-other-{index}") for index in range(len(others))])
    loop.rest(_SETTLE)
    processes = Processes(target)
    before = processes.resident()
    meter = Meter(target, loop)
    clients = open_clients(target, loop, count)
    result.figures |= meter.stop().figures("connect", count)
    loop.rest(_SETTLE)
    opened = processes.resident()
    names = [f"bench-own-{index}" for index in range(count)]
    public = [frames.subscribe(name) for name in names]
    private = [
        frames.subscribe(f"private-{name}", target.channel_auth(client.take_socket_id(), f"private-{name}"))
        for client, name in zip(clients, names, strict=True)
    ]
    for kind, requests in (("public", public), ("private", private)):
        meter = Meter(target, loop)
        subscribe_clients(loop, clients, requests)
        result.figures |= meter.stop().figures(f"subscribe_{kind}", count)
    loop.rest(_SETTLE)
    subscribed = processes.resident()
    if before is not None and opened is not None and subscribed is not None:
        result.figures["connect.kib_per_connection"] = (opened - before) / count / 1024
        result.figures["connect.process_mib"] = opened / 1024**2
        result.figures["subscribe.process_mib"] = subscribed / 1024**2
    close_clients(loop, [*others, *clients])
    return result
