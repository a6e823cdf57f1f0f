"""The scenarios by name. Each is `run(target, sizes) -> Result`, against a server that was started for it alone.

FAULTS break what they measure: they want two nodes over Redis that `compare` started, and are run when they are named.
"""

from collections.abc import Callable
from typing import Final

from bench.result import Result
from bench.scenarios import (
    client_events,
    cluster,
    connections,
    fanout,
    flood,
    ghosts,
    heal,
    latency,
    presence,
    slow_reader,
    triggers,
    workers,
)
from bench.sizes import Sizes
from bench.target import Target

Scenario = Callable[[Target, Sizes], Result]

SCENARIOS: Final[dict[str, Scenario]] = {
    "fan-out": fanout.run,
    "triggers": triggers.run,
    "latency": latency.run,
    "client-events": client_events.run,
    "connections": connections.run,
    "presence": presence.run,
    "slow-reader": slow_reader.run,
    "flood": flood.run,
    "cluster": cluster.run,
    "workers": workers.run,
}

FAULTS: Final[dict[str, Scenario]] = {"heal": heal.run, "ghosts": ghosts.run}
