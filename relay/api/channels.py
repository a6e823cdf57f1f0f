"""GET /channels, /channels/NAME and /channels/NAME/users: what is occupied, and by whom."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from relay.apps import App
from relay.node.node import Node
from relay.protocol.channels import ChannelRules
from relay.protocol.requests import BadRequest, ensure_channel_name, ensure_info_fits, parse_info
from relay.wire import halves
from relay.wire.http import LongAnswer

# So many channels are listed in one turn of the event loop, about a millisecond.
SLICE: Final = 1_000


def list_channels(node: Node, app: App, params: dict[str, str]) -> dict[str, object] | LongAnswer:
    """The occupied channels, those that begin with `filter_by_prefix`."""
    prefix = params.get("filter_by_prefix", "")
    info = parse_info(params.get("info"))
    if "user_count" in info and not prefix.startswith("presence-"):
        raise BadRequest("info=user_count needs a filter_by_prefix that begins with presence-")
    channels = [channel.rules for channel in node.channels(app)]
    if len(channels) > SLICE:
        return LongAnswer(_in_slices(node, app, channels, prefix, info))
    return {"channels": _infos(node, app, channels, prefix, info)}


def _in_slices(
    node: Node, app: App, channels: Sequence[ChannelRules], prefix: str, info: Iterable[str]
) -> Iterator[bytes]:
    """The JSON of the list, piece by piece. When the app is taken out of the settings meanwhile, the list ends."""
    yield b'{"channels":{'
    separator = b""
    for at in range(0, len(channels), SLICE):
        if node.apps.by_id_or_key(app.id) is None:
            break
        infos = _infos(node, app, channels[at : at + SLICE], prefix, info)
        yield separator + halves.dumps(infos)[1:-1] if infos else b""
        separator = b"," if infos else separator
    yield b"}}"


def _infos(
    node: Node, app: App, channels: Sequence[ChannelRules], prefix: str, info: Iterable[str]
) -> dict[str, object]:
    return {rules.name: channel_info(node, app, rules, info) for rules in channels if rules.name.startswith(prefix)}


def show_channel(node: Node, app: App, name: str, params: dict[str, str]) -> dict[str, object]:
    """Whether the channel is occupied, and what `info` asks for."""
    rules = ensure_channel_name(name, app.limits)
    info = parse_info(params.get("info"))
    ensure_info_fits(info, rules)
    return {"occupied": node.channel(app, name) is not None, **channel_info(node, app, rules, info)}


def list_users(node: Node, app: App, name: str) -> dict[str, object]:
    """The users of a presence channel."""
    rules = ensure_channel_name(name, app.limits)
    if not rules.is_presence:
        raise BadRequest(f"Only a presence channel has users, {name!r} is none")
    channel = node.channel(app, name)
    ids = channel.presence if channel is not None and channel.presence is not None else ()
    return {"users": [{"id": user_id} for user_id in ids]}


def channel_info(node: Node, app: App, rules: ChannelRules, info: Iterable[str]) -> dict[str, object]:
    """The fields that `info` names of one channel, as far as its kind and the app have them."""
    channel = node.channel(app, rules.name)
    fields: dict[str, object] = {}
    if "user_count" in info:
        fields["user_count"] = len(channel.presence) if channel is not None and channel.presence is not None else 0
    if "subscription_count" in info:
        fields["subscription_count"] = 0 if channel is None else len(channel)
    if "cache" in info:
        fields["cache"] = _cache_info(node, app, rules)
    return fields


def _cache_info(node: Node, app: App, rules: ChannelRules) -> dict[str, object] | None:
    cached = node.cached(app, rules.name)
    return None if cached is None else {"data": halves.loads(cached[0].data), "ttl": math.ceil(cached[1])}
