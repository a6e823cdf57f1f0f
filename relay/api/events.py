"""POST /events and POST /batch_events: publish what a back end triggers."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from relay.api.channels import channel_info
from relay.api.request import Request
from relay.api.responses import Handled, ensure_published, json_response
from relay.cluster.bus import Accepted, Outcome
from relay.node.namespace import Namespace, summed_up
from relay.protocol.requests import Publish, parse_batch, parse_publish
from relay.wire.http import NO_HEADERS, Response
from relay.wire.later import Later, after, asked, gathered

# Of an answer whose events were all published before, under their idempotency keys.
_REPLAY: Final = {"X-Idempotent-Replay": "1"}

# What nearly all of them are answered (bench/, scenario "triggers").
_DONE: Final = json_response({})
_ACCEPTED: Final = Accepted()


def publish(namespace: Namespace, request: Request) -> Handled:
    """One event to its channels; with `info`, what the channels are like now (C)."""
    event = parse_publish(request.body, namespace.app.limits)
    outcome = asked(partial(namespace.publish, event))
    # Nearly all of them, at once: two calls less (bench/, scenario "triggers").
    if outcome == _ACCEPTED and not event.info:
        return _DONE
    return after(outcome, partial(_published, namespace, event))


def publish_batch(namespace: Namespace, request: Request) -> Handled:
    """Several events in their order; with any `info`, an object an event."""
    batch = parse_batch(request.body, namespace.app.limits)
    if not batch:
        return _DONE
    outcomes = gathered([asked(partial(namespace.publish, event)) for event in batch])
    return after(outcomes, partial(_batch_published, namespace, batch))


def _published(namespace: Namespace, event: Publish, outcome: Outcome) -> Handled:
    accepted = ensure_published(outcome)
    if not event.info:
        return _answer({}, accepted)
    infos = gathered([channel_info(namespace, rules, event.info) for rules in event.channels])
    names = [rules.name for rules in event.channels]
    return after(infos, lambda infos: _answer({"channels": dict(zip(names, infos, strict=True))}, accepted))


def _batch_published(namespace: Namespace, batch: Sequence[Publish], outcomes: Sequence[Outcome]) -> Handled:
    accepted = ensure_published(summed_up(outcomes))
    if not any(event.info for event in batch):
        return _answer({}, accepted)
    infos = gathered([_item_info(namespace, event) for event in batch])
    return after(infos, lambda infos: _answer({"batch": infos}, accepted))


def _item_info(namespace: Namespace, event: Publish) -> dict[str, object] | Later[dict[str, object]]:
    return channel_info(namespace, event.channels[0], event.info) if event.info else {}


def _answer(body: dict[str, object], accepted: Accepted) -> Response:
    if not body and not accepted.is_replay:
        return _DONE
    return json_response(body, headers=_REPLAY if accepted.is_replay else NO_HEADERS)
