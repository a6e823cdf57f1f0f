"""Who sends a request: reads tokens from header and cookies, sets and clears the cookies. Who may do what, access says."""

from typing import Final

from aiohttp import hdrs, web

from support_api.models.operators import Identity, Operator
from support_api.rules.access import ensure_operator
from support_api.services.tokens import session_hash
from support_api.views.desk import DESK
from support_api.views.origins import is_foreign
from support_api.views.proxies import is_secure

VISITOR_COOKIE: Final = "visitor_id"
OPERATOR_COOKIE: Final = "operator_session"


async def identify(request: web.Request) -> Identity:
    """Everybody that the caller proves to be; what changes something looks the session up again."""
    return Identity(visitor_of(request), await operator_of(request), session_hash_of(request))


def claim(request: web.Request) -> Identity:
    """The same, but for the session, which the use case looks up in its own transaction."""
    return Identity(visitor_of(request), session=session_hash_of(request))


def visitor_of(request: web.Request) -> str | None:
    """The visitor's id by the Authorization header, or else by the cookie. A header with a bad token is not replaced by
    the cookie: the caller meant somebody else."""
    token = _bearer(request) or _cookie(request, VISITOR_COOKIE)
    return None if token is None else request.app[DESK].tokens.read_visitor(token)


async def operator_of(request: web.Request) -> Operator | None:
    """The operator whose session is open."""
    hashed = session_hash_of(request)
    return None if hashed is None else await request.app[DESK].services.sessions.operator_of(hashed)


async def logged_in(request: web.Request) -> Operator:
    """The operator. Raises `LoginNeeded`."""
    return ensure_operator(Identity(operator=await operator_of(request)))


def session_hash_of(request: web.Request) -> str | None:
    """Under what the caller's session is stored, if their cookie is genuine."""
    token = _cookie(request, OPERATOR_COOKIE)
    session_id = None if token is None else request.app[DESK].tokens.read_session(token)
    return None if session_id is None else session_hash(session_id)


def remember_visitor(request: web.Request, response: web.Response, token: str) -> None:
    """Sets the visitor's cookie; for a page of another site it would count for nothing, so there it is not set."""
    if not is_foreign(request):
        age = request.app[DESK].tokens.visitor_max_age
        _set(request, response, VISITOR_COOKIE, token, int(age.total_seconds()))


def remember_operator(request: web.Request, response: web.Response, token: str) -> None:
    """Sets the operator's cookie."""
    age = request.app[DESK].tokens.operator_max_age
    _set(request, response, OPERATOR_COOKIE, token, int(age.total_seconds()))


def forget_operator(response: web.Response) -> None:
    """Clears the operator's cookie."""
    response.del_cookie(OPERATOR_COOKIE, path="/", httponly=True, samesite="Lax")


def _set(request: web.Request, response: web.Response, name: str, token: str, seconds: int) -> None:
    secure = is_secure(request)
    response.set_cookie(name, token, max_age=seconds, path="/", httponly=True, samesite="Lax", secure=secure)


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None


def _cookie(request: web.Request, name: str) -> str | None:
    return None if is_foreign(request) else request.cookies.get(name)
