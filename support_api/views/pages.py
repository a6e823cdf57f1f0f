"""Serves the pages and scripts of client_js/: files of known kinds in listed folders, never hidden ones or tests."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from support_api.errors import UnknownPage

CLIENT_FOLDER = web.AppKey("client_folder", Path)

DEFAULT_CLIENT_FOLDER = Path(__file__).parent.parent.parent / "client_js"

SHORT_NAMES = {"pushler.js": "dist/pushler.js", "widget.js": "dist/widget.js"}
"""Addresses that stand in script tags of other sites, and the files behind them."""

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".ico": "image/x-icon",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served, and as what."""

FOLDERS = frozenset({"demo", "dist", "operator", "pushler", "shared", "widget"})
"""What browsers load from; tools and settings lie beside them."""


async def demo(request: web.Request) -> web.FileResponse:
    """The shop page that shows the widget."""
    return _file(request, "demo/index.html")


async def panel(request: web.Request) -> web.FileResponse:
    """The operator's panel."""
    return _file(request, "operator/index.html")


async def client_file(request: web.Request) -> web.FileResponse:
    """A script, style or picture."""
    path = request.match_info["path"]
    return _file(request, SHORT_NAMES.get(path, path))


def _file(request: web.Request, path: str) -> web.FileResponse:
    found = find_file(request.app[CLIENT_FOLDER], path)
    # no-cache: browsers keep the file but ask each time; FileResponse answers 304 by ETag and date.
    return web.FileResponse(found, headers={"Content-Type": KINDS[found.suffix], "Cache-Control": "no-cache"})


def find_file(folder: Path, path: str) -> Path:
    """The file that a path names. Raises `UnknownPage`."""
    parts = path.split("/")
    if parts[0] not in FOLDERS or any(_is_private(part) for part in parts):
        raise UnknownPage
    found = folder.joinpath(*parts)
    if found.suffix not in KINDS or not _is_inside(folder, found):
        raise UnknownPage(f"There is no file {path} in client_js.")
    return found


def _is_inside(folder: Path, found: Path) -> bool:
    try:
        return found.is_file() and found.resolve().is_relative_to(folder.resolve())
    except OSError:  # a name longer than the file system takes
        return False


def _is_private(part: str) -> bool:
    return not part or part.startswith(".") or part == "tests" or "\\" in part or "\0" in part
