"""The summary of the cases in docs/protocol.md: how many there are of each section, and how many of them passed."""

from collections.abc import Container
from typing import Final

import pytest

from tests.helpers.tables import Table, has_passed

TABLE: Final = Table("docs/protocol.md", "rules", "tests/relay/transports/rfc", "RFC_TABLE")


def of_session(session: pytest.Session) -> str:
    """What passed in this run; all there is, when the run only collects."""
    return of_passed({item.name for item in session.items if has_passed(item)})


def of_passed(tests: Container[str]) -> str:
    """The summary when the tests of these names passed."""
    # Not above: conftest.py imports this before it can ask for the cases' assertions to be rewritten.
    from tests.relay.transports.rfc.sections import SECTIONS

    lines = ["| section | what | cases | passed |", "|---|---|---|---|"]
    total = total_passed = 0
    for section in SECTIONS:
        passed = sum(test_name(case.name) in tests for case in section.cases)
        lines.append(f"| {section.number} | {section.what} | {len(section.cases)} | {passed} |")
        total, total_passed = total + len(section.cases), total_passed + passed
    lines.append(f"| | all | {total} | {total_passed} |")
    return "\n".join(lines) + "\n"


def test_name(case: str) -> str:
    """The name of the test that plays a case."""
    return f"test_case[{case}]"
