"""The operators' calls: log in and out, the heartbeat, my tickets and the queue, and tickets that change hands."""

import hashlib
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import structlog
from aiohttp import web

from support_api.errors import InvalidField, WrongLogin
from support_api.models.ids import MAX_ID
from support_api.models.operators import Credentials, Identity, Operator, OperatorStatus
from support_api.rules.assignment import is_online
from support_api.serializers import (
    colleague_json,
    note_json,
    operator_json,
    presence_json,
    staff_json,
    summary_json,
    ticket_json,
)
from support_api.services.rates import Rate
from support_api.services.tokens import new_session_id, session_hash
from support_api.views.desk import DESK, Desk, Limits
from support_api.views.fields import Fields, body_fields, query_fields
from support_api.views.identity import forget_operator, logged_in, operator_of, remember_operator, session_hash_of
from support_api.views.limits import ensure_not_too_often, sender_key
from support_api.views.proxies import address_of, network_of
from support_api.views.responses import json_answer

# The highest limit of active tickets that operators may set for themselves.
MAX_TICKETS: Final = 100

_log = structlog.get_logger("support_api.operator")


async def login(request: web.Request) -> web.Response:
    """Opens a session for an e-mail with its password."""
    desk, fields = request.app[DESK], await body_fields(request)
    known = await _prove(request, desk, fields)
    session_id, operator = new_session_id(), known.operator
    expires_at = desk.services.database.now() + desk.tokens.operator_max_age
    hashed = session_hash(session_id)
    await desk.services.sessions.open(operator.id, known.password_hash, hashed, expires_at)
    answer = json_answer(operator_json(operator))
    remember_operator(request, answer, desk.tokens.sign_session(session_id))
    return answer


async def logout(request: web.Request) -> web.Response:
    """Ends the session, if there is one; with their last one the operator goes offline and the tickets go to others."""
    desk, operator, hashed = request.app[DESK], await operator_of(request), session_hash_of(request)
    if operator is not None and hashed is not None:
        await desk.services.sessions.close(operator.id, hashed)
        await desk.reception.look()
    answer = json_answer({})
    forget_operator(answer)
    return answer


async def me(request: web.Request) -> web.Response:
    """Who the operator is and how busy."""
    operator = await logged_in(request)
    presence = await request.app[DESK].services.operators.presence(operator.id)
    return json_answer(operator_json(operator) | presence_json(presence))


async def heartbeat(request: web.Request) -> web.Response:
    """Says that the operator is there, with which status and limit; they may get waiting tickets at once."""
    operator, fields = await logged_in(request), await body_fields(request)
    status = OperatorStatus(fields.choice("status", [one.value for one in OperatorStatus], OperatorStatus.ONLINE.value))
    max_tickets = fields.optional_integer("max_tickets", 0, MAX_TICKETS)
    desk = request.app[DESK]
    presence = await desk.services.operators.heartbeat(
        operator.id, status, max_tickets, session=session_hash_of(request)
    )
    await desk.reception.look()
    return json_answer(presence_json(presence))


async def my_tickets(request: web.Request) -> web.Response:
    """The operator's active tickets, oldest first."""
    operator = await logged_in(request)
    listed = await request.app[DESK].services.tickets.active_of(operator.id)
    return json_answer({"tickets": [summary_json(one, with_email=True) for one in listed]})


async def queue(request: web.Request) -> web.Response:
    """The tickets that wait, oldest first."""
    await logged_in(request)
    listed = await request.app[DESK].services.tickets.waiting()
    return json_answer({"tickets": [summary_json(one, with_email=False) for one in listed]})


async def colleagues(request: web.Request) -> web.Response:
    """The other operators whom a ticket may be handed to, in the order of their numbers."""
    desk, operator = request.app[DESK], await logged_in(request)
    timeout, now = timedelta(seconds=desk.settings.operator_timeout), desk.services.database.now()
    others = [pair for pair in await desk.services.operators.everybody() if pair[0].id != operator.id]
    return json_answer(
        {
            "operators": [
                colleague_json(one, presence, is_online=is_online(presence, timeout, now))
                for one, presence in others
                if not one.is_disabled
            ]
        }
    )


async def transfer_ticket(request: web.Request) -> web.Response:
    """Hands the operator's ticket over to a colleague, or without one back to the queue, for a group where one is named."""
    operator, fields = await logged_in(request), await body_fields(request)
    ticket_id, target_id = fields.ticket_id(), fields.optional_integer("operator_id", 1, MAX_ID)
    group_id, note = fields.optional_integer("group_id", 1, MAX_ID), fields.optional_content("note")
    over_limit, transfers = fields.boolean("over_limit"), request.app[DESK].services.transfers
    identity = _acting(request, operator)
    if target_id is None:
        ticket = await transfers.put_back(ticket_id, identity, group_id=group_id, note=note)
    elif group_id is None:
        ticket = await transfers.transfer(ticket_id, target_id, identity, over_limit=over_limit, note=note)
    else:
        raise InvalidField("group_id", "absent where operator_id is given")
    return json_answer({"ticket": ticket_json(ticket, with_email=False)})


async def groups(request: web.Request) -> web.Response:
    """All groups, by name."""
    await logged_in(request)
    listed = await request.app[DESK].services.groups.everyone()
    return json_answer({"groups": [staff_json(one) for one in listed]})


async def notes(request: web.Request) -> web.Response:
    """What operators noted about a ticket, oldest first."""
    operator, ticket_id = await logged_in(request), query_fields(request).ticket_id()
    found = await request.app[DESK].services.notes.of_ticket(ticket_id, Identity(operator=operator))
    return json_answer({"notes": [note_json(one) for one in found]})


async def snooze(request: web.Request) -> web.Response:
    """Lets the operator's ticket rest until a moment or the next message; without a moment no longer."""
    operator, fields = await logged_in(request), await body_fields(request)
    ticket_id, until = fields.ticket_id(), fields.moment("until")
    ticket = await request.app[DESK].services.silence.snooze(ticket_id, until, _acting(request, operator))
    return json_answer({"ticket": ticket_json(ticket, with_email=True)})


async def write_note(request: web.Request) -> web.Response:
    """Stores a note about a ticket, for operators alone."""
    desk, operator, fields = request.app[DESK], await logged_in(request), await body_fields(request)
    ticket_id, content, client_id = fields.ticket_id(), fields.content("content"), fields.client_id()
    identity = _acting(request, operator)
    await ensure_not_too_often(desk.limits.messages, sender_key(request, identity), "messages")
    note = await desk.services.notes.write(ticket_id, content, identity, client_id)
    return json_answer({"note": note_json(note)})


async def take_ticket(request: web.Request) -> web.Response:
    """Gives a waiting ticket to the operator who asks for it."""
    operator, fields = await logged_in(request), await body_fields(request)
    ticket_id, over_limit, transfers = (
        fields.ticket_id(),
        fields.boolean("over_limit"),
        request.app[DESK].services.transfers,
    )
    ticket = await transfers.take(ticket_id, _acting(request, operator), over_limit=over_limit)
    return json_answer({"ticket": ticket_json(ticket, with_email=True)})


def _acting(request: web.Request, operator: Operator) -> Identity:
    """The operator with their session, which is looked up again by what changes something: it may end while a body comes."""
    return Identity(operator=operator, session=session_hash_of(request))


async def _prove(request: web.Request, desk: Desk, fields: Fields) -> Credentials:
    email = fields.required_text("email", 255).lower()
    password = fields.password()
    async with _counted_unless_right(desk.limits, network_of(request), email):
        known = await desk.services.sessions.credentials(email)
        password_hash = None if known is None else known.password_hash
        if not await desk.passwords.matches(password_hash, password) or known is None:
            _log.info("login_failed", address=address_of(request), email_hash=_short_hash(email))
            raise WrongLogin
    return known


def _short_hash(email: str) -> str:
    """Tells attempts with one e-mail from those with others, and does not show what may be somebody's password."""
    return hashlib.sha256(email.encode()).hexdigest()[:12]


@asynccontextmanager
async def _counted_unless_right(limits: Limits, network: str, email: str) -> AsyncIterator[None]:
    """Counts a failed log-in, before the check, so that many attempts at once are no way around the limits."""
    rates: list[tuple[Rate, Hashable]] = [
        (limits.logins, (network, email)),
        (limits.address_logins, network),
    ]
    counted: list[tuple[Rate, Hashable]] = []
    try:
        for rate, key in rates:
            await ensure_not_too_often(rate, key, "failed log-ins")
            counted.append((rate, key))
        yield
    except WrongLogin:
        counted.clear()
        raise
    finally:
        for rate, key in counted:
            await rate.give_back(key)
