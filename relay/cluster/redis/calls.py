"""Commands and scripts on a partition's link, and what their errors mean.

Must not know what is called, or how the link came to be. Everything that is answered is answered in the reader's callback.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from hiredis import ReplyError

from relay.cluster.bus import Unavailable
from relay.cluster.redis.link import Argument, Link
from relay.cluster.redis.scripts import Script
from relay.cluster.redis.topology import means_elsewhere

log = structlog.get_logger()

DOWN: Final = Unavailable("Redis cannot be reached")

# Errors that come before anything is executed; of others nobody can say.
_REFUSED: Final = frozenset({"OOM", "MISCONF", "NOREPLICAS", "NOPERM", "NOAUTH", "BUSY", "STALE", "REBUILD", "SHAPE"})
# Errors that say how things are; of others the operator has to hear.
_QUIET: Final = frozenset({"STALE", "REBUILD", "SHAPE"})

# What Redis answered, or Unavailable.
Reply = Any
Done = Callable[[Any], None]


class _Call:
    """A call of a script on its way."""

    __slots__ = ("calls", "command", "done", "link", "script")

    def __init__(self, calls: "Calls", link: Link, script: str, command: Sequence[Argument], done: Done) -> None:
        self.calls = calls
        self.link = link
        self.script = script
        self.command = command
        self.done = done

    def __call__(self, answer: Reply) -> None:
        if type(answer) is not ReplyError:
            self.done(answer)
        elif str(answer).startswith("NOSCRIPT"):
            # Redis was restarted, or forgot its scripts.
            self.link.command((b"SCRIPT", b"LOAD", self.calls.text_of(self.script)), ignore)
            self.link.command(self.command, self)
        else:
            self.done(self.calls.refusal(answer))


class Calls:
    """`base` begins the names of the partition's keys and is the key of all scripts. `on_elsewhere` is told of errors of a
    Redis that is not the one to ask."""

    __slots__ = ("_heads", "_on_elsewhere", "_scripts", "_unsent", "base", "link")

    def __init__(self, base: bytes, scripts: Mapping[str, Script], on_elsewhere: Callable[[str], None]) -> None:
        self.base = base
        # None while there is none that takes calls.
        self.link: Link | None = None
        self._scripts = scripts
        # What the call of each script begins with: made once (bench/, scenario "triggers" over several nodes).
        self._heads: Mapping[str, tuple[bytes, ...]] = {
            name: (b"EVALSHA", script.sha, b"1", base) for name, script in scripts.items()
        }
        self._on_elsewhere = on_elsewhere
        self._unsent: Unavailable | None = None

    def ask(self, script: str, arguments: Sequence[Argument], done: Done) -> None:
        """Call a script for its answer: `done` gets it, or Unavailable; before this returns if there is no link."""
        link = self.link
        if link is None:
            done(DOWN)
        else:
            command = (*self._heads[script], *arguments)
            link.command(command, _Call(self, link, script, command, done))

    def ask_over(self, link: Link, script: str, arguments: Sequence[Argument], done: Done) -> None:
        """Likewise over a link that takes no other calls yet."""
        command = (*self._heads[script], *arguments)
        link.command(command, _Call(self, link, script, command, done))

    def text_of(self, script: str) -> bytes:
        """The text of a script."""
        return self._scripts[script].text

    def command(self, arguments: Sequence[Argument], done: Done) -> None:
        """Likewise a command of Redis' own."""
        link = self.link
        if link is None:
            done(DOWN)
            return

        def take(answer: Reply) -> None:
            done(self.refusal(answer) if isinstance(answer, ReplyError) else answer)

        link.command(arguments, take)

    def send(self, verb: bytes, topic_name: bytes, payload: bytes) -> Unavailable | None:
        """Push a message that is in no log."""
        link = self.link
        if link is None:
            return DOWN
        self._unsent = None
        link.command((verb, topic_name, payload), self._take_sent)
        return self._unsent  # known at once if it was refused

    def _take_sent(self, answer: Reply) -> None:
        if type(answer) is Unavailable:
            self._unsent = answer
        elif type(answer) is ReplyError:
            self.note(answer)

    def refusal(self, error: ReplyError) -> Unavailable:
        """What an error means to who asked."""
        self.note(error)
        text = str(error)
        is_certain = means_elsewhere(error) or text.split(" ", 1)[0] in _REFUSED
        return Unavailable(text, is_unknown=not is_certain)

    def note(self, error: ReplyError) -> None:
        """See to an error: look for another Redis, or let the operator know."""
        text = str(error)
        if means_elsewhere(error):
            self._on_elsewhere(text)
        elif text.split(" ", 1)[0] not in _QUIET:
            log.error("redis_refused", partition=self.base.decode(), error=text)


def ignore(answer: Reply) -> None:
    """Nothing follows from it."""
