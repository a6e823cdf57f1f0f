"""Signatures: channel authorisation (B), HTTP requests (B) and the one constant-time comparison of them.

All are lower-case hex HMAC-SHA256 with the app's secret over UTF-8 text.
"""

import hashlib
import hmac
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from relay.protocol.errors import ProtocolError
from relay.protocol.limits import TIMESTAMP_TOLERANCE


class RequestUnsigned(ProtocolError):
    """An HTTP API request whose signature is missing, old or wrong. The message says which, and never holds a secret."""


@lru_cache(maxsize=1_024)
def _keyed(secret: str) -> hmac.HMAC:
    """HMAC-SHA256 that has taken the key: that costs more than to sign a short text (bench/, scenario "connections")."""
    return hmac.new(secret.encode(), digestmod="sha256")


def _digest(secret: str, message: bytes) -> str:
    signer = _keyed(secret).copy()
    signer.update(message)
    return signer.hexdigest()


def sign(secret: str, text: str) -> str:
    """The signature of `text`: 64 lower-case hex digits."""
    return _digest(secret, text.encode())


def is_signed(secret: str, text: str, signature: str) -> bool:
    """Whether `signature` is the one of `text`, compared in constant time."""
    return is_signed_bytes(secret, text.encode(), signature)


def is_signed_bytes(secret: str, message: bytes, signature: str) -> bool:
    """Whether `signature` is the one of `message`, compared in constant time: the one place where signatures are compared."""
    if not signature.isascii():  # compare_digest takes no other text
        return False
    return hmac.compare_digest(_digest(secret, message), signature)


def channel_text(socket_id: str, channel: str, channel_data: str | None = None) -> str:
    """The text that a channel authorisation signs (B). `channel_data` is the raw string, byte for byte."""
    return f"{socket_id}:{channel}" if channel_data is None else f"{socket_id}:{channel}:{channel_data}"


def user_text(socket_id: str, user_data: str) -> str:
    """The text that a sign-in signs (B). `user_data` is the raw string, byte for byte."""
    return f"{socket_id}::user::{user_data}"


def body_md5(body: bytes) -> str:
    """The hex MD5 that a request carries of its body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def request_text(method: str, path: str, params: Iterable[tuple[str, str]]) -> str:
    """The text that an HTTP request signs (B): method, path, and sorted parameters without auth_signature."""
    query = "&".join([f"{name}={value}" for name, value in sorted(params) if name != "auth_signature"])
    return f"{method}\n{path}\n{query}"


def signed_params(
    key: str, secret: str, method: str, path: str, body: bytes, now: float, params: Iterable[tuple[str, str]] = ()
) -> list[tuple[str, str]]:
    """The query of a signed request: `params` with the auth_* fields added. `now` is unix time in seconds."""
    fields = [("auth_key", key), ("auth_timestamp", str(int(now))), ("auth_version", "1.0"), *params]
    if body:
        fields.append(("body_md5", body_md5(body)))
    fields.append(("auth_signature", sign(secret, request_text(method, path, fields))))
    return fields


def verify_request(
    key: str, secret: str, method: str, path: str, params: dict[str, str], body: bytes, now: float
) -> None:
    """Check a signed HTTP API request against the app's `key` and `secret`.

    `path` is the request path as received, `params` the parsed query, `now` unix time in seconds. Raises RequestUnsigned.
    """
    signature = params.get("auth_signature")
    if signature is None:
        raise RequestUnsigned("The request is not signed: auth_signature is missing")
    if params.get("auth_key") != key:
        raise RequestUnsigned("auth_key is not a key of this app")
    ensure_recent(params.get("auth_timestamp", ""), now)
    ensure_body_unchanged(params.get("body_md5"), body)
    # Some SDKs sign the path before, some after they percent-encode it (B).
    text = request_text(method, path, params.items())
    if is_signed(secret, text, signature):
        return
    if "%" in path and is_signed(secret, request_text(method, unquote(path), params.items()), signature):
        return
    raise RequestUnsigned(f"Invalid signature: the text to sign for this request is {text!r}")


def ensure_recent(timestamp: str, now: float) -> None:
    """Raises RequestUnsigned unless `timestamp` (unix seconds) is within the tolerance of `now`."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 20):
        raise RequestUnsigned("auth_timestamp must be the unix time in seconds")
    if abs(int(timestamp) - now) > TIMESTAMP_TOLERANCE:
        raise RequestUnsigned(
            f"auth_timestamp is more than {TIMESTAMP_TOLERANCE} s away from this server's clock ({int(now)}): "
            "check the clocks of both machines"
        )


def ensure_body_unchanged(given: str | None, body: bytes) -> None:
    """Raises RequestUnsigned unless `given` is the MD5 of `body`; it may be absent for an empty body."""
    if given is None and not body:
        return
    if given is None:
        raise RequestUnsigned("body_md5 is missing: a request with a body signs the MD5 of it")
    if not (given.isascii() and hmac.compare_digest(body_md5(body), given)):
        raise RequestUnsigned("body_md5 is not the MD5 of the body that was received")
