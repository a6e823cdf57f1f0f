"""Relay and desk side by side, as a first try needs them: `pushdesk-desk demo`, `make run`. Must not know what either does.

Both are processes of their own, started from the same Python; what they print goes where this process prints.
"""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Final

# What runs, and the module that is its command line.
PARTS: Final[Mapping[str, str]] = {"relay": "relay", "support desk": "support_api"}

_STOPPING_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(Exception):
    """A part cannot run, or ended by itself."""


def shared_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of both: the desk finds the relay where RELAY_… variables put it, unless SUPPORT_… ones say more.

    What a TOML file says of the relay must be said there for both.
    """
    found = {}
    if "RELAY_HOST" in environ or "RELAY_PORT" in environ:
        found["SUPPORT_RELAY_URL"] = _relay_url(environ)
    for name in ("ID", "KEY", "SECRET"):
        if value := environ.get(f"RELAY_APP_{name}"):
            found[f"SUPPORT_RELAY_APP_{name}"] = value
    return found | dict(environ)


def _relay_url(environ: Mapping[str, str]) -> str:
    host = environ.get("RELAY_HOST") or "127.0.0.1"
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - compared, not bound
    host = f"[{host}]" if ":" in host else host
    return f"http://{host}:{environ.get('RELAY_PORT') or 6001}"


async def check_relay(environ: Mapping[str, str]) -> None:
    """Raises `DemoFailed` with what the relay says against its settings."""
    process = await _start("relay", "check-config", environ, stdout=DEVNULL, stderr=PIPE)
    _, said = await process.communicate()
    if process.returncode:
        raise DemoFailed(said.decode("utf-8", "replace").strip())


async def run_both(environ: Mapping[str, str]) -> None:
    """Runs both until this process is told to stop. Raises `DemoFailed` when one ends by itself; the other is stopped."""
    with _told_to_stop() as told:
        async with _running(environ) as processes:
            ended = {asyncio.create_task(process.wait()): name for name, process in processes.items()}
            stop = asyncio.create_task(told.wait())
            done, waiting = await asyncio.wait({stop, *ended}, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            if stop not in done:
                names = " and the ".join(ended[task] for task in done if task in ended)
                raise DemoFailed(f"The {names} has ended; all is stopped.")


@asynccontextmanager
async def _running(environ: Mapping[str, str]) -> AsyncIterator[dict[str, Process]]:
    """Both processes, told to stop at the end and waited for."""
    processes: dict[str, Process] = {}
    try:
        for name, module in PARTS.items():
            processes[name] = await _start(module, "serve", environ)
        yield processes
    finally:
        for process in processes.values():
            if process.returncode is None:
                process.terminate()
        for process in processes.values():
            await process.wait()


async def _start(
    module: str, command: str, environ: Mapping[str, str], stdout: int | None = None, stderr: int | None = None
) -> Process:
    # A session of its own: Ctrl-C reaches this process alone, which then tells each of them once.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, command),
        env=environ,
        stdin=DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


@contextmanager
def _told_to_stop() -> Iterator[asyncio.Event]:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPPING_SIGNALS:
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in _STOPPING_SIGNALS:
            loop.remove_signal_handler(number)
