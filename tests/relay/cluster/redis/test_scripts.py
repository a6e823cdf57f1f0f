import re

import pytest

from relay.cluster.counts import INTERVAL, SMALL_CHANNEL, SMALL_INTERVAL
from relay.cluster.redis.scripts import Times, load
from relay.protocol.webhooks import GRACE

SCRIPTS = load(100, Times(), is_sharded=False)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_value_that_a_script_is_given_stands_in_it(name: str) -> None:
    assert re.findall(rb"@[A-Z_]+@", SCRIPTS[name].text) == []


def test_scripts_wait_as_long_as_a_relay_without_redis() -> None:
    text = SCRIPTS["leave"].text.decode()
    assert f"local GRACE = {GRACE * 1_000:.0f}\n" in text
    small, large = SMALL_INTERVAL * 1_000, INTERVAL * 1_000
    assert f"SMALL_INTERVAL, INTERVAL = {SMALL_CHANNEL}, {small:.0f}, {large:.0f}\n" in text
