"""The table in docs/protocol.md lists exactly what the tests of this folder try."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.parts import INTEROP
from tests.helpers.processes import ROOT
from tests.interop import table


def test_committed_table_lists_what_the_tests_try(tmp_path: Path) -> None:
    collected = tmp_path / "table.md"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(INTEROP)],
        cwd=ROOT,
        env=os.environ | {table.TABLE.variable: str(collected)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert table.TABLE.committed == collected.read_text(), table.TABLE.remedy
