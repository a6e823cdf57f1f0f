"""What a stranger might send to make one line of a log look like two, to hide one, or to command a terminal."""

from typing import Final

TRICKS: Final = (
    "a\n2026-01-01 [error] forged",
    "\x1b[2J\x1b[1;1H",
    "a\rb",
    "a\u2028b",
    "a\u202eb",
    "\x85",
    "\x00",
    "\ud800",
    "\"'=\\",
)
