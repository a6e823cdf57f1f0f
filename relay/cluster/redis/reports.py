"""What this node holds in a partition, as Redis is told of it: change by change, or all of it anew.

Must not know what a report means. A report is absolute, so that repeating it is harmless, and is repeated until Redis has it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice
from typing import Final

from relay.cluster.bus import Unavailable
from relay.cluster.redis.calls import Calls, Done, Reply
from relay.cluster.redis.lease import Lease
from relay.cluster.redis.link import Argument

# Calls that assert holdings at once, before the answers to the ones before are in.
ASSERTED: Final = 500

# A call of a script that asserts something: its name, and its arguments behind the node's name.
Assertion = tuple[str, Sequence[Argument]]


class _Report:
    """A report; `node`: under which name it is on its way, "" if it is not."""

    __slots__ = ("arguments", "done", "key", "node", "reports", "script")

    def __init__(
        self, reports: "Reports", key: Hashable, script: str, arguments: Sequence[Argument], done: Done | None
    ) -> None:
        self.reports = reports
        self.key = key
        self.script = script
        self.arguments = arguments
        self.done = done
        self.node = ""

    def __call__(self, answer: Reply) -> None:
        self.reports.take(self, answer)


class Reports:
    """Reports of one partition, under the name of `lease`. `on_stale` is told the name when it is not known any more."""

    __slots__ = ("_calls", "_has_unsent", "_holdings", "_is_open", "_lease", "_on_stale", "_reports")

    def __init__(self, calls: Calls, lease: Lease, on_stale: Callable[[str], None]) -> None:
        self._calls = calls
        self._lease = lease
        self._on_stale = on_stale
        self._is_open = False
        self._reports: dict[Hashable, _Report] = {}
        self._has_unsent = False
        # All that is held, while it is asserted.
        self._holdings: Iterator[Assertion] | None = None

    def __len__(self) -> int:
        """How many reports Redis may not have yet."""
        return len(self._reports)

    def open(self) -> None:
        """Send reports from now on, first those that Redis may not have."""
        self._is_open = True
        self.send_unsent()

    def close(self) -> None:
        """The link is lost: keep reports until there is another one."""
        self._is_open = False
        self._holdings = None
        for report in self._reports.values():
            report.node = ""

    def report(self, key: Hashable, script: str, arguments: Sequence[Argument], done: Done | None = None) -> None:
        """Call a script that sets a state, absolutely, until Redis has it; the node's name is put before the arguments.

        A later report with the same key takes its place: `done` of the earlier one is not called.
        """
        report = _Report(self, key, script, arguments, done)
        self._reports[key] = report
        if self._is_open:
            self._send(report)

    def withdraw(self, key: Hashable) -> None:
        """Nobody waits for the report with this key any more."""
        self._reports.pop(key, None)

    def send_unsent(self) -> None:
        """Send those that are not on their way."""
        self._has_unsent = False
        for report in [report for report in self._reports.values() if not report.node]:
            self._send(report)

    def repeat(self) -> None:
        """Send those that were refused; wants to be called once a second."""
        if self._is_open and self._has_unsent:
            self.send_unsent()

    def _send(self, report: _Report) -> None:
        report.node = self._lease.node
        self._calls.ask(report.script, (report.node, *report.arguments), report)

    def take(self, report: _Report, answer: Reply) -> None:
        """An answer to a report, or none."""
        node, report.node = report.node, ""
        if type(answer) is not Unavailable:
            self._complete(report, answer)
        elif not answer.reason.startswith("STALE"):
            self._has_unsent = True
        else:
            self._on_stale(node)
            # By now there may be a new name, under which it can follow.
            if node != self._lease.node and self._is_open and self._reports.get(report.key) is report:
                self._send(report)
            else:
                self._has_unsent = True

    def _complete(self, report: _Report, answer: Reply) -> None:
        if self._reports.get(report.key) is not report:
            return
        del self._reports[report.key]
        if report.done is not None:
            report.done(answer)

    def assert_all(self, holdings: Iterator[Assertion]) -> None:
        """Tell Redis all that this node holds, ASSERTED calls at a time."""
        self._lease.must_assert = False
        self._holdings = holdings
        self._assert_more(holdings)

    def _assert_more(self, holdings: Iterator[Assertion]) -> None:
        if holdings is not self._holdings:
            return
        batch = list(islice(holdings, ASSERTED))
        if not batch:
            self._holdings = None
            return
        left = len(batch)

        def done(answer: Reply) -> None:
            nonlocal left
            left -= 1
            if isinstance(answer, Unavailable):
                # Whatever it was: all of it once more.
                self._lease.must_assert = True
            if not left:
                self._assert_more(holdings)

        for script, arguments in batch:
            self._calls.ask(script, (self._lease.node, *arguments), done)
