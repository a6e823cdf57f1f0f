"""Handlers of the HTTP API, asked without HTTP."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from relay.api.request import request_of
from relay.api.responses import Handled
from relay.api.routes import Handler
from relay.apps import App
from relay.node.node import Node
from relay.wire.http import Response
from relay.wire.later import Later


def handled(handler: Handler, node: Node, app: App, path: str, **params: str) -> Handled:
    """What the handler makes of a GET."""
    return handler(node.namespaces[app.id], request_of("GET", f"/apps/{app.id}{path}?{urlencode(params)}", ""))


def told(handler: Handler, node: Node, app: App, path: str, **params: str) -> Any:
    """What the handler answers to a GET at once."""
    return told_after(lambda: None, handler, node, app, path, **params)


def told_after(settle: Callable[[], None], handler: Handler, node: Node, app: App, path: str, **params: str) -> Any:
    """What the handler has answered to a GET after `settle`."""
    answer = handled(handler, node, app, path, **params)
    settle()
    if isinstance(answer, Later):
        answer = answer.get()
    assert isinstance(answer, Response)
    return json.loads(answer.body)
