"""The summary in docs/protocol.md is that of the cases there are, all passed."""

from tests.relay.transports.rfc import summary
from tests.relay.transports.rfc.sections import SECTIONS

CASES = [case.name for section in SECTIONS for case in section.cases]


def test_the_committed_summary_is_that_of_the_cases_all_passed() -> None:
    assert summary.TABLE.committed == summary.of_passed({summary.test_name(name) for name in CASES}), (
        summary.TABLE.remedy
    )


def test_a_case_that_did_not_pass_is_counted_so() -> None:
    passed = summary.of_passed({summary.test_name(name) for name in CASES[1:]})
    row = next(line for line in passed.splitlines() if line.startswith("| 1 "))
    cases = len(SECTIONS[0].cases)
    assert row.endswith(f"| {cases} | {cases - 1} |")


def test_every_case_has_a_name_of_its_own_that_stands_in_the_report_as_it_is() -> None:
    names = [name.partition(" ")[2] for name in CASES]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [name for name in names if not name.isascii() or "\\" in name] == []
