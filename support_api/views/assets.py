"""What browsers load: pages, scripts and styles, read once when the desk starts. Must not know requests.

The files are those of static/, which `make bundle` writes from client_js/: each as it is, and beside it as .br and .gz.
"""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from support_api.errors import UnknownPage

STATIC_FOLDER: Final = Path(__file__).parent.parent / "static"

# What is served, and as what.
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}

# Files beside those, and the content coding that they hold.
ENCODED: Final = {".br": "br", ".gz": "gzip"}

IDENTITY: Final = "identity"

# How pages name our own files: the version takes its place, so that an address never changes its content.
VERSIONED: Final = "/client_js/VERSION/"

VERSION_LENGTH: Final = 16


class Variant(Struct, frozen=True):
    """A file in one content coding. `etag` is its own: another coding is another content."""

    content: bytes
    etag: str


class Asset(Struct, frozen=True):
    """A file. `variants`: by content coding, `identity` among them."""

    content_type: str
    variants: Mapping[str, Variant]


class Assets(Struct, frozen=True):
    """All files by their names. `version`: 16 hexadecimal digits of a hash over what the pages load."""

    version: str
    files: Mapping[str, Asset]

    def find(self, name: str) -> Asset:
        """The file of that name. Raises `UnknownPage`."""
        try:
            return self.files[name]
        except KeyError:
            raise UnknownPage("There is no such file; `make bundle` writes those that there are.") from None


def read_assets(folder: Path) -> Assets:
    """All files of a folder, which may be missing: then there are none. Raises OSError where one cannot be read."""
    paths = sorted(path for path in folder.glob("*") if path.suffix in KINDS)
    version = _version(path for path in paths if path.suffix != ".html")
    return Assets(version, {path.name: _read(path, version) for path in paths})


def _version(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:VERSION_LENGTH]


def _read(path: Path, version: str) -> Asset:
    content = path.read_bytes()
    if path.suffix == ".html":
        named = content.replace(VERSIONED.encode(), f"/client_js/{version}/".encode())
        return Asset(KINDS[path.suffix], {IDENTITY: _variant(named)})
    encoded = {coding: path.with_name(path.name + suffix) for suffix, coding in ENCODED.items()}
    others = {coding: _variant(beside.read_bytes()) for coding, beside in encoded.items() if beside.is_file()}
    return Asset(KINDS[path.suffix], {IDENTITY: _variant(content), **others})


def _variant(content: bytes) -> Variant:
    return Variant(content, hashlib.sha256(content).hexdigest()[:32])
