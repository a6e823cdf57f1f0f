"""The codes that a WebSocket is closed with (RFC 6455 7.4), and the room for a reason beside one."""

from enum import IntEnum
from typing import Final

# 5.5: a control frame holds 125 bytes, two of which are the close code.
CLOSE_REASON_BYTES: Final = 123


# 7.4.1
class WebSocketCode(IntEnum):
    """Codes of the framing layer; a Pusher client reconnects after each of them."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS = 1005  # never sent: the peer's close named no code
    ABNORMAL = 1006  # never sent: the peer went without a close
    INVALID_PAYLOAD = 1007
    TOO_BIG = 1009
    INTERNAL_ERROR = 1011
