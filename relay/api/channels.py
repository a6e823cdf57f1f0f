"""GET /channels, /channels/NAME and /channels/NAME/users: what is occupied, and by whom."""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from relay.api.request import Request
from relay.api.responses import Handled, ensure_known, json_response
from relay.cluster.bus import Unavailable
from relay.cluster.memory import LastEvent
from relay.cluster.roster import ChannelInfo, Wanted
from relay.node.namespace import Namespace
from relay.protocol.channels import ChannelRules, rules_for
from relay.protocol.requests import BadRequest, ensure_channel_name, ensure_info_fits, parse_info
from relay.wire import halves
from relay.wire.http import Response
from relay.wire.later import Later, after, asked, gathered

# The fields of one channel, by name.
Fields = dict[str, object]


def list_channels(namespace: Namespace, request: Request) -> Handled:
    """The occupied channels, those that begin with `filter_by_prefix`."""
    params = request.params
    prefix = params.get("filter_by_prefix", "")
    info = parse_info(params.get("info"))
    if "user_count" in info and not prefix.startswith("presence-"):
        raise BadRequest("info=user_count needs a filter_by_prefix that begins with presence-")
    pages = asked(partial(namespace.queries.list_channels, prefix, _wanted(info)))
    return after(pages, partial(_listed, namespace, info))


def show_channel(namespace: Namespace, request: Request) -> Handled:
    """Whether the channel is occupied, and what `info` asks for."""
    rules = ensure_channel_name(request.name, namespace.app.limits)
    info = parse_info(request.params.get("info"))
    ensure_info_fits(info, rules)
    occupied = asked(partial(namespace.queries.show_channel, rules.name, _wanted(info)))
    return after(occupied, partial(_shown, namespace, rules, info))


def list_users(namespace: Namespace, request: Request) -> Handled:
    """The users of a presence channel."""
    rules = ensure_channel_name(request.name, namespace.app.limits)
    if not rules.is_presence:
        raise BadRequest(f"Only a presence channel has users, {rules.name!r} is none")
    return after(asked(partial(namespace.queries.list_members, rules.name)), _users)


def channel_info(namespace: Namespace, rules: ChannelRules, info: Iterable[str]) -> Fields | Later[Fields]:
    """The fields that `info` names of one channel, as far as its kind and the app have them."""
    wanted = _wanted(info)
    if not wanted.subscriptions and not wanted.members:
        return _with_cache(namespace, ChannelInfo(rules.name), info)
    occupied = asked(partial(namespace.queries.show_channel, rules.name, wanted))
    return after(occupied, lambda occupied: _with_cache(namespace, _or_nobody(rules, occupied), info))


def _wanted(info: Iterable[str]) -> Wanted:
    return Wanted("subscription_count" in info, "user_count" in info)


def _or_nobody(rules: ChannelRules, occupied: ChannelInfo | Unavailable | None) -> ChannelInfo:
    """Raises ServiceUnavailable."""
    return ensure_known(occupied) or ChannelInfo(rules.name)


def _shown(
    namespace: Namespace, rules: ChannelRules, info: Iterable[str], occupied: ChannelInfo | Unavailable | None
) -> Handled:
    fields = _with_cache(namespace, _or_nobody(rules, occupied), info)
    return after(fields, lambda fields: json_response({"occupied": occupied is not None, **fields}))


def _users(members: Sequence[str] | Unavailable) -> Response:
    return json_response({"users": [{"id": user_id} for user_id in ensure_known(members)]})


def _with_cache(namespace: Namespace, channel: ChannelInfo, info: Iterable[str]) -> Fields | Later[Fields]:
    """The fields of a channel, its last event among them where it is asked for."""
    if "cache" not in info:
        return _fields(channel, info, None)
    if not rules_for(channel.name).is_cache:
        return _fields(channel, info, None)
    return after(asked(partial(namespace.queries.last_event, channel.name)), partial(_fields, channel, info))


def _fields(channel: ChannelInfo, info: Iterable[str], last: LastEvent | Unavailable | None) -> Fields:
    fields: Fields = {}
    if "user_count" in info:
        fields["user_count"] = channel.members
    if "subscription_count" in info:
        fields["subscription_count"] = channel.subscriptions
    if "cache" in info:
        event = ensure_known(last)
        fields["cache"] = None if event is None else {"data": halves.loads(event.data), "ttl": math.ceil(event.ttl)}
    return fields


def _listed(namespace: Namespace, info: Iterable[str], pages: Iterator[Sequence[ChannelInfo]] | Unavailable) -> Handled:
    """The list: at once where it is one page, else a page in each turn of the event loop."""
    pages = ensure_known(pages)
    first, second = next(pages, ()), next(pages, None)
    if second is None:
        return after(_page(namespace, info, first), lambda fields: json_response({"channels": fields}))
    return _parts(namespace, info, chain((first, second), pages))


def _page(namespace: Namespace, info: Iterable[str], page: Sequence[ChannelInfo]) -> Fields | Later[Fields]:
    names = [channel.name for channel in page]
    fields = gathered([_with_cache(namespace, channel, info) for channel in page])
    return after(fields, lambda fields: dict(zip(names, fields, strict=True)))


def _parts(
    namespace: Namespace, info: Iterable[str], pages: Iterable[Sequence[ChannelInfo]]
) -> Iterator[bytes | Later[bytes]]:
    """The JSON of the list, page by page."""
    yield b'{"channels":{'
    separator = b""
    for page in pages:
        if page:
            yield after(_page(namespace, info, page), partial(_encoded, separator))
            separator = b","
    yield b"}}"


def _encoded(separator: bytes, fields: Fields) -> bytes:
    return separator + halves.dumps(fields)[1:-1]
