"""Where the settings of a process come from: a TOML file, then the environment over it; and texts that are not shown.

Which settings there are, and what they may be, each program says itself. Must not know any of them.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct


class ConfigError(Exception):
    """Settings that cannot be used; `problems` names each wrong key and what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class Secret:
    """A text that must not be seen in logs and tracebacks; of an empty one, that it is empty."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return "***" if self._value else "''"

    __str__ = __repr__


class Sources(Struct, frozen=True):
    """What was found: in the file, and which variables of the environment, by their full names; and what is wrong with the
    file."""

    file: dict[str, Any]
    variables: dict[str, str]
    problems: list[str]


def read_sources(prefix: str, environ: Mapping[str, str]) -> Sources:
    """The variables that begin with `prefix`, and the file that one of them, PREFIX + "CONFIG", names."""
    source = f"{prefix}CONFIG"
    file, problems = _read_file(source, environ.get(source, ""))
    variables = {name: environ[name] for name in sorted(environ) if name.startswith(prefix) and name != source}
    return Sources(file, variables, problems)


def _read_file(source: str, path: str) -> tuple[dict[str, Any], list[str]]:
    if not path:
        return {}, []
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file), []
    except OSError as error:
        return {}, [f"{source}: {path} cannot be read: {error.strerror}"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"{source}: {path} is no TOML file: {error}"]
