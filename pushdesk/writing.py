"""How a transport says that its client does not take what is written to it. Must not know what follows from that."""

import asyncio


def tell_of_all_that_waits(transport: asyncio.Transport) -> None:
    """From now on the protocol is paused while anything waits that the system did not take at once, and resumed when nothing
    does."""
    # Not 0: transports of TLS, asyncio's and uvloop's, pause their protocols at the limit, others over it. At 0 the former
    # pause while nothing waits, and may leave it at that.
    transport.set_write_buffer_limits(high=1, low=0)
