"""Orders to all nodes from outside of them: from the command line, over a link of its own."""

from typing import Final

from relay.cluster import push
from relay.cluster.bus import Unavailable
from relay.cluster.keys import PARTITIONS_ALONE, Keys, slot_of
from relay.cluster.redis.link import Link, LinkFailed
from relay.cluster.redis.scripts import Times, load
from relay.cluster.redis.topology import NotFound, Topology, parse_url

# The tag of the partition of what is for all nodes, however many partitions there are: see Keys.
_TAG: Final = "0"


async def order_reload(url: str, prefix: str, log_entries: int) -> int:
    """Have all nodes over the Redis of a URL read their apps anew; how many they are. Raises ConnectionError, with a text for
    the operator, when they were not told."""
    place = parse_url(url)
    try:
        return await _order(Topology(place), prefix, log_entries, is_sharded=place.kind == "cluster")
    except (NotFound, LinkFailed) as error:
        raise ConnectionError(f"the nodes cannot be reached: {error}") from error


async def _order(topology: Topology, prefix: str, log_entries: int, *, is_sharded: bool) -> int:
    keys = Keys(prefix, PARTITIONS_ALONE)
    base = keys.key(keys.control_partition, "")
    script = load(log_entries, Times(), is_sharded=is_sharded)["publish"]
    primaries = [primary for primary in await topology.find() if primary.has(slot_of(_TAG))]
    if not primaries:
        raise NotFound(["a part of the Cluster has no primary"])
    link = Link(primaries[0].endpoint, topology.access)
    await link.connect()
    try:
        nodes = await link.ask("ZCARD", f"{base}nodes")
        message = push.message_of(push.CONTROL, ["reload"])
        answer = await link.ask("EVAL", script.text, 1, base, keys.control_topic, message)
    finally:
        link.abort("said")
    if not isinstance(answer, bytes):
        raise LinkFailed(link.endpoint, answer.reason if isinstance(answer, Unavailable) else str(answer))
    return int(nodes)
