"""Drives a library in another runtime from a test: commands go in, what the library tells comes back as reports.

The same commands (tests/interop/js) run in Node and in a page of Chromium, so one test covers both. Java and PHP have
commands of their own.
"""

import asyncio
import json
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from playwright.async_api import Page

from tests.helpers.parts import INTEROP, JAVA_PACKAGES_FOLDER

SCRIPTS: Final = Path(__file__).parent / "js"
JAVA_SOURCE: Final = INTEROP / "java" / "Agent.java"
PHP_SCRIPT: Final = INTEROP / "php" / "agent.php"

# How long a test waits for what must come, in seconds. It passes only when something is wrong.
DEADLINE: Final = 20.0
_LINE_BYTES: Final = 1_000_000

Report = dict[str, Any]


class Reports:
    """What was reported from somewhere else; a test waits for what it expects."""

    def __init__(self) -> None:
        self._reports: list[Report] = []
        self._taken: set[int] = set()
        self._arrived = asyncio.Event()

    def seen(self, **fields: object) -> list[Report]:
        """All reports so far with these fields, in their order, taken or not."""
        return [report for report in self._reports if _matches(report, fields)]

    async def take(self, *, within: float = DEADLINE, **fields: object) -> Report:
        """The first report with these fields that was not taken before; waits for it. Raises AssertionError."""
        try:
            async with asyncio.timeout(within):
                while (report := self._take(fields)) is None:
                    self._arrived.clear()
                    await self._arrived.wait()
                return report
        except TimeoutError:
            told = "\n".join(json.dumps(report) for report in self._reports)
            raise AssertionError(f"no {fields} within {within} s; reported were:\n{told}\n{self._details()}") from None

    def _take(self, fields: Mapping[str, object]) -> Report | None:
        for position, report in enumerate(self._reports):
            if position not in self._taken and _matches(report, fields):
                self._taken.add(position)
                return report
        return None

    def _add(self, report: Report) -> None:
        self._reports.append(report)
        self._arrived.set()

    def _details(self) -> str:
        return ""


class Agent(Reports, ABC):
    """A client library in another runtime, and everything that it has reported."""

    @abstractmethod
    async def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result. Raises AssertionError when it fails there."""

    @abstractmethod
    async def close(self) -> None:
        """End the library and its runtime."""


class LineAgent(Agent):
    """An agent elsewhere, which takes commands and gives replies and reports as JSON, one object a line."""

    def __init__(self, replies: asyncio.StreamReader, commands: asyncio.StreamWriter) -> None:
        super().__init__()
        self._commands = commands
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.create_task(self._read_replies(replies))

    async def call(self, command: str, **arguments: object) -> Any:
        number = len(self._pending)
        reply = self._pending[number] = asyncio.get_running_loop().create_future()
        line = json.dumps({"id": number, "command": command, "args": arguments})
        self._commands.write(line.encode() + b"\n")
        try:
            return await asyncio.wait_for(reply, DEADLINE)
        except TimeoutError:
            raise AssertionError(f"no reply to {line}; {self._details()}") from None

    async def close(self) -> None:
        self._commands.close()
        await self._reading
        with suppress(ConnectionError):
            await self._commands.wait_closed()

    async def _read_replies(self, replies: asyncio.StreamReader) -> None:
        async for line in replies:
            message = json.loads(line)
            if "report" in message:
                self._add(message["report"])
                continue
            reply = self._pending[message["reply"]]
            if reply.done():
                continue
            if "failure" in message:
                reply.set_exception(AssertionError(message["failure"]))
            else:
                reply.set_result(message["result"])
        for reply in self._pending.values():
            if not reply.done():
                reply.set_exception(AssertionError(f"the agent has ended; {self._details()}"))


class ProcessAgent(LineAgent):
    """An agent in a process of its own, by its standard input and output."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        super().__init__(process.stdout, process.stdin)
        self._process = process
        self._errors = ""
        self._listening = asyncio.create_task(self._read_errors())

    @classmethod
    async def run(cls, *command: str) -> Self:
        """Start the process."""
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LINE_BYTES)
        )

    async def wait_for_exit(self) -> int:
        """Let the process go on by itself until it has nothing left to do, and return its exit code."""
        return await asyncio.wait_for(self._process.wait(), DEADLINE)

    async def close(self) -> None:
        self._commands.close()
        try:
            await self.wait_for_exit()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await super().close()
        await self._listening

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            self._errors += line.decode("utf-8", "replace")

    def _details(self) -> str:
        return f"its errors:\n{self._errors}"


class NodeAgent(ProcessAgent):
    """A package of npm in Node."""

    @classmethod
    async def start(cls, kind: str, package: str) -> "NodeAgent":
        """`kind` is pusher, echo or server, `package` the npm package to run."""
        return await cls.run("node", str(SCRIPTS / "node.mjs"), kind, package)


class PhpAgent(ProcessAgent):
    """The calls of a back end in PHP, for the relay at `url`."""

    @classmethod
    async def start(cls, url: str, app_id: str, key: str, secret: str) -> "PhpAgent":
        return await cls.run("php", str(PHP_SCRIPT), url, app_id, key, secret)


@dataclass(frozen=True)
class JavaMachine:
    """A Java process with our agent and the SDKs; each connection to `port` is an agent of its own, for it starts slowly."""

    port: int

    async def start(self) -> LineAgent:
        return LineAgent(*await asyncio.open_connection("127.0.0.1", self.port, limit=_LINE_BYTES))


@contextmanager
def java_machine() -> Iterator[JavaMachine]:
    """Java for as long as the block lasts."""
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{JAVA_PACKAGES_FOLDER}/*", str(JAVA_SOURCE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield JavaMachine(int(process.stdout.readline()))
        finally:
            process.stdin.close()


class PageAgent(Agent):
    """An agent in a page of Chromium."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._console: list[str] = []
        page.on("console", lambda message: self._console.append(message.text))
        page.on("pageerror", lambda error: self._console.append(str(error)))

    @classmethod
    async def start(cls, kind: str, page: Page, url: str) -> "PageAgent":
        agent = cls(page)
        await page.expose_function("report", agent._add)
        await page.goto(f"{url}?kind={kind}")
        await page.wait_for_function("window.agent !== undefined")
        return agent

    async def reload(self) -> None:
        """Load the page anew, as its reader does: the library is gone, and starts again from nothing."""
        await self.page.reload()
        await self.page.wait_for_function("window.agent !== undefined")

    async def call(self, command: str, **arguments: object) -> Any:
        # A command may return what cannot leave the page, such as a channel: only JSON may.
        script = (
            "async ([command, args]) => JSON.parse(JSON.stringify((await window.agent[command](args)) ?? null) ?? null)"
        )
        return await self.page.evaluate(script, [command, arguments])

    async def close(self) -> None:
        await self.page.close()

    def _details(self) -> str:
        return "the page's console:\n" + "\n".join(self._console)


def _matches(report: Report, fields: Mapping[str, object]) -> bool:
    return all(name in report and report[name] == value for name, value in fields.items())
