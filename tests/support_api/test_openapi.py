"""openapi.yaml against the running application."""

import asyncio
from typing import Any

import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support_api.views.health import OPENAPI_FILE
from support_api.views.routes import ROUTES
from tests.support_api.conftest import Running
from tests.support_api.helpers import Caller, open_ticket

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)


def document() -> dict[str, Any]:
    loaded = yaml.safe_load(OPENAPI_FILE.read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def test_the_document_describes_exactly_the_routes_there_are() -> None:
    paths = document()["paths"]
    described = set()
    for path, item in paths.items():
        target = item["$ref"].removeprefix("#/paths/~1") if "$ref" in item else None
        methods = paths[f"/{target}"] if target else item
        described |= {(method.upper(), path) for method in methods}
    served = {(route.method, path.replace(":.+", "")) for route in ROUTES for path in route.paths}
    assert described == served


async def test_the_document_is_served(nobody: Caller) -> None:
    answer = await nobody.get("/openapi.yaml")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.text == OPENAPI_FILE.read_text("utf-8")


async def test_every_answer_is_as_described(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    callers = [running.nobody.headers, anna.caller.headers, olga.headers]
    base_url = str(running.nobody.http.make_url("")).rstrip("/")
    await asyncio.to_thread(_attack, base_url, callers)


def _attack(base_url: str, callers: list[dict[str, str]]) -> None:
    schema = schemathesis.openapi.from_dict(document())
    schema.config.update(base_url=base_url)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) == sum(len(route.paths) for route in ROUTES)
    for operation in operations:
        _attack_one(operation, callers)


def _attack_one(operation: Any, callers: list[dict[str, str]]) -> None:
    def attack(case: Any) -> None:
        for headers in callers:
            case.call_and_validate(headers=headers, checks=CHECKS)

    every = settings(
        max_examples=8, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    every(given(case=operation.as_strategy())(attack))()
