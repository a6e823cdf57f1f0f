"""One request to the HTTP API, as a value: what its path says, and what came with it."""

from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

from relay.wire.http import parse_query

WILDCARD: Final = "*"

# Different paths that are remembered: a back end asks for the same ones again and again (bench/, scenario "triggers").
_KNOWN_PATHS: Final = 128


class Request(Struct, frozen=True, gc=False):
    """A request: its `path` without the prefix of the API, as it came, its `query`, the `parts` of the path, and its body.

    `shape` are the parts below the app, with a wildcard in the place of a name.
    """

    method: str
    path: str
    query: str
    parts: tuple[str, ...]
    body: bytes
    shape: tuple[str, ...]

    @property
    def name(self) -> str:
        """What stands in the place of the wildcard."""
        return unquote(self.parts[3 if self.parts[0] == "apps" else 1])

    @property
    def app(self) -> str:
        """The id or key of the app that the request is for; empty where the path names none."""
        match self.parts:
            case ["apps", name, *_]:
                return unquote(name)
            case ["users", _, "terminate_connections"]:
                # pusher-http-python leaves the app out of this one path (B): its key is in the query.
                return self.params.get("auth_key", "")
            case _:
                return ""

    @property
    def params(self) -> dict[str, str]:
        """The query, parsed anew each time."""
        return parse_query(self.query)


def request_of(method: str, target: str, prefix: str, body: bytes = b"") -> Request:
    """The request for a target, which begins with `prefix`."""
    path, _, query = target.removeprefix(prefix).partition("?")
    parts, shape = _parse_path(path)
    return Request(method, path, query, parts, body, shape)


@lru_cache(maxsize=_KNOWN_PATHS)
def _parse_path(path: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The parts of a path, and its shape. The id of a user is one part, also where a client let its slashes stand as they
    are."""
    _, *parts = path.split("/")
    if len(parts) > 3:
        at = 2 if parts[0] == "apps" else 0
        if parts[at] == "users" and len(parts) > at + 3:
            parts[at + 1 : -1] = ["/".join(parts[at + 1 : -1])]
    below = parts[2:] if parts[:1] == ["apps"] else parts
    shape = below if len(below) < 2 else [below[0], WILDCARD, *below[2:]]
    return tuple(parts), tuple(shape)
