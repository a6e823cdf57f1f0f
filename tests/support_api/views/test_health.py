"""Health, configuration for browsers, and answers to what there is not."""

from dataclasses import replace

import pytest

from support_api.config import Settings
from support_api.database.engine import Database
from support_api.errors import StoreUnavailable
from tests.support_api.conftest import Start
from tests.support_api.helpers import Caller, RecordingRelay


async def test_the_process_is_alive(nobody: Caller) -> None:
    assert (await nobody.get("/up")).json == {"ok": True}


async def test_it_is_ready_when_database_and_relay_answer(nobody: Caller) -> None:
    answer = await nobody.get("/ready")
    assert (answer.status, answer.json) == (200, {"database": "ok", "relay": "ok"})


async def test_it_is_not_ready_without_the_relay(nobody: Caller, relay: RecordingRelay) -> None:
    relay.status = 503
    answer = await nobody.get("/ready")
    assert (answer.status, answer.json) == (503, {"database": "ok", "relay": "does not answer"})
    assert (await nobody.get("/up")).status == 200


async def test_it_is_not_ready_without_the_database(nobody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    async def ping(_self: Database) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(Database, "ping", ping)
    answer = await nobody.get("/ready")
    assert (answer.status, answer.json["database"]) == (503, "does not answer")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://relay.example:6001", {"ws_host": "relay.example", "ws_port": 6001, "force_tls": False}),
        ("http://relay.example", {"ws_host": "relay.example", "ws_port": 80, "force_tls": False}),
        ("https://relay.example", {"ws_host": "relay.example", "ws_port": 443, "force_tls": True}),
    ],
)
async def test_browsers_learn_where_the_relay_is(
    start: Start, settings: Settings, url: str, expected: dict[str, object]
) -> None:
    running = await start(replace(settings, relay_public_url=url))
    answer = await running.nobody.get("/config")
    assert answer.json == {"app_key": "app-key", "max_content": 4000} | expected


async def test_an_unknown_address_and_a_wrong_method_are_json_too(nobody: Caller) -> None:
    unknown = await nobody.get("/nothing")
    assert (unknown.status, unknown.code) == (404, "not_found")
    wrong = await nobody.get("/auth")
    assert (wrong.status, wrong.code, wrong.headers["Allow"]) == (405, "method_not_allowed", "POST")
    assert wrong.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


async def test_answers_about_one_caller_are_not_kept(nobody: Caller) -> None:
    assert (await nobody.get("/operator/me")).headers["Cache-Control"] == "no-store"
