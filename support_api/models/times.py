"""How long who may be silent in a conversation. No clock."""

from datetime import timedelta

from msgspec import Struct


class Times(Struct, frozen=True):
    """What the desk does by itself with a conversation in which nobody speaks; None: nothing."""

    # Since the operator's last word, until the visitor is asked whether they are there …
    warn_after: timedelta | None = None
    # … and until the conversation is closed.
    close_after: timedelta | None = None
    # Since the visitor's question, or since it became the operator's, until it goes to another operator.
    answer_within: timedelta | None = None
    # Since its end, in which its visitor may go on with it.
    reopen_within: timedelta | None = None
