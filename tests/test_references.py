"""What comments and documents point at exists: sections of docs/protocol.md, scenarios of bench/, decisions, files."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from bench.scenarios import DESKS, FAULTS, SCENARIOS

ROOT: Final = Path(__file__).parent.parent
SOURCES: Final = ("pushdesk", "relay", "support_api")
DECISIONS: Final = sorted((ROOT / "docs/decisions").glob("*.md"))
DOCUMENTS: Final = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def found(pattern: str, *folders: str) -> Iterator[tuple[str, str]]:
    """Each file below the folders with what the pattern's group matches there."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for match in re.finditer(pattern, path.read_text("utf-8")):
                yield str(path.relative_to(ROOT)), match[1]


def quoted(text: str) -> list[str]:
    """What stands in quotation marks."""
    return re.findall(r'"([^"]+)"', text)


def test_sections_of_the_protocol_that_comments_name_exist() -> None:
    text = (ROOT / "docs/protocol.md").read_text("utf-8")
    sections = set(re.findall(r"^(?:## |\*\*)([A-G]\d*)[. ]", text, re.MULTILINE))
    named = list(found(r"(?:\(|[ ,] ?)([A-G]\d{0,2})(?=[,:)]| \()", "relay"))
    assert len(named) > 30
    assert [(path, section) for path, section in named if section not in sections] == []


def test_scenarios_that_comments_name_exist() -> None:
    named = [
        (path, name)
        for path, names in found(r'bench/, scenarios? ("[^"]+"(?:(?:, | and )"[^"]+")*)', *SOURCES)
        for name in quoted(names)
    ]
    assert len(named) > 10
    assert [(path, name) for path, name in named if name not in {**SCENARIOS, **FAULTS, **DESKS}] == []


def test_decisions_that_comments_name_exist() -> None:
    numbers = {path.name[:4] for path in DECISIONS}
    named = list(found(r"decisions?[ /](\d{4})", *SOURCES))
    assert named
    assert [(path, number) for path, number in named if number not in numbers] == []


def test_decisions_are_numbered_without_gaps_and_titled_by_their_numbers() -> None:
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    assert [path.name for path in DECISIONS if not path.read_text("utf-8").startswith(f"# {path.name[:4]} — ")] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_a_document_links_to_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
