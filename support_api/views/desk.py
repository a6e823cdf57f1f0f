"""What the handlers work with: the parts of the desk under one typed key of the application. No logic."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiohttp import web

from pushdesk.origins import Origins
from relay.client import PushlerClient
from support_api.config import Settings
from support_api.models.tickets import OpenLimits
from support_api.services import Services
from support_api.services.passwords import Passwords
from support_api.services.rates import Rate
from support_api.services.reception import Reception
from support_api.services.tokens import Tokens
from support_api.services.typing import Typing

# Failed log-ins of one address, or /64 network of IPv6, with one e-mail …
LOGIN_FAILURES: Final = 10

# Failed log-ins of it, with whatever e-mails …
ADDRESS_LOGIN_FAILURES: Final = 50

# … within this many seconds; then log-ins wait.
LOGIN_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How often callers may do what."""

    tickets: Rate
    messages: Rate
    reads: Rate
    open_tickets: OpenLimits
    logins: Rate
    address_logins: Rate


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of one running desk."""

    settings: Settings
    services: Services
    relay: PushlerClient
    tokens: Tokens
    passwords: Passwords
    limits: Limits
    typing: Typing
    reception: Reception
    # Other sites whose pages may call the visitors' API.
    origins: Origins


class Callers(Enum):
    """Whose pages may call an address."""

    OWN = "only our own pages"
    LISTED = "also pages of allowed origins, without cookies"
    ANY = "pages of any site: there is nothing to protect"


DESK: Final = web.AppKey("desk", Desk)
CALLERS: Final = web.AppKey("callers", Mapping[str, Callers])
