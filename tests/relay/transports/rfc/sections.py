"""All sections, in the order of the table."""

from typing import Final

from tests.relay.transports.rfc import (
    closing,
    compressed,
    fragmenting,
    framing,
    http_requests,
    limits,
    opening,
    pings,
    reserved,
    utf8,
)
from tests.relay.transports.rfc.cases import Section

SECTIONS: Final[tuple[Section, ...]] = (
    framing.SECTION,
    pings.SECTION,
    reserved.BITS,
    reserved.OPCODES,
    fragmenting.SECTION,
    utf8.SECTION,
    closing.SECTION,
    limits.SECTION,
    opening.HANDSHAKES,
    opening.OFFERS,
    compressed.SECTION,
    http_requests.SECTION,
)
