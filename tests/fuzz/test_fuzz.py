"""Damaged input against a real relay, for some seconds: it answers no 500, logs nothing, stays small and goes on serving.

Every round follows from a seed, which a failure prints: FUZZ_SEED=… begins with the round that failed.
"""

import os
import secrets
import time
from random import Random
from typing import Final

import pytest

from bench.process import resident_bytes
from tests.fuzz.talk import Talk, Witness
from tests.helpers.processes import running_relay

# Seconds: of a plain run, enough to see that the fuzzer itself works; and of `make test-all`.
SHORT: Final = 2.0
LONG: Final = float(os.environ.get("FUZZ_SECONDS", "60"))
SEED: Final = int(os.environ.get("FUZZ_SEED", "0")) or secrets.randbits(32)

# What the relay may hold more than after the first rounds, in bytes. What it keeps of strangers is bounded far below that:
# names of channels, last events of cache channels, sessions of clients that do not come back.
GROWTH: Final = 64 * 2**20
WARM_UP: Final = 10

# What may wait for one client, in bytes: little, so that it is passed, and so that the sessions of a minute hold little.
BACKLOG: Final = 16_384


def fuzz(seconds: float) -> int:
    """Talk nonsense for so long; returns in how many rounds."""
    number = 0
    # Whatever is worth an error is a bug: nothing that a stranger says may be.
    with running_relay(log_level="error", backlog_bytes=BACKLOG) as relay, Witness(relay) as witness:
        # Not before: on a busy machine the start alone may take as long.
        deadline = time.monotonic() + seconds
        warm = 0
        while time.monotonic() < deadline:
            talk = Talk(relay, Random(SEED + number))  # noqa: S311 - it has to be repeatable
            try:
                for say in (talk.read_frames, talk.speak, talk.knock, talk.ask, talk.poll):
                    for _ in range(4):
                        say()
                witness.ask(number)
                assert relay.output() == ""
                held = resident_bytes(relay.pid) or 0
                warm = held if number < WARM_UP else warm
                assert held < warm + GROWTH, f"the relay has grown from {warm} to {held} bytes"
            except Exception as error:
                error.add_note(f"Round {number}. Again: FUZZ_SEED={SEED + number}\nThe relay says:\n{relay.output()}")
                raise
            number += 1
    return number


def test_whatever_strangers_say_for_a_moment_the_relay_goes_on_serving() -> None:
    assert fuzz(SHORT) > 0


@pytest.mark.long
def test_whatever_strangers_say_for_a_minute_the_relay_goes_on_serving() -> None:
    assert fuzz(LONG) > WARM_UP
