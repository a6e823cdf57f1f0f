"""Every way a request to the support desk can be refused: one catalogue, grouped by what the caller must do next.

Each class carries its HTTP status and a short code for programs; the text for people is made when the answer is written.
The module must not know HTTP requests, SQL or the relay.
"""

from typing import ClassVar


class SupportError(Exception):
    """The root of the tree: the caller asked for something that the desk does not do."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"

    @property
    def field(self) -> str | None:
        """The name of the field at fault, where one is."""
        return None

    @property
    def retry_after(self) -> int | None:
        """Whole seconds to wait before trying again, where waiting helps."""
        return None


# --- Change the request, then send it again -------------------------------------------------------------------------


class UnreadableBody(SupportError):
    """The body is not what its Content-Type says."""

    status = 400
    code = "unreadable_body"

    def __init__(self, expected: str) -> None:
        self.expected = expected
        super().__init__(expected)

    def __str__(self) -> str:
        return f"The body could not be read: {self.expected}."


class UnsupportedBody(SupportError):
    """The body comes in a Content-Type or a Content-Encoding that no call takes."""

    status = 415
    code = "unsupported_body"

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        super().__init__(content_type)

    def __str__(self) -> str:
        return "Send application/json, application/x-www-form-urlencoded or multipart/form-data, uncompressed."


class BodyTooLarge(SupportError):
    """The body is longer than `limit` bytes."""

    status = 413
    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(limit)

    def __str__(self) -> str:
        return f"The body may be {self.limit} bytes long at most."


class InvalidField(SupportError):
    """One field is missing, of the wrong type or outside its limits."""

    status = 422
    code = "invalid_field"

    def __init__(self, name: str, expected: str) -> None:
        self.name = name
        self.expected = expected
        super().__init__(name, expected)

    @property
    def field(self) -> str:
        return self.name

    def __str__(self) -> str:
        return f"'{self.name}' must be {self.expected}."


class EmailTaken(InvalidField):
    """Another operator has this e-mail already."""

    code = "email_taken"

    def __init__(self, email: str) -> None:
        self.email = email
        super().__init__("email", "one that no other operator has")


class GroupTaken(InvalidField):
    """Another group has this name already."""

    code = "group_taken"

    def __init__(self, group: str) -> None:
        self.group = group
        super().__init__("name", "one that no other group has")


# --- Prove who you are ----------------------------------------------------------------------------------------------


class LoginNeeded(SupportError):
    """Only an operator who is logged in gets an answer here."""

    status = 401
    code = "login_needed"

    def __str__(self) -> str:
        return "Log in as an operator first."


class WrongLogin(SupportError):
    """E-mail and password do not belong together. The same answer for an e-mail that nobody has."""

    status = 401
    code = "wrong_login"

    def __str__(self) -> str:
        return "E-mail or password is wrong."


# --- Give up: the same request never succeeds -----------------------------------------------------------------------


class Forbidden(SupportError):
    """The caller may not see or change this."""

    status = 403
    code = "forbidden"

    def __str__(self) -> str:
        return "You have no access to this."


class NotYours(Forbidden):
    """The caller is an operator, and the conversation is not theirs, or not any more."""

    code = "not_yours"

    def __str__(self) -> str:
        return "This conversation is not yours, or not any more."


class ForeignOrigin(SupportError):
    """A page of another site sent the request, and that site is not in the list of allowed origins."""

    status = 403
    code = "foreign_origin"

    def __str__(self) -> str:
        return "Pages of this origin may not call this address; add the origin to SUPPORT_ALLOWED_ORIGINS."


class UnknownTicket(SupportError):
    """There is no ticket with this number."""

    status = 404
    code = "unknown_ticket"

    def __init__(self, ticket_id: int) -> None:
        self.ticket_id = ticket_id
        super().__init__(ticket_id)

    def __str__(self) -> str:
        return f"There is no ticket {self.ticket_id}."


class UnknownOperator(SupportError):
    """No operator has this e-mail."""

    status = 404
    code = "unknown_operator"

    def __init__(self, email: str) -> None:
        self.email = email
        super().__init__(email)

    def __str__(self) -> str:
        return f"There is no operator with the e-mail {self.email}."


class UnknownGroup(SupportError):
    """No group has this name."""

    status = 404
    code = "unknown_group"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)

    def __str__(self) -> str:
        return f"There is no group with the name {self.name}."


class UnknownPage(SupportError):
    """There is no such page or file."""

    status = 404
    code = "not_found"

    def __init__(self, hint: str = "There is nothing at this address.") -> None:
        self.hint = hint
        super().__init__(hint)

    def __str__(self) -> str:
        return self.hint


class TicketClosed(SupportError):
    """The conversation is over: no message, no typing and nothing to listen to any more."""

    status = 409
    code = "ticket_closed"

    def __init__(self, ticket_id: int) -> None:
        self.ticket_id = ticket_id
        super().__init__(ticket_id)

    def __str__(self) -> str:
        return "This conversation is closed; start a new one."


class TooLate(SupportError):
    """The conversation has been closed for so long that its visitor cannot go on with it."""

    status = 409
    code = "too_late"

    def __str__(self) -> str:
        return "This conversation has been closed for too long; start a new one."


class TicketTaken(SupportError):
    """Another operator was quicker."""

    status = 409
    code = "ticket_taken"

    def __init__(self, ticket_id: int) -> None:
        self.ticket_id = ticket_id
        super().__init__(ticket_id)

    def __str__(self) -> str:
        return "Another operator has this conversation already."


# --- Ask a person, then send the request again with their answer ----------------------------------------------------


class OperatorFull(SupportError):
    """The operator has as many conversations as they take; `over_limit` gives them one more all the same."""

    status = 409
    code = "operator_full"

    def __init__(self, name: str, active_tickets: int, max_tickets: int) -> None:
        self.name = name
        self.active_tickets = active_tickets
        self.max_tickets = max_tickets
        super().__init__(name, active_tickets, max_tickets)

    def __str__(self) -> str:
        load = f"{self.active_tickets} conversations and takes {self.max_tickets}"
        return f"{self.name} has {load}; send over_limit=true to go over the limit."


# --- Wait, then send the same request again -------------------------------------------------------------------------


class TooMany(SupportError):
    """The caller is over a rate limit."""

    status = 429
    code = "too_many"

    def __init__(self, what: str, seconds: float) -> None:
        self.what = what
        self.seconds = seconds
        super().__init__(what, seconds)

    @property
    def retry_after(self) -> int:
        return max(1, int(self.seconds + 0.999))

    def __str__(self) -> str:
        return f"Too many {self.what}; try again in {self.retry_after} s."


class TooManyOpen(SupportError):
    """So many conversations of the caller are open that there is room for a new one only when one of them is closed."""

    status = 429
    code = "too_many_open"

    def __init__(self, limit: int, *, of_network: bool) -> None:
        self.limit = limit
        self.of_network = of_network
        super().__init__(limit, of_network)

    def __str__(self) -> str:
        if self.of_network:
            return f"{self.limit} conversations from your network are open; close one of them, or try again later."
        return f"You have {self.limit} open conversations; go on in one of them, or close one first."


class LoginsBusy(SupportError):
    """So many passwords wait to be checked that this one would wait long; it was not looked at."""

    status = 503
    code = "logins_busy"

    @property
    def retry_after(self) -> int:
        return 1

    def __str__(self) -> str:
        return "Too many log-ins at the same time; try again in a moment."


class StoreUnavailable(SupportError):
    """The database did not take the change in time, or (`is_busy` false: a full disk) cannot; nothing was stored."""

    status = 503
    code = "store_unavailable"

    def __init__(self, *, is_busy: bool = True) -> None:
        self.is_busy = is_busy
        super().__init__(is_busy)

    @property
    def retry_after(self) -> int:
        return 1

    def __str__(self) -> str:
        if self.is_busy:
            return "The desk is busy; nothing was stored, try again."
        return "The server cannot store anything at the moment; try again later."
