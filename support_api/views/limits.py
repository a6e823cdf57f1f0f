"""Refuses callers who come too often. The counting is done by a rate; here stands who counts as one caller."""

from collections.abc import Hashable

from aiohttp import web

from support_api.errors import TooMany
from support_api.models.operators import Identity
from support_api.services.rates import Rate
from support_api.views.proxies import network_of


async def ensure_not_too_often(rate: Rate, key: Hashable, what: str) -> None:
    """Counts one more `what` of this caller. Raises `TooMany`."""
    wait = await rate.count(key)
    if wait > 0:
        raise TooMany(what, wait)


def sender_key(request: web.Request, identity: Identity) -> Hashable:
    """Whom a message counts for: the operator's log-in, the visitor, or where it came from."""
    if identity.session is not None:
        return "session", identity.session
    if identity.visitor_id is not None:
        return "visitor", identity.visitor_id
    return "network", network_of(request)
