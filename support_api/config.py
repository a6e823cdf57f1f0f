"""The settings of the support desk: one frozen value, from a TOML file and then the environment, validated whole.

The only module of the desk that reads the environment. Secrets show as *** wherever a setting is printed.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import urlsplit

from pushdesk import origins
from pushdesk.addresses import Network, parse_networks
from pushdesk.reach import sign_of_outside
from pushdesk.settings import ConfigError, Secret, read_sources
from support_api.wording import LANGUAGES

ENV_PREFIX: Final = "SUPPORT_"
DEFAULT_SECRET_KEY: Final = "development-secret"  # noqa: S105 - known to everybody; refused outside loopback
DEFAULT_RELAY_SECRET: Final = "app-secret"  # noqa: S105 - known to everybody; refused outside loopback

# Characters of the shortest key of tokens outside loopback: one token is enough to try keys against at leisure.
MIN_SECRET_KEY: Final = 32

# Characters of the shortest secret of the relay's app outside loopback; those of other Pusher services have 20.
MIN_RELAY_SECRET: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings; the field's name is the key in TOML, and with SUPPORT_ in front and in capitals in the environment."""

    # Address to listen on.
    host: str = "127.0.0.1"
    # Port to listen on; 0 takes a free one.
    port: int = 8080
    # An SQLite file (three slashes before a relative path, four before an absolute one) or a PostgreSQL database.
    database_url: str = "sqlite:///data/pushdesk.sqlite3"
    # Where this process reaches the relay.
    relay_url: str = "http://127.0.0.1:6001"
    # Where browsers reach the relay; empty: the same.
    relay_public_url: str = ""
    relay_app_id: str = "1"
    relay_app_key: str = "app-key"
    relay_app_secret: Secret = Secret(DEFAULT_RELAY_SECRET)
    # Keys of all tokens (SUPPORT_SECRET_KEY, comma list): the first signs, all are accepted.
    secret_keys: tuple[Secret, ...] = (Secret(DEFAULT_SECRET_KEY),)
    # Origins of other sites whose pages may call the visitors' API, as pushdesk.origins reads them; `*` means any.
    allowed_origins: tuple[str, ...] = ()
    # Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto count; others' do not.
    trusted_proxies: tuple[Network, ...] = ()
    # Seconds without a heartbeat after which an operator counts as gone and gets no new tickets.
    operator_timeout: int = 60
    # Seconds that a gone operator keeps their tickets after that; then these go back to the queue.
    operator_grace: int = 60
    # New tickets from one address, or from one /64 network of IPv6; 0: no limit.
    tickets_per_minute: int = 120
    # Tickets that one visitor may have open; 0: no limit.
    open_tickets_per_visitor: int = 3
    # Tickets that may be open from one IPv4 address or one /64 network of IPv6; 0: no limit.
    open_tickets_per_network: int = 20
    # Messages of one sender; 0: no limit.
    messages_per_minute: int = 300
    # Seconds between two looks for tickets that wait although somebody is free.
    sweep_interval: int = 5
    # Minutes after the operator's last word in which a visitor may be silent until they are asked whether they are there …
    warn_after_minutes: int = 0
    # … and until the chat is closed; 0: never.
    close_after_minutes: int = 0
    # Seconds in which an operator answers before the chat goes to another one; 0: it stays.
    answer_within_seconds: int = 0
    # Hours after its end in which a visitor may go on with their chat; 0: never.
    reopen_within_hours: int = 24
    # What the system says to visitors, for clients that do not write it themselves: ru or en.
    language: str = "ru"
    # Whether the relay is this project's own, which can end a user's subscriptions; false: another Pusher server.
    relay_extensions: bool = True
    log_level: str = "info"
    log_format: str = "console"

    @property
    def browser_relay_url(self) -> str:
        """Where browsers reach the relay."""
        return self.relay_public_url or self.relay_url

    @property
    def keys(self) -> list[str]:
        """The keys of all tokens in the clear."""
        return [key.reveal() for key in self.secret_keys]


Parser = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class _Rule:
    expected: str
    parse: Parser


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def _whole(low: int, high: int) -> _Rule:
    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return _Rule(f"a whole number from {low} to {high}", parse)


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = _text(value).lower()
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _one_of(*choices: str) -> _Rule:
    def parse(value: object) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return _Rule("one of " + ", ".join(choices), parse)


def _http_url(value: object) -> str:
    text = _text(value)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError
    _ = parts.port  # raises ValueError for a port that is none
    return text.rstrip("/")


def _optional_http_url(value: object) -> str:
    return "" if value == "" else _http_url(value)


class DatabaseUrl(str):
    """A URL that shows without its password where settings are shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_SECRET_OPTION.sub(r"\1***", _PASSWORD.sub(r"\1:***", self)))


# In postgresql://user:password@host: it may hold anything but what ends it. Or an option, as libpq takes it.
_PASSWORD: Final = re.compile(r"(?<=://)([^/?#:]*):[^/?#]*(?=@)")
_SECRET_OPTION: Final = re.compile(r"(?<=[?&])((?:ssl)?password=)[^&]*", re.IGNORECASE)


def _database_url(value: object) -> DatabaseUrl:
    text = _text(value)
    if not re.fullmatch(r"sqlite:///[^?]+|postgres(?:ql)?://\S+", text) or text == "sqlite:///:memory:":
        raise ValueError
    _ = urlsplit(text).port  # raises ValueError for a port that is none
    return DatabaseUrl(text)


def _secret(value: object) -> Secret:
    return Secret(_text(value))


def _secrets(value: object) -> tuple[Secret, ...]:
    found = tuple(Secret(one) for one in _items(value))
    if not found:
        raise ValueError
    return found


def _origins(value: object) -> tuple[str, ...]:
    return origins.Origins(_items(value)).entries


def _networks(value: object) -> tuple[Network, ...]:
    return parse_networks(_items(value))


def _items(value: object) -> list[str]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError
    return [one.strip() for one in value if one.strip()]


_NAME: Final = _Rule("a text", _text)
_RULES: dict[str, _Rule] = {
    "host": _Rule("an address or a host name", _text),
    "port": _whole(0, 65535),
    "database_url": _Rule("sqlite:///path/to/file or postgresql://user:password@host:5432/name", _database_url),
    "relay_url": _Rule("http://host:port or https://host", _http_url),
    "relay_public_url": _Rule("http://host:port, https://host or nothing", _optional_http_url),
    "relay_app_id": _NAME,
    "relay_app_key": _NAME,
    "relay_app_secret": _Rule("a text", _secret),
    "secret_key": _Rule("one or more keys with commas between", _secrets),
    "allowed_origins": _Rule(f"a list, with commas between, of {origins.EXPECTED}", _origins),
    "trusted_proxies": _Rule("addresses or networks like 127.0.0.1, 10.0.0.0/8 with commas between", _networks),
    "operator_timeout": _whole(1, 86400),
    "operator_grace": _whole(0, 86400),
    "tickets_per_minute": _whole(0, 1_000_000),
    "open_tickets_per_visitor": _whole(0, 1_000_000),
    "open_tickets_per_network": _whole(0, 1_000_000),
    "messages_per_minute": _whole(0, 1_000_000),
    "sweep_interval": _whole(1, 3600),
    "warn_after_minutes": _whole(0, 43_200),
    "close_after_minutes": _whole(0, 43_200),
    "answer_within_seconds": _whole(0, 86_400),
    "reopen_within_hours": _whole(0, 8760),
    "language": _one_of(*LANGUAGES),
    "relay_extensions": _Rule("true or false", _boolean),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "log_format": _one_of("console", "json"),
}
_FIELD_OF: Final = {key: "secret_keys" if key == "secret_key" else key for key in _RULES}


def load(environ: Mapping[str, str]) -> Settings:
    """Reads the TOML file that SUPPORT_CONFIG names, then the environment over it. Raises `ConfigError` with all faults."""
    sources = read_sources(ENV_PREFIX, environ)
    problems = sources.problems
    found: dict[str, Any] = {}
    for key, value in sources.file.items():
        _take(key, key, value, found, problems)
    for name, text in sources.variables.items():
        _take(name, name.removeprefix(ENV_PREFIX).lower(), text, found, problems)
    settings = Settings(**found)
    problems += _weak_secrets(settings)
    if problems:
        raise ConfigError(problems)
    return settings


def _weak_secrets(settings: Settings) -> list[str]:
    """What is wrong when secrets that everybody knows or can find out would guard more than this machine."""
    sign = _sign_of_outside(settings)
    if sign is None:
        return []
    problems = []
    if any(key == DEFAULT_SECRET_KEY or len(key) < MIN_SECRET_KEY for key in settings.keys):
        wanted = f"secrets of your own, each of at least {MIN_SECRET_KEY} characters"
        problems.append(f"SUPPORT_SECRET_KEY: expected {wanted}, where others reach the desk ({sign})")
    relay_secret = settings.relay_app_secret.reveal()
    if relay_secret == DEFAULT_RELAY_SECRET or len(relay_secret) < MIN_RELAY_SECRET:
        wanted = f"a secret of your own, of at least {MIN_RELAY_SECRET} characters, the same as the relay's"
        problems.append(f"SUPPORT_RELAY_APP_SECRET: expected {wanted}, where others reach the desk ({sign})")
    return problems


def _sign_of_outside(settings: Settings) -> str | None:
    """What says that other machines reach this desk, or its relay."""
    public = {"SUPPORT_RELAY_PUBLIC_URL": settings.relay_public_url} if settings.relay_public_url else {}
    return sign_of_outside(
        hosts={"SUPPORT_HOST": settings.host},
        proxies={"SUPPORT_TRUSTED_PROXIES": settings.trusted_proxies},
        urls=public | {"SUPPORT_RELAY_URL": settings.relay_url},
        origins={"SUPPORT_ALLOWED_ORIGINS": settings.allowed_origins},
        certificates={},
    )


def describe(settings: Settings) -> list[str]:
    """The settings as lines of `key = value`; secrets are masked."""
    return [f"{one.name} = {getattr(settings, one.name)!r}" for one in fields(settings)]


def _take(shown: str, key: str, value: object, found: dict[str, Any], problems: list[str]) -> None:
    rule = _RULES.get(key)
    if rule is None:
        known = [ENV_PREFIX + one.upper() for one in _RULES] if shown.startswith(ENV_PREFIX) else list(_RULES)
        problems.append(f"{shown}: unknown setting, expected one of {', '.join(known)}")
        return
    try:
        found[_FIELD_OF[key]] = rule.parse(value)
    except origins.BadOrigin as error:
        problems.append(f"{shown}: expected {rule.expected}: {error}")
    except ValueError:
        problems.append(f"{shown}: expected {rule.expected}")
