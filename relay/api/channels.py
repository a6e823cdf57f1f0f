"""GET /channels, /channels/NAME and /channels/NAME/users: what is occupied, and by whom."""

import math
from collections.abc import Iterable

import orjson

from relay.apps import App
from relay.node import Node
from relay.protocol.channels import ChannelRules
from relay.protocol.requests import BadRequest, ensure_channel_name, ensure_info_fits, parse_info


def list_channels(node: Node, app: App, params: dict[str, str]) -> dict[str, object]:
    """The occupied channels, those that begin with `filter_by_prefix`."""
    prefix = params.get("filter_by_prefix", "")
    info = parse_info(params.get("info"))
    if "user_count" in info and not prefix.startswith("presence-"):
        raise BadRequest("info=user_count needs a filter_by_prefix that begins with presence-")
    rules = [channel.rules for channel in node.channels(app) if channel.rules.name.startswith(prefix)]
    return {"channels": {rule.name: channel_info(node, app, rule, info) for rule in rules}}


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
    return None if cached is None else {"data": orjson.Fragment(cached[0].data), "ttl": math.ceil(cached[1])}
