"""hypothesis strategies of what strangers send: JSON values, texts, bytes that look like messages."""

import json

from hypothesis import strategies as st

# Any text that can stand in UTF-8: lone surrogates cannot.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)

EVENT_NAMES = st.sampled_from(
    ["pusher:subscribe", "pusher:unsubscribe", "pusher:ping", "pusher:pong", "pusher:signin", "client-x", "client-", ""]
)
CHANNEL_NAMES = st.sampled_from(
    ["a", "private-a", "presence-a", "private-encrypted-a", "cache-a", "#x", "", 'a"b', "a\x00"]
)


def _envelope(fields: object) -> bytes:
    return json.dumps(fields).encode()


_ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "event": EVENT_NAMES | JSON,
        "channel": CHANNEL_NAMES | JSON,
        "data": JSON
        | st.fixed_dictionaries(
            {}, optional={"channel": CHANNEL_NAMES | JSON, "auth": TEXTS | JSON, "channel_data": TEXTS | JSON}
        ),
    },
).map(_envelope)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """A message with one byte changed, or cut short: what random bytes never look like."""
    message = bytearray(draw(_ENVELOPES))
    at = draw(st.integers(0, len(message) - 1))
    if draw(st.booleans()):
        return bytes(message[:at])
    message[at] = draw(st.integers(0, 255))
    return bytes(message)


MESSAGES = st.binary(max_size=200) | _ENVELOPES | _damaged() | JSON.map(lambda value: json.dumps(value).encode())
