"""Bodies and queries of the HTTP API (C): JSON → typed values that keep every limit.

Raises BadRequest (400) or TooLarge (413), with a text for the developer on the other side.
"""

import re
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from relay.protocol.channels import ChannelRules, InvalidChannelName, ensure_channel, is_socket_id
from relay.protocol.errors import ProtocolError
from relay.protocol.limits import Limits
from relay.wire.decoding import Malformed, decoder

CHANNEL_INFO: Final = frozenset({"user_count", "subscription_count", "cache"})

# How long the key of an idempotent publish may be, in characters.
IDEMPOTENCY_KEY_LENGTH: Final = 128
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_RESERVED_EVENTS: Final = ("pusher:", "pusher_internal:")


class BadRequest(ProtocolError):
    """The request is malformed or asks for something that does not exist: 400. `event` is the place, from 0, of the one event
    of a batch that is at fault."""

    event: int | None = None


class TooLarge(ProtocolError):
    """An event's data is over the limit: 413. `event` as above."""

    event: int | None = None


class Publish(Struct, frozen=True):
    """One event for one or many channels; `exclude` is the socket id that must not get it, `once` the idempotency key (C).

    `data` may hold halves of characters (see halves.py): it is written with `halves.text_json`.
    """

    name: str
    data: str
    channels: tuple[ChannelRules, ...]
    exclude: str | None
    info: frozenset[str]
    once: str | None = None


class _PublishBody(Struct):
    name: str
    data: str
    channel: str | None = None
    channels: list[str] | None = None
    socket_id: str | None = None
    info: str | None = None
    idempotency_key: str | None = None


class _BatchItem(Struct):
    name: str
    data: str
    channel: str
    socket_id: str | None = None
    info: str | None = None
    idempotency_key: str | None = None


class _BatchBody(Struct):
    batch: list[_BatchItem]


class _UnsubscribeBody(Struct):
    channel: str | None  # must be there: all channels are not what somebody forgets to name


_decode_unsubscribe = decoder(_UnsubscribeBody)
_decode_publish = decoder(_PublishBody, passes_on=("data",))
_decode_batch = decoder(_BatchBody, passes_on=("data",))


def parse_unsubscribe(body: bytes, limits: Limits) -> str | None:
    """The channel in the body of POST /users/ID/unsubscribe, None for all channels. Raises BadRequest."""
    try:
        channel = _decode_unsubscribe(body).channel
    except Malformed as error:
        raise BadRequest(f"Invalid body: {error}") from None
    if channel is None:
        return None
    if not ensure_channel_name(channel, limits).needs_auth:
        raise BadRequest("Anybody may join this channel again: only what needs a signature can be ended")
    return channel


def parse_publish(body: bytes, limits: Limits) -> Publish:
    """The body of POST /events. Raises BadRequest or TooLarge."""
    try:
        fields = _decode_publish(body)
    except Malformed as error:
        raise BadRequest(f"Invalid body: {error}") from None
    return _publish(fields, _target_channels(fields), limits)


def parse_batch(body: bytes, limits: Limits) -> list[Publish]:
    """The body of POST /batch_events, checked whole before anything is published. Raises BadRequest or TooLarge, which name
    the event where one is at fault."""
    try:
        items = _decode_batch(body).batch
    except Malformed as error:
        raise BadRequest(f"Invalid body: {error}") from None
    if len(items) > limits.events_per_batch:
        text = f"A batch holds at most {limits.events_per_batch} events, this one has {len(items)}"
        raise BadRequest(text, limit="events_per_batch")
    return [_publish_item(at, item, limits) for at, item in enumerate(items)]


def parse_info(info: str | None) -> frozenset[str]:
    """The fields that `info` names, a comma-separated list. Raises BadRequest for a field that does not exist."""
    if not info:
        return frozenset()
    fields = frozenset(info.split(","))
    if unknown := fields - CHANNEL_INFO:
        raise BadRequest(f"info knows {', '.join(sorted(CHANNEL_INFO))}, not {', '.join(sorted(unknown))}")
    return fields


def ensure_channel_name(name: str, limits: Limits) -> ChannelRules:
    """The rules of a channel that a request names. Raises BadRequest."""
    try:
        return ensure_channel(name, limits)
    except InvalidChannelName as error:
        raise BadRequest(str(error), limit=error.limit) from None


def ensure_info_fits(info: Iterable[str], rules: ChannelRules) -> None:
    """Raises BadRequest where `info` asks a channel for what its kind does not have (C)."""
    if "user_count" in info and not rules.is_presence:
        raise BadRequest(f"user_count is known for presence channels only, not for {rules.name!r}")
    if "cache" in info and not rules.is_cache:
        raise BadRequest(f"cache is known for cache channels only, not for {rules.name!r}")


def _target_channels(fields: _PublishBody) -> list[str]:
    if (fields.channel is None) == (fields.channels is None):
        raise BadRequest("Name the target either in `channel` or in `channels`")
    return [fields.channel] if fields.channel is not None else list(dict.fromkeys(fields.channels or ()))


def _publish_item(at: int, item: _BatchItem, limits: Limits) -> Publish:
    try:
        return _publish(item, [item.channel], limits)
    except (BadRequest, TooLarge) as error:
        error.event = at
        raise


def _publish(fields: _PublishBody | _BatchItem, channels: list[str], limits: Limits) -> Publish:
    if not 1 <= len(channels) <= limits.channels_per_publish:
        text = f"An event goes to 1 to {limits.channels_per_publish} channels, not to {len(channels)}"
        raise BadRequest(text, limit="channels_per_publish" if channels else None)
    ensure_event_name(fields.name, limits)
    ensure_data_fits(fields.data, limits)
    if fields.socket_id is not None and not is_socket_id(fields.socket_id):
        raise BadRequest("socket_id must be two numbers joined by a dot")
    rules = tuple([ensure_channel_name(name, limits) for name in channels])
    info = parse_info(fields.info)
    for rule in rules if info else ():
        ensure_info_fits(info, rule)
    once = fields.idempotency_key
    if once is not None and not 1 <= len(once) <= IDEMPOTENCY_KEY_LENGTH:
        raise BadRequest(f"An idempotency_key is 1 to {IDEMPOTENCY_KEY_LENGTH} characters long")
    return Publish(fields.name, fields.data, rules, fields.socket_id, info, once)


def ensure_event_name(name: str, limits: Limits) -> None:
    """Raises BadRequest unless an application may publish events of this name."""
    if not 1 <= len(name) <= limits.event_name_length:
        text = f"The name of an event is 1 to {limits.event_name_length} characters long"
        raise BadRequest(text, limit="event_name_length" if name else None)
    if _CONTROL.search(name):
        raise BadRequest("The name of an event holds no control characters")
    if name.startswith(_RESERVED_EVENTS):
        raise BadRequest("Event names that begin with 'pusher:' or 'pusher_internal:' are the server's own")


def ensure_data_fits(data: str, limits: Limits) -> None:
    """Raises TooLarge when `data` is over the limit, counted in bytes of UTF-8."""
    # A character is at most four bytes: most events need no encoding to be known to fit.
    if len(data) * 4 > limits.event_data_bytes and len(data.encode("utf-8", "surrogatepass")) > limits.event_data_bytes:
        raise TooLarge(f"The data of an event may hold {limits.event_data_bytes} bytes", limit="event_data_bytes")
