"""Serves the pages, scripts and styles: those that were there at the start, by their names alone."""

import re
from typing import Final

from aiohttp import hdrs, web

from support_api.errors import UnknownPage
from support_api.views.assets import IDENTITY, VERSION_LENGTH, Asset, Assets
from support_api.views.codings import choose_coding

ASSETS: Final = web.AppKey("assets", Assets)

# Scripts whose addresses stand in the pages of other sites and never change.
TAGS: Final = frozenset({"pushler.js", "widget.js"})

# Browsers keep the file and ask each time whether it is still the same: for pages, and for what is not as old as it says.
ASK_EACH_TIME: Final = "no-cache"

# A site's visitors ask again after five minutes, so an update reaches all of them within that time.
TAG_CACHE: Final = "public, max-age=300"

# A year, the most that caches keep: the address holds a hash over the content.
FOREVER: Final = "public, max-age=31536000, immutable"

_VERSION: Final = re.compile(f"[0-9a-f]{{{VERSION_LENGTH}}}")


async def demo(request: web.Request) -> web.Response:
    """The shop page that shows the widget."""
    return _answer(request, request.app[ASSETS].find("demo.html"), ASK_EACH_TIME)


async def panel(request: web.Request) -> web.Response:
    """The operator's panel."""
    return _answer(request, request.app[ASSETS].find("operator.html"), ASK_EACH_TIME)


async def client_file(request: web.Request) -> web.Response:
    """A script or style: /client_js/NAME, or /client_js/VERSION/NAME as our own pages name it."""
    assets = request.app[ASSETS]
    version, slash, name = request.match_info["path"].rpartition("/")
    if slash and not _VERSION.fullmatch(version):
        raise UnknownPage
    if version == assets.version:
        return _answer(request, assets.find(name), FOREVER)
    # Another version: a page from before an update loads the rest of its files. They are today's, so not kept.
    return _answer(request, assets.find(name), TAG_CACHE if name in TAGS and not slash else ASK_EACH_TIME)


def _answer(request: web.Request, asset: Asset, cache: str) -> web.Response:
    """The file in the coding that the client likes best, or 304. Ranges are not offered: the files are small."""
    coding = choose_coding(",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, ())), asset.variants)
    variant = asset.variants[coding]
    headers = {hdrs.CACHE_CONTROL: cache, hdrs.ETAG: f'"{variant.etag}"', hdrs.VARY: hdrs.ACCEPT_ENCODING}
    # In a 304 too: a page's policy goes by it, and browsers take the headers of a 304 in the place of those they kept.
    headers[hdrs.CONTENT_TYPE] = asset.content_type
    if _is_known(request, variant.etag):
        return web.Response(status=304, headers=headers)
    if coding != IDENTITY:
        headers[hdrs.CONTENT_ENCODING] = coding
    return web.Response(body=variant.content, headers=headers)


def _is_known(request: web.Request, etag: str) -> bool:
    """Whether the client has this content: If-None-Match (RFC 9110, section 13.1.2; compared weakly)."""
    return any(known.value in (etag, "*") for known in request.if_none_match or ())
