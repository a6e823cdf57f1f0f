"""The scenarios by name. Each is `run(target, sizes) -> Result`, against a server that was started for it alone."""

from collections.abc import Callable
from typing import Final

from bench.result import Result
from bench.scenarios import client_events, connections, fanout, flood, latency, presence, slow_reader, triggers
from bench.sizes import Sizes
from bench.target import Target

SCENARIOS: Final[dict[str, Callable[[Target, Sizes], Result]]] = {
    "fan-out": fanout.run,
    "triggers": triggers.run,
    "latency": latency.run,
    "client-events": client_events.run,
    "connections": connections.run,
    "presence": presence.run,
    "slow-reader": slow_reader.run,
    "flood": flood.run,
}
