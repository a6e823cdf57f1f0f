"""Reads the fields of a request: JSON, form or query in; checked values or a clear refusal out. Knows no call's meaning."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import BodyPartReader, ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from support_api.errors import BodyTooLarge, InvalidField, UnreadableBody, UnsupportedBody
from support_api.models.ids import MAX_ID
from support_api.rules.visible import clean_name, shows_something
from support_api.services.passwords import MAX_PASSWORD

# Bytes of a request's body; more is answered with 413.
BODY_LIMIT: Final = 64 * 1024

# Characters of one message.
MAX_CONTENT: Final = 4000

# Bytes of one message as JSON: with its envelope it then fits into the 10 KB that a Pusher-compatible server takes.
MAX_CONTENT_BYTES: Final = 9000

# Fields of one form.
MAX_FIELDS: Final = 100

# Characters of the id that a client gives to its own request.
CLIENT_ID_LENGTH: Final = 64

_SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


class Fields:
    """The fields of one request by name. A field that is null is absent."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values

    def text(self, name: str, limit: int) -> str | None:
        """A trimmed text of at most `limit` characters; None where it is absent or empty. Raises `InvalidField`."""
        value = self._values.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or not _is_storable(value) or len(value.strip()) > limit:
            raise InvalidField(name, f"a text of at most {limit} characters")
        return value.strip() or None

    def required_text(self, name: str, limit: int) -> str:
        """A text that must be there. Raises `InvalidField`."""
        value = self.text(name, limit)
        if value is None:
            raise InvalidField(name, f"a text of 1 to {limit} characters")
        return value

    def person(self, name: str, limit: int) -> str | None:
        """Somebody's name in one line, without what cannot be seen; None where nothing is left. Raises `InvalidField`."""
        value = self.text(name, limit)
        return clean_name(value) or None if value is not None else None

    def content(self, name: str) -> str:
        """The text of a message. Raises `InvalidField`."""
        value = self.required_text(name, MAX_CONTENT)
        if not shows_something(value):
            raise InvalidField(name, "a text of which something can be seen")
        if len(orjson.dumps(value)) > MAX_CONTENT_BYTES:
            raise InvalidField(name, f"at most {MAX_CONTENT_BYTES} bytes as JSON")
        return value

    def optional_content(self, name: str) -> str | None:
        """A text as long as a message, where there is one. Raises `InvalidField`."""
        value = self._values.get(name)
        is_empty = value is None or (isinstance(value, str) and not value.strip())
        return None if is_empty else self.content(name)

    def email(self, name: str) -> str | None:
        """What looks like an e-mail address, where there is one. Raises `InvalidField`."""
        value = self.text(name, 255)
        if value is not None and not is_email(value):
            raise InvalidField(name, "an e-mail address of at most 255 characters")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number, also as digits in a text. Raises `InvalidField`; without default also where it is absent."""
        value = self._values.get(name)
        if value in (None, "") and default is not None:
            return default
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidField(name, f"a whole number from {low} to {high}")
        return value

    def optional_integer(self, name: str, low: int, high: int) -> int | None:
        """A whole number where there is one. Raises `InvalidField`."""
        return None if self._values.get(name) in (None, "") else self.integer(name, low, high)

    def moment(self, name: str) -> datetime | None:
        """A moment as RFC 3339, with its offset from UTC; None where it is absent. Raises `InvalidField`."""
        value = self._values.get(name)
        if value in (None, ""):
            return None
        try:
            moment = datetime.fromisoformat(str(value))
            if moment.tzinfo is not None:
                return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise InvalidField(name, "a moment like 2026-01-02T03:04:05Z")

    def boolean(self, name: str) -> bool:
        """A yes or no, also as a text or as 1 and 0; no where it is absent. Raises `InvalidField`."""
        value = self._values.get(name)
        if value in (None, ""):
            return False
        if isinstance(value, str):
            value = _BOOLEANS.get(value.lower(), value)
        if not isinstance(value, bool):
            raise InvalidField(name, "true or false")
        return value

    def ticket_id(self) -> int:
        """The number of a ticket. Raises `InvalidField`."""
        return self.integer("ticket_id", 1, MAX_ID)

    def client_id(self) -> str | None:
        """The client's own id of this request, where it gave one. Raises `InvalidField`."""
        return self.text("client_id", CLIENT_ID_LENGTH)

    def socket_id(self) -> str | None:
        """The caller's connection; None where it is absent or no socket id ("undefined" is what scripts send at first)."""
        value = self._values.get("socket_id")
        return value if isinstance(value, str) and _SOCKET_ID.fullmatch(value) else None

    def password(self) -> str:
        """A password, as it was typed. Raises `InvalidField`."""
        value = self._values.get("password")
        if not isinstance(value, str) or not 0 < len(value) <= MAX_PASSWORD or not _is_storable(value):
            raise InvalidField("password", f"a text of 1 to {MAX_PASSWORD} characters")
        return value

    def choice(self, name: str, choices: list[str], default: str) -> str:
        """One of `choices`. Raises `InvalidField`."""
        value = self._values.get(name)
        if value in (None, ""):
            return default
        if not isinstance(value, str) or value not in choices:
            raise InvalidField(name, "one of " + ", ".join(choices))
        return value


def _is_storable(text: str) -> bool:
    """Whether a text has neither NUL nor half a character (a lone surrogate), which cannot be encoded."""
    return "\0" not in text and not _HALF_CHARACTER.search(text)


def is_email(text: str) -> bool:
    """Whether a text has the shape of an e-mail address; whether it is one, only a mail can tell."""
    return re.fullmatch(r"[^@\s]+@[^@\s]+", text) is not None and text.isprintable()


def query_fields(request: web.Request) -> Fields:
    """The fields of the query string; of a repeated one the last."""
    return Fields(dict(request.query.items()))


async def body_fields(request: web.Request) -> Fields:
    """The fields of the body: JSON object, urlencoded or multipart form.

    Raises `BodyTooLarge`, `UnsupportedBody` or `UnreadableBody`.
    """
    if (request.content_length or 0) > BODY_LIMIT:
        raise BodyTooLarge(BODY_LIMIT)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedBody(encoding)
    if request.content_type == "multipart/form-data":
        return Fields(await _multipart(request))
    body = await _read(request)
    if not body:
        return Fields({})
    match request.content_type:
        case "application/json":
            return Fields(_json(body))
        case "application/x-www-form-urlencoded":
            return Fields(_form(body))
        case other:
            raise UnsupportedBody(other)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(BODY_LIMIT) from error
    except (ClientError, HttpProcessingError, web.RequestPayloadError) as error:
        raise UnreadableBody("its transfer or content encoding is broken") from error


def _json(body: bytes) -> dict[str, object]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody("expected JSON") from error
    if not isinstance(value, dict):
        raise UnreadableBody("expected a JSON object")
    return value


def _form(body: bytes) -> dict[str, object]:
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise UnreadableBody(f"expected a form in UTF-8 with at most {MAX_FIELDS} fields") from error
    return dict(pairs)


async def _multipart(request: web.Request) -> dict[str, object]:
    values: dict[str, object] = {}
    try:
        parts = await request.multipart()
        while (part := await parts.next()) is not None:
            if request.content.total_bytes > BODY_LIMIT:
                raise BodyTooLarge(BODY_LIMIT)
            if len(values) >= MAX_FIELDS or not isinstance(part, BodyPartReader) or part.name is None:
                raise UnreadableBody(f"expected a form with at most {MAX_FIELDS} named fields")
            values[part.name] = await _value_of(part)
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge(BODY_LIMIT) from error
    except (ValueError, LookupError, RuntimeError, AssertionError, ClientError, HttpProcessingError) as error:
        raise UnreadableBody("expected multipart/form-data") from error
    return values


async def _value_of(part: BodyPartReader) -> object:
    """The text of one part; the bytes of one that is no text, which no field takes."""
    value = bytes(await part.read(decode=True))
    if part.filename or not part.headers.get(hdrs.CONTENT_TYPE, "text/plain").startswith("text/"):
        return value
    if part.get_charset("utf-8").lower() not in ("utf-8", "utf8", "us-ascii"):
        raise UnreadableBody("expected texts in UTF-8")
    return value.decode()
