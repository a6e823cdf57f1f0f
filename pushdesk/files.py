"""How many files a process may have open: each connection is one."""

import sys
from typing import Final

if sys.platform != "win32":
    import resource

# Where the system does not say: what Windows' C library allows.
_UNTOLD: Final = 512


def raise_file_limit() -> int:
    """Take as many open files as the system lets this process have, and say how many that are."""
    if sys.platform == "win32":
        return _UNTOLD
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
