"""Pages and scripts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support_api.errors import UnknownPage
from support_api.views.middleware import page_policy
from support_api.views.pages import find_file
from tests.support_api.helpers import Caller, RecordingRelay


@pytest.mark.parametrize(("path", "title"), [("/", "shop"), ("/operator", "panel"), ("/operator/", "panel")])
async def test_pages_come_with_a_strict_policy(nobody: Caller, relay: RecordingRelay, path: str, title: str) -> None:
    answer = await nobody.get(path)
    assert answer.status == 200
    assert title in answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy == page_policy(relay.url)
    host = relay.url.removeprefix("http://")
    assert f"connect-src 'self' ws://{host} http://{host};" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_the_policy_names_the_secure_schemes_of_a_secure_relay() -> None:
    assert "connect-src 'self' wss://ws.example https://ws.example;" in page_policy("https://ws.example")


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("pushler.js", "text/javascript"),
        ("widget.js", "text/javascript"),
        ("dist/widget.js", "text/javascript"),
        ("widget/style.css", "text/css"),
        ("demo/index.html", "text/html"),
    ],
)
async def test_scripts_are_served_and_asked_for_anew(nobody: Caller, path: str, kind: str) -> None:
    answer = await nobody.get(f"/client_js/{path}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.headers["Cache-Control"] == "no-cache"
    again = await nobody.send("GET", f"/client_js/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.text) == (304, "")


@pytest.mark.parametrize(
    "path",
    [
        "none.js",
        "tests/secret.js",
        ".hidden.js",
        "package.json",
        "demo",
        "demo/",
        "link.js",
        "../outside.js",
        "%2e%2e/outside.js",
        "..%2foutside.js",
        "demo/%2e%2e/%2e%2e/outside.js",
        "/etc/passwd",
        "a%00.js",
        "..\\outside.js",
        "%ff.js",
        "x" * 300 + ".js",
        "node_modules/x.js",
        "eslint.config.js",
        "scripts/build.js",
        "widget/.hidden.js",
        "widget/tests/a.js",
        "demo/link.js",
        "demo/../scripts/build.js",
    ],
)
async def test_nothing_else_is_served(nobody: Caller, path: str) -> None:
    from yarl import URL

    answer = await nobody.send("GET", URL(f"/client_js/{path}", encoded=True))
    assert answer.status == 404
    assert answer.code == "not_found"


@pytest.mark.parametrize(
    "path",
    ["../outside.js", "..", "", ".", "dist", "demo/../package.json", "a//b.js", "tests/secret.js", "link.js", "a\0.js"],
)
def test_a_path_that_leads_elsewhere_names_no_file(client_folder: Path, path: str) -> None:
    with pytest.raises(UnknownPage):
        find_file(client_folder, path)


@pytest.mark.parametrize("path", ["/", "/operator", "/client_js/widget.js", "/up", "/ready", "/config"])
async def test_the_head_of_an_answer_is_given_alone(nobody: Caller, path: str) -> None:
    whole = await nobody.get(path)
    head = await nobody.send("HEAD", path)
    assert (head.status, head.text) == (200, "")
    for name in ("Content-Type", "Content-Length", "Content-Security-Policy"):
        assert head.headers[name] == whole.headers[name]


async def test_a_missing_folder_is_said_clearly(nobody: Caller, client_folder: Path) -> None:
    shutil.rmtree(client_folder)
    answer = await nobody.get("/")
    assert answer.status == 404
    assert "client_js" in answer.json["error"]["message"]
