"""How a partition gets from a new link to where it would be had it never been cut: subscribe, then read the log.

A state machine without sockets: it says what to ask for next and takes the answers. Must not know links, or what an
entry means.
"""

from collections.abc import Sequence
from typing import Any, Final

# Topics in one SUBSCRIBE, and entries in one page of the log. Fewer when the link was lost meanwhile: Redis cuts whoever has
# more to be sent than `client-output-buffer-limit pubsub` allows, as a page of large messages may be. Of 1 none is new.
TOPICS: Final = 1_000
PAGE: Final = 500
LEAST_PAGE: Final = 2

# What XRANGE answers for one entry: its id and its fields.
Entry = tuple[bytes, Sequence[bytes]]


class Heal:
    """Ask for `next_topics` until there are none, then for the entries from `first` on, one page after the other, until
    `take` leaves `is_over`.

    The page begins with the entry that was seen last. If it is not there, what came behind it may be gone as well: then
    what is taken is behind a gap. Entries pushed before the last page is in are in the pages, and to be dropped; those pushed
    after it are in none.
    """

    __slots__ = ("_at", "_top", "_topics", "first", "is_doubtful", "is_gap", "is_over", "page", "replayed")

    def __init__(self, topics: Sequence[bytes], last: bytes | None, top: bytes, page: int = PAGE) -> None:
        """`last` is the id of the entry that was seen last, None when that is of no more use; `top` that of the newest. A
        page has `page` entries at most."""
        self.page = page
        self._topics = topics
        self._at = 0
        self._top = top
        self.first = last or top
        # Whether what was taken last is behind a gap.
        self.is_gap = False
        # Whether the log may be another one than the one that was seen, so that nothing can be said of what is missing.
        self.is_doubtful = False
        self.is_over = False
        self.replayed = 0

    def next_topics(self) -> Sequence[bytes]:
        """The topics to subscribe to next; none when all are."""
        batch = self._topics[self._at : self._at + TOPICS]
        self._at += TOPICS
        return batch

    def take(self, page: Sequence[Any]) -> Sequence[Entry]:
        """A page of entries from `first` on: those that are new."""
        self.is_gap = False
        if page and page[0][0] == self.first:
            fresh = page[1:]
        elif not page and self.first != self._top:
            # A Redis that is behind what was seen here: what it has is new, as far as that can be said.
            self.is_gap, self.first = True, self._top
            return ()
        else:
            self.is_gap, fresh = True, page
        if fresh:
            self.first = fresh[-1][0]
        self.replayed += len(fresh)
        self.is_over = len(page) < self.page
        return fresh
