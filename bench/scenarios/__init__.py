"""The scenarios by name. Each is `run(target, sizes) -> Result`, against a server that was started for it alone.

FAULTS break what they measure: they want two nodes over Redis that `compare` started, and are run when they are named.
DESKS measure a support desk in front of a relay: `run(desk, sizes) -> Result`.
"""

from collections.abc import Callable
from typing import Final

from bench.desks import Desk
from bench.result import Result
from bench.scenarios import (
    client_events,
    cluster,
    connections,
    desk,
    fanout,
    flood,
    ghosts,
    growth,
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
DeskScenario = Callable[[Desk, Sizes], Result]

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

DESKS: Final[dict[str, DeskScenario]] = {"desk": desk.run, "growth": growth.run}
