"""What every run of the tests ends with: one line about the tests that were left out, and why."""

from collections import Counter

import pytest

# Fixtures that tests of several folders ask for.
pytest_plugins = ("tests.helpers.postgres", "tests.helpers.redis")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out; pytest would give each test a line of its own."""
    reasons = Counter(_reason(report) for report in terminalreporter.stats.get("skipped", ()))
    if reasons:
        named = "; ".join(f"{count} of {reason}" for reason, count in sorted(reasons.items()))
        terminalreporter.write_line(f"Left out: {named}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    assert isinstance(report.longrepr, tuple)
    _path, _line, reason = report.longrepr
    return str(reason).removeprefix("Skipped: ")
