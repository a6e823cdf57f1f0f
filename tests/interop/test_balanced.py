"""pusher-js, unmodified, by its XHR transports, over two nodes behind nginx as docs/operations.md sets it up."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from relay.client import PushlerClient
from tests.helpers.nginx import running_nginx
from tests.helpers.parts import NGINX, require
from tests.helpers.processes import HOST, ROOT, RelayProcess
from tests.interop.agents import Agent
from tests.interop.nodes import TWO, TwoNodes, relay_of
from tests.interop.runtimes import NODE_8, XHR_POLLING, XHR_STREAMING, Clients
from tests.interop.test_pusher_js import subscribe
from tests.interop.test_workers import assert_all_hear

# A line of nginx's log: what the addresses of a session have in common, and the node that a request went to.
_REQUEST: Final = re.compile(r"/app/[^/]+/([^/]+/[^/]+)/\w+ (\S+)")
_LOG_FORMAT: Final = 'log_format which "$uri $upstream_addr";'

# So many clients are on one node once in 2^19 times.
MANY: Final = 20


@dataclass(frozen=True)
class Balancer:
    """nginx in front of both nodes."""

    port: int
    log: Path

    def nodes_of_sessions(self) -> dict[str, set[str]]:
        """The nodes that the requests of each session went to, as far as they are answered."""
        nodes: defaultdict[str, set[str]] = defaultdict(set)
        for session, node in _REQUEST.findall(self.log.read_text()):
            nodes[session].add(node)
        return nodes


def documented(nodes: TwoNodes, log: Path) -> str:
    """The configuration of docs/operations.md, its upstream for one relay replaced by the one for two nodes, and a log."""
    _, whole, several, *_ = (
        part.partition("```")[0] for part in (ROOT / "docs" / "operations.md").read_text().split("```nginx\n")
    )
    of_one = "upstream relay { server 127.0.0.1:6001; keepalive 16; }\n"
    assert of_one in whole
    text = _LOG_FORMAT + whole.replace(of_one, several)
    text = text.replace("listen 443 ssl;", f"listen LISTEN; access_log {log} which;")
    for address, port in (("10.0.0.1:6001", nodes.first.port), ("10.0.0.2:6001", nodes.port)):
        assert address in text
        text = text.replace(address, f"{HOST}:{port}")
    return text


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoNodes]:
    with relay_of(TWO, tmp_path_factory.mktemp("relay"), "") as relay:
        assert isinstance(relay, TwoNodes)
        yield relay


@pytest.fixture
def relay(two: TwoNodes) -> RelayProcess:
    """The relay of these tests: node B, where its back ends go."""
    return two


@pytest.fixture
def balancer(two: TwoNodes, tmp_path: Path) -> Iterator[Balancer]:
    require(NGINX)
    log = tmp_path / "requests"
    with running_nginx(tmp_path, documented(two, log)) as port:
        yield Balancer(port, log)


@pytest.mark.tried("several nodes behind a balancer: a session stays with its node")
@pytest.mark.parametrize("runtime_name", [NODE_8])
@pytest.mark.parametrize("transport", [XHR_STREAMING, XHR_POLLING])
async def test_clients_of_both_nodes_are_in_one_channel_and_each_session_stays_with_its_node(
    clients: Clients, publisher: PushlerClient, balancer: Balancer, request: pytest.FixtureRequest
) -> None:
    channel = f"presence-balanced-{'polling' in request.node.name}"
    agents: list[Agent] = []
    while len(set().union(*balancer.nodes_of_sessions().values())) < TWO:
        assert len(agents) < MANY, "all on one node"
        agents.append(await clients.pusher(f"user-{len(agents)}", httpPort=balancer.port))
        assert (await subscribe(agents[-1], channel))["count"] == len(agents)
    await assert_all_hear(agents, publisher, channel)
    assert all(len(nodes) == 1 for nodes in balancer.nodes_of_sessions().values())
