"""The table of docs/protocol.md: which call or feature of which SDK was tried, in which versions and where.

A test says it by its markers: `sdk` and `over` come with what it is parametrised by or with its module, `tried` is its own.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Final, NamedTuple

import pytest

from tests.helpers.parts import INTEROP, java_packages
from tests.helpers.tables import Table, has_passed

TABLE: Final = Table("docs/protocol.md", "tried", "tests/interop", "INTEROP_TABLE")

# Of our own parts; no SDK is tried there.
_NO_SDK: Final = {"test_pushler_client.py", "test_table.py"}

_PACKAGES: Final[dict[str, str]] = json.loads((INTEROP / "package.json").read_text())["dependencies"]


class Trial(NamedTuple):
    """What one test tries."""

    library: str
    feature: str
    version: str
    where: str
    transport: str


def npm_version(package: str) -> str:
    """The version of a package in package.json; an alias is written npm:NAME@VERSION."""
    return _PACKAGES[package].rpartition("@")[2]


def npm_sdk() -> pytest.MarkDecorator:
    """The mark of tests that run the server SDK of npm."""
    return pytest.mark.sdk("pusher (npm)", npm_version("pusher"), "Node")


def java_sdk(package: str) -> pytest.MarkDecorator:
    """The mark of tests that run a package of Maven."""
    return pytest.mark.sdk(f"{package} (Maven)", java_packages()[package], "Java")


def php_calls() -> pytest.MarkDecorator:
    """The mark of tests that make the calls of a back end in PHP without an SDK."""
    return pytest.mark.sdk("curl and hash_hmac (PHP)", "our own script", "PHP")


def python_sdk(package: str) -> pytest.MarkDecorator:
    """The mark of tests that run a package of PyPI."""
    return pytest.mark.sdk(f"{package} (PyPI)", version(package), "Python")


def ensure_marked(items: Iterable[pytest.Item]) -> None:
    """Raises pytest.UsageError when a test of an SDK does not say what it tries."""
    for item in items:
        if item.path.parent == INTEROP and item.path.name not in _NO_SDK and not _trials(item):
            raise pytest.UsageError(f"{item.nodeid}: needs the markers `sdk` and `tried`")


def of_session(session: pytest.Session) -> str:
    """The table of all trials whose tests passed, every one of them; of all trials when the run only collected."""
    tried, failed = set(), set()
    for item in session.items:
        tried |= _trials(item)
        if not has_passed(item):
            failed |= _trials(item)
    return _table(tried - failed)


def _trials(item: pytest.Item) -> set[Trial]:
    return {
        Trial(sdk.args[0], tried.args[0], sdk.args[1], sdk.args[2], transport)
        for sdk in item.iter_markers("sdk")
        for tried in item.iter_markers("tried")
        for transport in [over.args[0] for over in item.iter_markers("over")] or [""]
    }


def _table(trials: Iterable[Trial]) -> str:
    rows: defaultdict[tuple[str, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        rows[trial.library, trial.feature].append(trial)
    lines = ["| library | call or feature | versions | transports |", "|---|---|---|---|"]
    for (library, feature), tried in sorted(rows.items()):
        versions = _listed(f"{trial.version} in {trial.where}" for trial in tried)
        transports = _listed(trial.transport for trial in tried if trial.transport)
        lines.append(f"| {library} | {feature} | {versions} | {transports or '–'} |")
    return "\n".join(lines) + "\n"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names), reverse=True))
