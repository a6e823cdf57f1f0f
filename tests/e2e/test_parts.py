"""What tests need beyond this repository: nobody is made to have it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.tutorial import VARIABLE, javascript
from tests.helpers.processes import ROOT


def test_the_tutorial_is_left_out_where_nobody_names_it_also_in_ci_and_one_line_says_so() -> None:
    environ = {name: value for name, value in os.environ.items() if name != VARIABLE} | {"CI": "true"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/e2e/test_tutorial.py"]
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (line,) = [line for line in run.stdout.splitlines() if "tutorial.py" in line and not line.startswith("tests/")]
    assert line.startswith("Left out: 5 of test_tutorial.py: ")
    assert VARIABLE in line


def test_a_tutorial_that_is_asked_for_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "tutorial.txt"))
    with pytest.raises(AssertionError, match=VARIABLE):
        javascript("SupportWidget")
    (tmp_path / "tutorial.txt").write_text("before class SupportWidget { a() {} } after")
    assert javascript("SupportWidget") == "class SupportWidget { a() {} }"
