"""One relay, or two nodes over one Redis that pass for one: the same tests run with both.

With two, clients connect to them in turn, the first one to node A; back ends ask node B. So what is published crosses to the
first client of a test, and members and client events cross between its first two. A client stays with its node, and so do
its XHR sessions.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.helpers.redis import running_redis
from tests.interop.switched import SwitchedRelay, switched_relay

ONE: Final = 1
TWO: Final = 2

Nodes = Literal[1, 2]


class TwoNodes(SwitchedRelay):
    """Node B, as tests see a relay. `first` is node A, which is started and stopped by itself."""

    def __init__(self, first: SwitchedRelay, folder: Path, switches: str, **settings: object) -> None:
        super().__init__(folder, switches, **settings)
        self.first = first
        self._client_ports = cycle((first.port, self.port))

    @property
    def client_port(self) -> int:
        return next(self._client_ports)


@contextmanager
def relay_of(nodes: Nodes, folder: Path, switches: str) -> Iterator[SwitchedRelay]:
    """A relay of one or two nodes, whose app has these switches (TOML) on."""
    if nodes == ONE:
        with switched_relay(folder, switches) as relay:
            yield relay
        return
    with ExitStack() as stack:
        url = stack.enter_context(running_redis(folder / "redis")).url
        places = [folder / name for name in ("a", "b")]
        for place in places:
            place.mkdir()
        first = stack.enter_context(switched_relay(places[0], switches, redis_url=url))
        second = TwoNodes(first, places[1], switches, redis_url=url)
        stack.callback(second.stop)
        second.start()
        yield second


def leave_for_long_runs(items: Iterable[pytest.Item]) -> None:
    """Over two nodes a plain run tries the first variant of each test that is marked `crosses_nodes`, and no other."""
    tried: set[str] = set()
    for item in items:
        if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        if item.callspec.params.get("nodes") != TWO:
            continue
        name = f"{item.path}::{item.originalname}"
        if name in tried or item.get_closest_marker("crosses_nodes") is None:
            item.add_marker(pytest.mark.long)
        tried.add(name)
