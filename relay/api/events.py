"""POST /events and POST /batch_events: publish what a back end triggers."""

from relay.api.channels import channel_info
from relay.apps import App
from relay.node.node import Node
from relay.protocol.requests import Publish, parse_batch, parse_publish


def publish(node: Node, app: App, body: bytes) -> dict[str, object]:
    """One event to its channels; with `info`, what the channels are like now (C)."""
    event = parse_publish(body, app.limits)
    node.publish(app, event)
    if not event.info:
        return {}
    return {"channels": {rules.name: channel_info(node, app, rules, event.info) for rules in event.channels}}


def publish_batch(node: Node, app: App, body: bytes) -> dict[str, object]:
    """Several events in their order; with any `info`, an object an event."""
    batch = parse_batch(body, app.limits)
    for event in batch:
        node.publish(app, event)
    if not any(event.info for event in batch):
        return {}
    return {"batch": [_item_info(node, app, event) for event in batch]}


def _item_info(node: Node, app: App, event: Publish) -> dict[str, object]:
    return channel_info(node, app, event.channels[0], event.info) if event.info else {}
