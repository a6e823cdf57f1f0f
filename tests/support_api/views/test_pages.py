"""Pages and scripts."""

import re
import shutil
from pathlib import Path

import pytest
from aiohttp import ClientSession
from multidict import CIMultiDictProxy

from support_api.config import Settings
from support_api.views.assets import STATIC_FOLDER, read_assets
from support_api.views.middleware import page_policy
from tests.support_api.conftest import Start
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


async def version_of(nobody: Caller) -> str:
    """The version in the addresses of the panel's page."""
    found = re.search("/client_js/([0-9a-f]{16})/operator.js", (await nobody.get("/operator")).text)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("pushler.js", "text/javascript", "public, max-age=300"),
        ("widget.js", "text/javascript", "public, max-age=300"),
        ("operator.js", "text/javascript", "no-cache"),
        ("operator.css", "text/css", "no-cache"),
        ("VERSION/operator.js", "text/javascript", "public, max-age=31536000, immutable"),
        ("VERSION/operator.css", "text/css", "public, max-age=31536000, immutable"),
        ("0123456789abcdef/operator.js", "text/javascript", "no-cache"),
    ],
)
async def test_scripts_are_kept_for_as_long_as_their_address_holds(
    nobody: Caller, path: str, kind: str, cache: str
) -> None:
    address = f"/client_js/{path.replace('VERSION', await version_of(nobody))}"
    answer = await nobody.get(address)
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    assert answer.headers["Cache-Control"] == cache
    again = await nobody.send("GET", address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.text) == (304, "")
    assert again.headers["Cache-Control"] == cache


async def test_pages_are_asked_for_anew_and_keep_their_policy(nobody: Caller, relay: RecordingRelay) -> None:
    page = await nobody.get("/operator")
    assert page.headers["Cache-Control"] == "no-cache"
    known = await nobody.send("GET", "/operator", headers={"If-None-Match": page.headers["ETag"]})
    assert known.status == 304
    # Browsers put the headers of a 304 in the place of those that they kept.
    assert known.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"] == page_policy(relay.url)


async def test_a_changed_script_has_another_address(start: Start, settings: Settings, static_folder: Path) -> None:
    before = await version_of((await start(settings)).nobody)
    (static_folder / "operator.js").write_text("var other;")
    assert await version_of((await start(settings)).nobody) != before


@pytest.mark.parametrize(
    ("accepted", "coding", "file"),
    [
        ("", None, "widget.js"),
        ("gzip, deflate", "gzip", "widget.js.gz"),
        ("gzip, deflate, br, zstd", "br", "widget.js.br"),
        ("br;q=0, gzip;q=0.5", "gzip", "widget.js.gz"),
        ("br;q=0", None, "widget.js"),
    ],
)
async def test_a_script_comes_in_the_coding_that_the_client_takes(
    nobody: Caller, static_folder: Path, accepted: str, coding: str | None, file: str
) -> None:
    status, headers, body = await plain(nobody, "GET", "/client_js/widget.js", {"Accept-Encoding": accepted})
    content = (static_folder / file).read_bytes()
    assert (status, body) == (200, content)
    assert headers.get("Content-Encoding") == coding
    assert headers["Vary"] == "Accept-Encoding"
    assert headers["Content-Length"] == str(len(content))
    head = await plain(nobody, "HEAD", "/client_js/widget.js", {"Accept-Encoding": accepted})
    assert (head[0], head[2]) == (200, b"")
    for name in ("Content-Encoding", "Content-Length", "Content-Type", "ETag", "Vary"):
        assert head[1].get(name) == headers.get(name)


async def test_the_codings_of_a_script_have_tags_of_their_own(nobody: Caller) -> None:
    codings = ("", "gzip", "br")
    path = "/client_js/widget.js"
    tags = [(await plain(nobody, "GET", path, {"Accept-Encoding": one}))[1]["ETag"] for one in codings]
    assert len(set(tags)) == len(codings)
    for coding, tag in zip(codings, tags, strict=True):
        for known in tags:
            status, headers, body = await plain(
                nobody, "GET", path, {"Accept-Encoding": coding, "If-None-Match": f'"other", W/{known}'}
            )
            assert status == (304 if known == tag else 200)
            assert (headers["ETag"], headers["Vary"], bool(body)) == (tag, "Accept-Encoding", known != tag)


async def test_a_part_of_a_script_is_answered_with_the_whole(nobody: Caller) -> None:
    status, headers, body = await plain(
        nobody, "GET", "/client_js/widget.js", {"Accept-Encoding": "", "Range": "bytes=0-2"}
    )
    assert (status, body) == (200, b"var widget;")
    assert "Content-Range" not in headers


async def plain(
    nobody: Caller, method: str, path: str, headers: dict[str, str]
) -> tuple[int, CIMultiDictProxy[str], bytes]:
    """An answer as it was sent, nothing unpacked."""
    async with (
        ClientSession(auto_decompress=False, skip_auto_headers=["Accept-Encoding"]) as http,
        http.request(method, nobody.http.make_url(path), headers=headers) as answer,
    ):
        return answer.status, answer.headers, await answer.read()


@pytest.mark.parametrize(
    "path",
    [
        "none.js",
        "notes.txt",
        "widget.js.br",
        "widget.js.gz",
        "demo",
        "demo/",
        "/widget.js",
        "dist/widget.js",
        "VERSION/widget.js",
        "0123456789abcdef/0123456789abcdef/widget.js",
        "../outside.js",
        "%2e%2e/outside.js",
        "..%2foutside.js",
        "0123456789abcdef/%2e%2e/%2e%2e/outside.js",
        "0123456789abcdef/..%2f..%2foutside.js",
        "/etc/passwd",
        "a%00.js",
        "..\\outside.js",
        "%ff.js",
        "x" * 300 + ".js",
    ],
)
async def test_nothing_else_is_served(nobody: Caller, path: str) -> None:
    from yarl import URL

    answer = await nobody.send("GET", URL(f"/client_js/{path}", encoded=True))
    assert answer.status == 404
    assert answer.code == "not_found"


@pytest.mark.parametrize("path", ["/", "/operator", "/client_js/widget.js", "/up", "/ready", "/config"])
async def test_the_head_of_an_answer_is_given_alone(nobody: Caller, path: str) -> None:
    whole = await nobody.get(path)
    head = await nobody.send("HEAD", path)
    assert (head.status, head.text) == (200, "")
    for name in ("Content-Type", "Content-Length", "Content-Security-Policy"):
        assert head.headers[name] == whole.headers[name]


async def test_a_missing_folder_is_said_clearly(start: Start, settings: Settings, static_folder: Path) -> None:
    shutil.rmtree(static_folder)
    answer = await (await start(settings)).nobody.get("/")
    assert answer.status == 404
    assert "make bundle" in answer.json["error"]["message"]


@pytest.mark.parametrize("page", ["demo.html", "operator.html"])
def test_our_own_pages_name_only_files_that_are_there(page: str) -> None:
    assets = read_assets(STATIC_FOLDER)
    text = assets.find(page).variants["identity"].content.decode()
    named = re.findall('(?:src|href)="/client_js/([^"]*)"', text)
    assert named
    for path in named:
        version, _, name = path.rpartition("/")
        assert version in {"", assets.version}
        assert set(assets.find(name).variants) == {"identity", "gzip", "br"}
