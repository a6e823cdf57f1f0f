"""The certificate of the listening socket, read again when its file changes. Must not know what is served over it."""

import ssl
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger()

# How often the files are looked at, in seconds.
INTERVAL: Final = 60.0


class _Server(ssl.SSLObject):
    """Our side of one connection. asyncio and uvloop say nothing of a handshake that fails, and know no address by then."""

    def do_handshake(self) -> None:
        """As of ssl.SSLObject; a failure is logged."""
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            log.info("connection_refused", reason=f"the TLS handshake failed: {error.reason}")
            raise


class Certificate:
    """A TLS context whose certificate follows its files. Raises OSError, ssl.SSLError included, for unusable files."""

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate = Path(certificate)
        self._key = Path(key) if key else None
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.sslobject_class = _Server
        self._version = self._load()
        self._next_look = 0.0

    def tick(self, now: float) -> None:
        """Look whether the files have changed; a connection that is open keeps the certificate that it began with."""
        if now < self._next_look:
            return
        self._next_look = now + INTERVAL
        try:
            if self._stamp() != self._version:
                self._version = self._load()
                log.info("certificate_reloaded", file=str(self._certificate))
        except OSError as error:
            log.error("certificate_unusable", file=str(self._certificate), reason=str(error))  # noqa: TRY400 - says it all

    def _load(self) -> list[int]:
        stamp = self._stamp()
        # OpenSSL takes a certificate before it sees that the key is another's: try both where nobody is served from.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(self._certificate, self._key)
        self.context.load_cert_chain(self._certificate, self._key)
        return stamp

    def _stamp(self) -> list[int]:
        return [file.stat().st_mtime_ns for file in (self._certificate, self._key) if file is not None]
