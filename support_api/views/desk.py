"""What the handlers work with: the parts of the desk under one typed key of the application. No logic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from aiohttp import web

from pushdesk.origins import Origins
from pushdesk.ratelimit import SlidingWindow
from relay.client import PushlerClient
from support_api.config import Settings
from support_api.delivery.notices import Notices
from support_api.models.tickets import OpenLimits
from support_api.services.passwords import Passwords
from support_api.services.reception import Reception
from support_api.services.tokens import Tokens
from support_api.store import Store

LOGIN_FAILURES = 10
"""Failed log-ins of one address, or /64 network of IPv6, with one e-mail …"""

ADDRESS_LOGIN_FAILURES = 50
"""Failed log-ins of it, with whatever e-mails …"""

LOGIN_SECONDS = 300.0
"""… within this many seconds; then log-ins wait."""

TYPING_SECONDS = 1.0
"""One person's "is typing" in one ticket goes out at most this often; more are swallowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How often callers may do what."""

    tickets: SlidingWindow
    messages: SlidingWindow
    open_tickets: OpenLimits
    logins: SlidingWindow = field(default_factory=lambda: SlidingWindow(LOGIN_FAILURES, LOGIN_SECONDS))
    address_logins: SlidingWindow = field(default_factory=lambda: SlidingWindow(ADDRESS_LOGIN_FAILURES, LOGIN_SECONDS))
    typing: SlidingWindow = field(default_factory=lambda: SlidingWindow(1, TYPING_SECONDS))


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts of one running desk."""

    settings: Settings
    store: Store
    relay: PushlerClient
    tokens: Tokens
    passwords: Passwords
    notices: Notices
    limits: Limits
    reception: Reception
    origins: Origins
    """Other sites whose pages may call the visitors' API."""


class Callers(Enum):
    """Whose pages may call an address."""

    OWN = "only our own pages"
    LISTED = "also pages of allowed origins, without cookies"
    ANY = "pages of any site: there is nothing to protect"


DESK = web.AppKey("desk", Desk)
CALLERS = web.AppKey("callers", Mapping[str, Callers])
