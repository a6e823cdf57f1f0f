"""Tables in the documents that a run of the tests writes, between two comments: what is tried, and what of it passed."""

import os
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.helpers.processes import ROOT

_PASSED: Final = pytest.StashKey[bool]()


class Table(NamedTuple):
    """Where a table stands (`document`, below the root), by which `name`, and which tests (`folder`) write it.

    `variable` names the file that a run writes it to: what passed, or what there is when the run only collects.
    """

    document: str
    name: str
    folder: str
    variable: str

    @property
    def committed(self) -> str:
        """The table as it is in the document."""
        text = (ROOT / self.document).read_text()
        return text.partition(f"<!-- {self.name}: written by {self.folder} -->\n")[2].partition(
            f"<!-- end of {self.name} -->"
        )[0]

    @property
    def remedy(self) -> str:
        """What to do when the committed table is not the one that the tests write."""
        return f"run: {self.variable}=table.md pytest {self.folder}, and put table.md between the comments in {self.document}"

    def write(self, table: str) -> None:
        """Write it to the file that the environment names, if it names one."""
        path = os.environ.get(self.variable)
        if path is not None:
            Path(path).write_text(table)


def remember(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Remember that a test passed."""
    if call.when == "call" and call.excinfo is None:
        item.stash[_PASSED] = True


def has_passed(item: pytest.Item) -> bool:
    """Whether it passed; in a run that only collects, all did."""
    return bool(item.config.option.collectonly) or item.stash.get(_PASSED, False)
