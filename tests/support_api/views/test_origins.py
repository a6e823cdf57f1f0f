"""Requests from pages of other sites."""

from dataclasses import replace

import pytest
import structlog

from support_api.config import Settings
from support_api.views.desk import Callers
from support_api.views.routes import ROUTES
from tests.support_api.conftest import Running, Start
from tests.support_api.helpers import Caller, open_ticket

SHOP, EVIL = "https://shop.example", "https://evil.example"
POSTS = [path for route in ROUTES if route.method == "POST" for path in route.paths]
FOR_OTHERS = [path for route in ROUTES if route.callers is Callers.LISTED for path in route.paths]
OWN_ONLY = [path for route in ROUTES if route.method == "POST" and route.callers is Callers.OWN for path in route.paths]


def own_origin(caller: Caller) -> str:
    return str(caller.http.make_url("")).rstrip("/")


def from_page(caller: Caller, origin: str, **more: str) -> Caller:
    return caller.with_headers({"Origin": origin} | {name.replace("_", "-"): value for name, value in more.items()})


@pytest.mark.parametrize("origin", [EVIL, "null", "http://[", "https://shop.example.evil", "http://shop.example", ""])
async def test_a_page_of_an_unknown_origin_changes_nothing(nobody: Caller, origin: str) -> None:
    for path in POSTS:
        answer = await from_page(nobody, origin).post(path, message="x")
        assert (answer.status, answer.code) == (403, "foreign_origin"), path
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Set-Cookie" not in answer.headers


async def test_a_refused_origin_is_one_line_in_the_log(nobody: Caller) -> None:
    with structlog.testing.capture_logs() as lines:
        await from_page(nobody, EVIL).post("/create_ticket", message="x")
        await from_page(nobody, EVIL, Access_Control_Request_Method="POST").send("OPTIONS", "/auth")
        await nobody.with_headers({"Sec-Fetch-Site": "cross-site"}).form("/typing")
    refused = {"event": "origin_refused", "log_level": "info"}
    assert lines == [
        refused | {"origin": EVIL, "method": "POST", "path": "/create_ticket"},
        refused | {"origin": EVIL, "method": "OPTIONS", "path": "/auth"},
        refused | {"origin": None, "method": "POST", "path": "/typing"},
    ]


async def test_a_page_of_an_allowed_origin_does_not_reach_the_operators_calls(nobody: Caller) -> None:
    for path in OWN_ONLY:
        assert (await from_page(nobody, SHOP).post(path)).status == 403, path


async def test_a_form_that_hides_its_origin_is_refused_when_the_browser_says_cross_site(nobody: Caller) -> None:
    for path in POSTS:
        answer = await nobody.with_headers({"Sec-Fetch-Site": "cross-site"}).form(path, message="x")
        assert (answer.status, answer.code) == (403, "foreign_origin"), path


async def test_our_own_pages_may_do_everything(running: Running) -> None:
    own = own_origin(running.nobody)
    page = from_page(running.nobody, own, Sec_Fetch_Site="same-origin")
    made = await page.form("/create_ticket", message="x")
    assert made.status == 200
    assert "visitor_id" in made.cookies
    _, olga = await running.online("Olga")
    assert (await from_page(olga, own).post("/operator/heartbeat")).status == 200


async def test_the_same_host_is_foreign_when_the_browser_says_so(nobody: Caller) -> None:
    page = from_page(nobody, own_origin(nobody), Sec_Fetch_Site="same-site")
    assert (await page.post("/create_ticket", message="x")).status == 403


async def test_a_page_of_an_allowed_origin_talks_as_a_visitor_by_header(nobody: Caller) -> None:
    page = from_page(nobody, SHOP, Sec_Fetch_Site="cross-site")
    made = await page.post("/create_ticket", message="x")
    assert made.status == 200
    assert "Set-Cookie" not in made.headers
    assert made.headers["Access-Control-Allow-Origin"] == SHOP
    assert made.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in made.headers
    anna = page.with_headers({"Authorization": f"Bearer {made.json['visitor_token']}"})
    read = await anna.get("/get_messages", ticket_id=made.json["ticket_id"])
    assert (read.status, read.headers["Access-Control-Allow-Origin"]) == (200, SHOP)


async def test_cookies_of_a_request_from_another_site_count_for_nothing(running: Running) -> None:
    _, olga = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    by_cookie = running.nobody.with_headers({"Cookie": f"visitor_id={anna.token}"})
    fields = {"ticket_id": anna.ticket_id, "content": "x"}
    for caller in (by_cookie, olga):
        assert (await caller.post("/send_support_message", **fields)).status == 200
        refused = await from_page(caller, SHOP).post("/send_support_message", **fields)
        assert refused.status == 403
        assert refused.headers["Access-Control-Allow-Origin"] == SHOP
    for origin in (SHOP, EVIL):
        assert (await from_page(olga, origin).get("/operator/tickets")).status == 401
        assert (await from_page(by_cookie, origin).get("/get_messages", ticket_id=anna.ticket_id)).status == 403
    cross = olga.with_headers({"Sec-Fetch-Site": "cross-site"})
    assert (await cross.get("/operator/tickets")).status == 401


async def test_an_unknown_page_may_send_a_get_but_not_read_the_answer(nobody: Caller) -> None:
    anna = await open_ticket(nobody)
    answer = await from_page(anna.caller, EVIL).get("/get_messages", ticket_id=anna.ticket_id)
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_preflight_of_an_allowed_origin_is_answered(nobody: Caller) -> None:
    page = from_page(nobody, SHOP, Access_Control_Request_Method="POST")
    for path in FOR_OTHERS:
        answer = await page.send("OPTIONS", path)
        assert (answer.status, answer.text) == (204, ""), path
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
        assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST"
        assert answer.headers["Access-Control-Max-Age"] == "7200"
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("origin", "path"), [(EVIL, "/auth"), (SHOP, "/operator/login"), (SHOP, "/up")])
async def test_any_other_preflight_is_refused(nobody: Caller, origin: str, path: str) -> None:
    page = from_page(nobody, origin, Access_Control_Request_Method="POST")
    answer = await page.send("OPTIONS", path)
    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_a_preflight_for_no_address_is_unknown_and_options_alone_not_allowed(nobody: Caller) -> None:
    page = from_page(nobody, SHOP, Access_Control_Request_Method="POST")
    assert (await page.send("OPTIONS", "/nothing")).status == 404
    assert (await nobody.send("OPTIONS", "/auth")).status == 405


async def test_with_a_star_any_origin_is_allowed_but_never_with_cookies(start: Start, settings: Settings) -> None:
    running = await start(replace(settings, allowed_origins=("*",)))
    anna = await open_ticket(running.nobody)
    page = from_page(running.nobody.with_headers({"Cookie": f"visitor_id={anna.token}"}), EVIL)
    assert (await page.post("/close_ticket", ticket_id=anna.ticket_id)).status == 403
    assert (await page.post("/create_ticket", message="x")).headers["Access-Control-Allow-Origin"] == EVIL
    assert (await from_page(running.nobody, EVIL).post("/operator/login")).status == 403


async def test_anybody_reads_what_is_public(nobody: Caller) -> None:
    for path in ("/config", "/client_js/widget.js", "/openapi.yaml"):
        answer = await from_page(nobody, EVIL).get(path)
        assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
