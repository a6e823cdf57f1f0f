"""Which Redis to speak to: a URL's meaning, who the primaries are, and which errors say that they have changed.

Must not know keys or what is sent. What is found may be out of date when it is used: a primary's greeting and its errors
decide, and then one looks again.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, quote, unquote

from hiredis import ReplyError
from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.cluster.keys import SLOTS
from relay.cluster.redis.link import Access, Endpoint, Link, LinkFailed

DEFAULT_PORT: Final = 6379
SENTINEL_PORT: Final = 26_379
# How many to ask at most who the primaries are.
_MAX_GUIDES: Final = 20

# Seconds between two questions to the Sentinels: a primary that was replaced as planned goes on taking commands for 8 s and
# more, until they make it a replica.
SENTINEL_INTERVAL: Final = 1.0

LAST_SLOT: Final = SLOTS - 1
# What Redis can number databases with; how many there are, its configuration says (16).
MAX_DB: Final = 2**31 - 1

# An error that begins with one of these was not an answer to the question: this Redis is not, or not now, the one to ask.
# NOREPLICAS is what a primary says that was cut off from its replicas (min-replicas-to-write).
_ELSEWHERE: Final = frozenset(
    {"ASK", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "MOVED", "NOREPLICAS", "READONLY", "TRYAGAIN"}
)

Kind = Literal["standalone", "sentinel", "cluster"]

# Scheme → kind, TLS.
_SCHEMES: Final[Mapping[str, tuple[Kind, bool]]] = {
    "redis": ("standalone", False),
    "rediss": ("standalone", True),
    "unix": ("standalone", False),
    "sentinel": ("sentinel", False),
    "sentinels": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_OPTIONS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "standalone": (),
    "sentinel": ("sentinel_user", "sentinel_password"),
    "cluster": (),
}


class BadUrl(ValueError):
    """A URL that names no Redis; the text says why, without what is secret in it."""


class RedisUrl(Struct, frozen=True):
    """What a URL says. `endpoints` are the Redis, the Sentinels, or some nodes of the Cluster."""

    kind: Kind
    endpoints: tuple[Endpoint, ...]
    is_tls: bool = False
    user: str = ""
    password: str = ""
    db: int = 0
    name: str = ""
    """What the Sentinels call the primary."""
    ca: str = ""
    """A file with the certificates that are trusted, PEM; empty: the system's."""
    sentinel_user: str = ""
    sentinel_password: str = ""

    def __str__(self) -> str:
        """As a URL again, its secrets masked."""
        login = f"{quote(self.user)}{':***' if self.password else ''}@" if self.user or self.password else ""
        places = ",".join(map(str, self.endpoints))
        path = "".join(
            (f"/{quote(self.name)}" if self.name else "", f"/{self.db}" if self.db and not self._is_unix else "")
        )
        options = [(name, getattr(self, name)) for name in ("ca", "sentinel_user") if getattr(self, name)]
        options += [("sentinel_password", "***")] if self.sentinel_password else []
        options += [("db", self.db)] if self.db and self._is_unix else []
        query = "&".join(f"{name}={value}" for name, value in options)
        return f"{self._scheme}://{login}{places}{path}{'?' if query else ''}{query}"

    __repr__ = __str__

    @property
    def _is_unix(self) -> bool:
        return bool(self.endpoints[0].path)

    @property
    def _scheme(self) -> str:
        if self._is_unix:
            return "unix"
        return next(name for name, what in _SCHEMES.items() if what == (self.kind, self.is_tls))


def parse_url(url: str) -> RedisUrl:
    """Understand a URL. Raises BadUrl.

        redis://[USER:PASSWORD@]HOST[:PORT][/DB]           rediss://… over TLS, as the others with an s
        unix://[USER:PASSWORD@]/PATH[?db=DB]
        sentinel://[USER:PASSWORD@]HOST[:PORT],…/NAME[/DB] sentinels://…; ?sentinel_user= and ?sentinel_password= are theirs
        redis+cluster://[USER:PASSWORD@]HOST[:PORT],…      rediss+cluster://…

    ?ca=FILE names the certificates to trust. Characters of a user or password that mean something in a URL are written %40.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        raise BadUrl(f"it has to begin with one of {', '.join(f'{name}://' for name in _SCHEMES)}")
    kind, is_tls = _SCHEMES[scheme]
    rest, _, query = rest.partition("?")
    login, _, rest = rest.rpartition("@")
    user, _, password = login.partition(":")
    places, slash, path = rest.partition("/")
    options = _read_options(query, kind, is_tls, is_unix=scheme == "unix")
    if scheme == "unix":
        endpoints, name, db = _read_socket(places, slash + path), "", _read_db(options.pop("db", ""))
    else:
        endpoints = _read_endpoints(places, SENTINEL_PORT if kind == "sentinel" else DEFAULT_PORT)
        name, db = _read_path(kind, path, len(endpoints))
    return RedisUrl(kind, endpoints, is_tls, unquote(user), unquote(password), db, name, **options)


def _read_options(query: str, kind: Kind, is_tls: bool, is_unix: bool) -> dict[str, str]:
    known = (*_OPTIONS[kind], *(("ca",) if is_tls else ()), *(("db",) if is_unix else ()))
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise BadUrl(f"unknown option {unknown[0]!r}; here there are {', '.join(known) if known else 'none'}")
    return options


def _read_socket(host: str, path: str) -> tuple[Endpoint, ...]:
    if host or len(path) < 2:
        raise BadUrl("unix:// is followed by an absolute path: unix:///run/redis/redis.sock")
    return (Endpoint(path=unquote(path)),)


def _read_endpoints(places: str, default_port: int) -> tuple[Endpoint, ...]:
    return tuple(_read_endpoint(place, default_port) for place in places.split(","))


def _read_endpoint(place: str, default_port: int) -> Endpoint:
    """One of HOST, HOST:PORT, [ADDRESS]:PORT."""
    host, bracket, tail = place.partition("]")
    host, colon, port = (host.removeprefix("["), *tail.partition(":")[1:]) if bracket else place.partition(":")
    if not host or "[" in host or any(letter.isspace() for letter in host):
        raise BadUrl(f"not a host: {place!r}")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65_535):
        raise BadUrl(f"not a port: {port!r}")
    return Endpoint(host, int(port) if colon else default_port)


def _read_path(kind: Kind, path: str, count: int) -> tuple[str, int]:
    """The primary's name, and the database."""
    if kind == "cluster" and path:
        raise BadUrl("a Cluster has no databases: nothing may follow the hosts")
    if kind == "standalone" and count > 1:
        raise BadUrl("several hosts are for sentinel:// and redis+cluster://")
    if kind == "standalone":
        return "", _read_db(path)
    name, _, db = path.partition("/")
    if kind == "sentinel" and not name:
        raise BadUrl("the hosts of Sentinels are followed by what they call the primary: sentinel://a,b,c/NAME")
    return unquote(name), _read_db(db)


def _read_db(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and int(text) <= MAX_DB):
        raise BadUrl(f"not the number of a database: {text!r}")
    return int(text or 0)


# --- who the primaries are


class Primary(Struct, frozen=True):
    """A primary and the slots that it has: ranges, both ends included."""

    endpoint: Endpoint
    slots: tuple[tuple[int, int], ...] = ((0, LAST_SLOT),)

    def has(self, slot: int) -> bool:
        """Whether the slot is this primary's."""
        return any(first <= slot <= last for first, last in self.slots)


class NotFound(Exception):
    """Nobody could say who the primaries are; `reasons` has one line for each that was asked."""

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__(reasons)
        self.reasons = reasons

    def __str__(self) -> str:
        return "; ".join(self.reasons)


class BadAnswer(Exception):
    """An answer that does not say who the primaries are."""


def read_master(answer: Any, name: str) -> tuple[Primary, ...]:
    """What a Sentinel answered to GET-MASTER-ADDR-BY-NAME. Raises BadAnswer."""
    if answer is None:
        raise BadAnswer(f"this Sentinel knows no primary {name!r}")
    match _value(answer):
        case [bytes(host), bytes(port)] if port.isdigit():
            return (Primary(Endpoint(host.decode(), int(port))),)
    raise BadAnswer(f"not an address: {answer!r:.100}")


def read_shards(answer: Any, asked: Endpoint, is_tls: bool) -> tuple[Primary, ...]:
    """The primaries that CLUSTER SHARDS names, by their slots; slots of a shard whose primary is away are nobody's.

    A node that does not know its own address means the one where it was asked. Raises BadAnswer.
    """
    try:
        found = sorted(_read_primaries(_value(answer), asked, is_tls), key=lambda primary: primary.slots)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadAnswer(f"not the shards of a Cluster: {answer!r:.100}") from error
    if not found:
        raise BadAnswer("no primary of the Cluster is up")
    return tuple(found)


def _value(answer: Any) -> Any:
    if isinstance(answer, ReplyError):
        raise BadAnswer(str(answer))
    if isinstance(answer, Unavailable):
        raise BadAnswer(answer.reason)
    return answer


def _read_primaries(shards: Any, asked: Endpoint, is_tls: bool) -> Iterator[Primary]:
    for shard in shards:
        slots = tuple(zip(shard[b"slots"][::2], shard[b"slots"][1::2], strict=True))
        for node in shard[b"nodes"]:
            # After a fail-over there is a second one, which is not online.
            if slots and node[b"role"] == b"master" and node[b"health"] == b"online":
                host = node[b"endpoint"] or b""
                port = node[b"tls-port" if is_tls else b"port"]
                yield Primary(Endpoint(host.decode().strip("?") or asked.host, port), slots)


def means_elsewhere(answer: Any) -> bool:
    """Whether an answer says that this Redis is not, or not now, the one to ask: nothing was executed, look again."""
    return isinstance(answer, ReplyError) and str(answer).partition(" ")[0] in _ELSEWHERE


class Topology:
    """Finds the primaries that a URL leads to. Raises OSError if its file of certificates cannot be read."""

    def __init__(self, url: RedisUrl, name: str = "pushdesk") -> None:
        self.url = url
        tls = ssl.create_default_context(cafile=url.ca or None) if url.is_tls else None
        self.access = Access(url.user, url.password, url.db, tls, name)
        """For links to the primaries."""
        self._guide_access = Access(url.sentinel_user, url.sentinel_password, 0, tls, name)
        if url.kind != "sentinel":
            self._guide_access = self.access
        self.interval = SENTINEL_INTERVAL if url.kind == "sentinel" else None
        """Seconds after which one has to look again even without a sign; None: a Redis says itself that it is not the one."""
        # Who to ask, the one that answered last in front.
        self._guides = list(url.endpoints)

    async def find(self) -> tuple[Primary, ...]:
        """The primaries, by their slots. Raises NotFound."""
        if self.url.kind == "standalone":
            return (Primary(self.url.endpoints[0]),)
        reasons = []
        for guide in self._guides.copy():
            try:
                found = await self._ask(guide)
            except LinkFailed as failed:
                reasons.append(str(failed))
                continue
            self._remember(guide, found)
            return found
        raise NotFound(reasons)

    async def _ask(self, guide: Endpoint) -> tuple[Primary, ...]:
        link = Link(guide, self._guide_access)
        await link.connect()
        try:
            if self.url.kind == "sentinel":
                answer = await link.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.url.name)
                found = read_master(answer, self.url.name)
            else:
                found = read_shards(await link.ask("CLUSTER", "SHARDS"), guide, self.url.is_tls)
        except BadAnswer as bad:
            raise LinkFailed(guide, str(bad)) from bad
        finally:
            link.abort("asked")
        return found

    def _remember(self, guide: Endpoint, found: Sequence[Primary]) -> None:
        """Ask those first that are sure to know; those of the URL stay, should all others go."""
        known = [primary.endpoint for primary in found] if self.url.kind == "cluster" else []
        self._guides = list(dict.fromkeys((guide, *known, *self.url.endpoints, *self._guides)))[:_MAX_GUIDES]
