"""The settings of the relay: a TOML file, then the environment; one frozen value, validated whole.

The only file of the relay that reads the environment. Every wrong key is named, with what was expected.
"""

import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from pushdesk import origins
from pushdesk.addresses import is_loopback, parse_networks
from pushdesk.reach import sign_of_outside
from pushdesk.settings import ConfigError, Secret, read_sources
from relay.apps import DEVELOPMENT_APP, DEVELOPMENT_SECRET, App, Apps, ChannelHistory, KeyPair, Webhook
from relay.cluster.keys import DEFAULT_PREFIX, LOG_ENTRIES
from relay.cluster.redis.topology import BadUrl, parse_url
from relay.protocol.limits import Limits

T = TypeVar("T", bound=Struct)

PREFIX: Final = "RELAY_"
# Characters of a secret that may be tried from other machines; hosted ones have 20.
SECRET_LENGTH: Final = 16

_TABLES: Final[dict[str, type[Struct]]] = {
    "apps": App,
    "webhooks": Webhook,
    "other_keys": KeyPair,
    "history": ChannelHistory,
}
# A list of the environment has commas between its items.
_LISTS: Final = ("trusted_proxies",)
_APP_FIELDS: Final = ("id", "key", "secret")
_FILE_VARIABLE: Final = "RELAY_CONFIG"

# What a secret may be that is no app's.
_Password = Annotated[str, Meta(max_length=200)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How one relay process runs. `check-config` prints these; docs/configuration.md explains them."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: Annotated[int, Meta(ge=0, le=65_535)] = 6001
    """The port to listen on; 0 takes any free one."""

    path_prefix: Annotated[str, Meta(pattern=r"\A(/[A-Za-z0-9_.-]+)*\Z")] = ""
    """What stands before /app/ and /apps/ in every path, "/realtime" for example, where a proxy leaves it there."""

    tls_certificate: str = ""
    """A file with the certificate chain, PEM; empty: no TLS. Read again when it changes."""

    tls_key: str = ""
    """A file with the certificate's private key, PEM; empty: it is in the same file."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and networks of reverse proxies, "127.0.0.1" and "10.0.0.0/8": what they say in X-Forwarded-For counts."""

    activity_timeout: Annotated[int, Meta(ge=1, le=3_600)] = 30
    """Seconds after which a silent client pings by itself: half of what proxies allow a silent connection. Hosted: 120."""

    backlog_bytes: Annotated[int, Meta(ge=16_384)] = 1_048_576
    """Bytes that may wait for a client that does not read; over it, the client is cut with 4100."""

    accept_rate: Annotated[int, Meta(ge=0)] = 1_000
    """New connections a second that a node accepts on average, twice as many at once; the others wait in the system's queue
    of 4,096. 0: no limit."""

    stop_spread: Annotated[float, Meta(ge=0, le=600)] = 0
    """Seconds over which a stop closes the connections, so that they do not all come back at once to the other nodes. 0, for
    a relay alone: at once, and clients come back after a pause."""

    redis_url: Annotated[str, Meta(max_length=2_000)] = ""
    """The Redis or Valkey over which several nodes are one relay; empty: this one is alone. See `parse_url` for its forms."""

    redis_prefix: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:-]{1,50}\Z")] = DEFAULT_PREFIX
    """What all keys in Redis begin with; nodes of one relay share it, other relays in the same Redis have another one."""

    redis_partitions: Annotated[int, Meta(ge=0, le=1_024)] = 0
    """Into how many parts the relay is divided in Redis, the same on all nodes; 0: 1, in a Redis Cluster 64."""

    redis_log: Annotated[int, Meta(ge=1_000, le=10_000_000)] = LOG_ENTRIES
    """Messages that Redis keeps of each part, for nodes whose connection was cut."""

    on_gap: Literal["tell", "reconnect"] = "tell"
    """When this node was cut off for so long that messages are lost: only say so, or have the clients concerned come back."""

    workers: Annotated[int, Meta(ge=0, le=256)] = 1
    """Processes that serve, beside each other on the same port; 0: one for each core. More than one need redis-server."""

    metrics_host: str = "127.0.0.1"
    """The address of the metrics."""

    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """The port of the metrics; 0 for none. It is a port of its own, so that a proxy does not publish it."""

    console_host: str = "127.0.0.1"
    """The address of the console."""

    console_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """The port of the console; 0 for none. It is a port of its own, so that a proxy does not publish it."""

    console_password: Secret = Secret("")
    """What the console asks for; empty: nothing, of this machine's own browsers alone."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    log_format: Literal["console", "json"] = "console"

    apps: tuple[App, ...] = (DEVELOPMENT_APP,)
    """The apps. Without any in the file or the environment: one for development, for this machine alone."""

    def shown(self) -> dict[str, str]:
        """Each setting as text, secrets masked."""
        shown = {name: repr(getattr(self, name)) for name in self.__struct_fields__}
        return shown | {"redis_url": repr(str(parse_url(self.redis_url)) if self.redis_url else "")}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={text}' for name, text in self.shown().items())})"


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of this process. Raises ConfigError."""
    sources = read_sources(PREFIX, environ)
    values = sources.file
    problems = sources.problems + _merge_environment(values, sources.variables)
    # A setting of the environment is named as it is named there.
    variables = {name: f"{PREFIX}{name.upper()}" for name in values if f"{PREFIX}{name.upper()}" in environ}
    fields = dict(_convert_fields(Settings, values, "", problems, variables))
    if not problems:
        settings = Settings(**fields)
        problems += _check_whole(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def _merge_environment(values: dict[str, Any], variables: Mapping[str, str]) -> list[str]:
    """Lay the variables of the environment over `values`; returns what is wrong with them."""
    scalars = [name for name in Settings.__struct_fields__ if name != "apps"]
    app: dict[str, str] = {}
    problems = []
    for variable, text in variables.items():
        name = variable.removeprefix(PREFIX).lower()
        if name in _LISTS:
            values[name] = [item.strip() for item in text.split(",") if item.strip()]
        elif name in scalars:
            values[name] = text
        elif name.removeprefix("app_") in _APP_FIELDS and name.startswith("app_"):
            app[name.removeprefix("app_")] = text
        else:
            known = ", ".join([*(f"{PREFIX}{known.upper()}" for known in scalars), *_app_variables(), _FILE_VARIABLE])
            problems.append(f"{variable}: unknown; known are {known}")
    if app:
        problems += _merge_app(values, app)
    return problems


def _merge_app(values: dict[str, Any], app: dict[str, str]) -> list[str]:
    """Add the app of the environment, in the place of the file's app of that id."""
    missing = [variable for variable, name in zip(_app_variables(), _APP_FIELDS, strict=True) if name not in app]
    if missing:
        return [f"{', '.join(missing)}: missing; an app in the environment needs {', '.join(_app_variables())}"]
    others = values.get("apps", [])
    if isinstance(others, list):
        values["apps"] = [item for item in others if not isinstance(item, dict) or item.get("id") != app["id"]] + [app]
    return []


def _app_variables() -> list[str]:
    return [f"{PREFIX}APP_{name.upper()}" for name in _APP_FIELDS]


def _convert_fields(
    shape: type[Struct],
    values: Mapping[str, Any],
    where: str,
    problems: list[str],
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[tuple[str, Any]]:
    """Each field of `values` that fits `shape`, converted; what does not fit is added to `problems` under its full name."""
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    problems += [f"{where}{name}: unknown; known are {', '.join(fields)}" for name in values if name not in fields]
    for name, field in fields.items():
        path = variables.get(name, f"{where}{name}")
        if name not in values:
            if field.required:
                problems.append(f"{path}: missing")
        elif name in _TABLES:
            yield name, _convert_tables(_TABLES[name], values[name], path, problems)
        elif name == "limits":
            yield name, _convert_struct(Limits, values[name], path, problems)
        else:
            try:
                # Values of the environment are text: numbers and switches are read from it.
                yield name, msgspec.convert(values[name], field.type, strict=False, dec_hook=_convert_secret)
            except msgspec.ValidationError as error:
                problems.append(f"{path}: {_expectation(field.type, error)}")


def _convert_secret(shape: type, value: object) -> Secret:
    """What msgspec does not know: see its dec_hook."""
    if shape is not Secret:
        raise NotImplementedError(shape)
    return Secret(msgspec.convert(value, _Password))


def _convert_tables(shape: type[T], values: object, where: str, problems: list[str]) -> tuple[T, ...]:
    if not isinstance(values, list):
        problems.append(f"{where}: expected tables [[{where}]]")
        return ()
    items = [_convert_struct(shape, value, f"{where}[{at}]", problems) for at, value in enumerate(values)]
    return tuple(item for item in items if item is not None)


def _convert_struct(shape: type[T], value: object, where: str, problems: list[str]) -> T | None:
    if not isinstance(value, dict):
        problems.append(f"{where}: expected a table")
        return None
    before = len(problems)
    fields = dict(_convert_fields(shape, value, f"{where}.", problems))
    if len(problems) > before:
        return None
    made = shape(**fields)
    if isinstance(made, App):
        problems += _origin_faults(made, where) + _history_faults(made, where)
    return made


def _history_faults(app: App, where: str) -> list[str]:
    """What is wrong with the histories of an app, one beside the other."""
    prefixes = [history.prefix for history in app.history]
    twice = {prefix for prefix in prefixes if prefixes.count(prefix) > 1}
    return [f"{where}.history: expected one for each prefix, {prefix!r} has several" for prefix in sorted(twice)]


def _origin_faults(app: App, where: str) -> list[str]:
    """What is wrong with the origins of an app, which are understood here, once."""
    try:
        _ = app.origins
    except origins.BadOrigin as error:
        return [f"{where}.allowed_origins: expected {origins.EXPECTED}: {error}"]
    return []


def _expectation(shape: object, error: msgspec.ValidationError) -> str:
    """What was expected, in the words of this file; it never repeats the value, which may be a secret."""
    if get_origin(shape) is Literal:
        return f"expected one of {', '.join(get_args(shape))}"
    message = str(error)
    return message[:1].lower() + message[1:]


def _weak_secrets(settings: Settings) -> list[str]:
    """What is wrong when secrets that everybody knows or can find out would guard more than this machine."""
    sign = _sign_of_outside(settings)
    if sign is None:
        return []
    secrets = {f"the secret of {app.id!r}": app.secret for app in settings.apps} | {
        f"the secret of {pair.key!r}, in the other_keys of {app.id!r},": pair.secret
        for app in settings.apps
        for pair in app.other_keys
    }
    problems = [
        f"apps: {name} has fewer than {SECRET_LENGTH} characters, which can be guessed from outside ({sign}); "
        "set one that is long and random"
        for name, secret in secrets.items()
        if len(secret) < SECRET_LENGTH and secret != DEVELOPMENT_SECRET
    ]
    if DEVELOPMENT_SECRET in secrets.values():
        problems.append(
            f"{sign}, and an app has the development secret that everybody knows; "
            f"set {', '.join(_app_variables())}, or [[apps]] in the file that {_FILE_VARIABLE} names"
        )
    return problems


def _sign_of_outside(settings: Settings) -> str | None:
    """What says that other machines reach this relay."""
    # For an app, to let all pages in is the default and says nothing.
    named = {
        f"apps[{at}].allowed_origins": [entry for entry in app.allowed_origins if entry != origins.ANY]
        for at, app in enumerate(settings.apps)
    }
    return sign_of_outside(
        hosts={"host": settings.host},
        proxies={"trusted_proxies": settings.trusted_proxies},
        urls={},
        origins=named,
        certificates={"tls_certificate": settings.tls_certificate},
    )


def _check_whole(settings: Settings) -> list[str]:
    """What is wrong between fields that are right one by one."""
    problems = []
    try:
        Apps(settings.apps)
    except ValueError as error:
        problems.append(f"apps: {error}")
    try:
        parse_networks(settings.trusted_proxies)
    except ValueError as error:
        problems.append(f"trusted_proxies: expected addresses and networks such as 127.0.0.1, 10.0.0.0/8: {error}")
    try:
        if settings.redis_url:
            parse_url(settings.redis_url)
    except BadUrl as error:
        problems.append(f"redis_url: expected redis://HOST:PORT, or another URL of a Redis: {error}")
    if not settings.apps:
        problems.append("apps: expected at least one [[apps]] table")
    problems += _weak_secrets(settings)
    # Whoever reaches the console sees everything, and may publish.
    password = settings.console_password.reveal()
    is_open = not is_loopback(settings.console_host) and len(password) < SECRET_LENGTH
    if settings.console_port and is_open:
        problems.append(
            f"console_host: {settings.console_host} is not a loopback address: the console needs a console_password "
            f"({PREFIX}CONSOLE_PASSWORD) of at least {SECRET_LENGTH} characters there; or leave it on 127.0.0.1 "
            "and reach it through an SSH tunnel"
        )
    elif settings.console_port and settings.trusted_proxies and 0 < len(password) < SECRET_LENGTH:
        problems.append(
            f"console_password: expected at least {SECRET_LENGTH} characters where there are trusted_proxies, which may "
            "bring the console's visitors too; or none, and the console refuses what comes through a proxy"
        )
    return problems
