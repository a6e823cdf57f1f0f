"""What a run of the cases leaves: their summary. The cases' assertions tell what they compared."""

import pytest

from tests.helpers import tables
from tests.relay.transports.rfc import summary

pytest.register_assert_rewrite(
    "tests.relay.transports.rfc.cases", "tests.relay.transports.rfc.opening", "tests.relay.transports.rfc.peer"
)


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember what passed."""
    tables.remember(item, call)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the summary, if the environment names a file for it."""
    summary.TABLE.write(summary.of_session(session))
