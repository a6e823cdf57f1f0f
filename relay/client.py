"""The public client for back ends: trigger events, authorise channels, ask about channels.

It talks to this relay or to any other server with the Pusher HTTP API, and knows nothing of the relay's inside.

RelayError
├── RelayUnavailable   nobody answered, or with a server's error: try again later
└── RelayRefused       the request is wrong (`status`, `text`): trying again unchanged is pointless, but for 429
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, NotRequired, Self, TypedDict
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from relay.protocol import signatures, webhooks
from relay.protocol.channels import channel_of, is_socket_id, rules_for
from relay.protocol.errors import ProtocolError
from relay.wire import halves

DEFAULT_URL: Final = "http://127.0.0.1:6001"
DEFAULT_TIMEOUT: Final = 5.0

# What is sent with idempotency keys is sent again after so many seconds when nobody knows whether it was published.
PAUSES: Final = (0.1, 1.0)

_ELSEWHERE: Final = ": is another server on this address?"
_HEADERS: Final = {"Content-Type": "application/json"}

# Answers after which nobody knows, or nobody got it: the relay's own, and those of proxies that got none.
_NO_ANSWER: Final = frozenset({None, 502, 503, 504})


class Event(TypedDict):
    """One event of a batch."""

    channel: str
    name: str
    data: object
    socket_id: NotRequired[str | None]
    info: NotRequired[str]
    idempotency_key: NotRequired[str]


class RelayError(Exception):
    """The relay did not do what was asked."""


class RelayUnavailable(RelayError):
    """The relay could not be reached, took too long, or had an error of its own. `reason` says which, `status` is that of its
    answer, if there was one."""

    def __init__(self, url: str, reason: str, status: int | None = None) -> None:
        super().__init__(url, reason, status)
        self.url = url
        self.reason = reason
        self.status = status

    def __str__(self) -> str:
        return f"the relay at {self.url} is not available: {self.reason}"


class RelayRefused(RelayError):
    """The relay refused the request with the HTTP `status` and the explanation `text`. `event`: the place, from 0, of the one
    event of a batch that was at fault; only Pushdesk's relay says so, and whatever another server says, it is None."""

    def __init__(self, status: int, text: str, event: int | None = None) -> None:
        super().__init__(status, text, event)
        self.status = status
        self.text = text
        self.event = event

    def __str__(self) -> str:
        return f"the relay refused the request ({self.status}): {self.text}"


class PushlerClient:
    """A client of one app. Keeps connections alive; create it once, close it at the end.

    `app_id` may be left out where the relay finds the app by its key. `url` is the relay's base address, `timeout` is in
    seconds and covers one whole request. `pauses` (seconds) are made before what is sent with idempotency keys is sent again,
    once each: none for those who do that themselves.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        app_id: str | None = None,
        url: str = DEFAULT_URL,
        timeout: float = DEFAULT_TIMEOUT,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self.key = key
        self._secret = secret
        self._url = url.rstrip("/")
        self._app_path = f"/apps/{quote(app_id or key, safe='')}"
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._pauses = pauses
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"PushlerClient(key={self.key!r}, url={self._url!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the kept connections. The client opens new ones when it is used again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def trigger(
        self,
        channels: str | Sequence[str],
        event: str,
        data: object,
        socket_id: str | None = None,
        *,
        info: Sequence[str] = (),
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Publish one event to one or many channels, leaving out the connection `socket_id`.

        `data` is any JSON value; text is sent as it is. Returns the relay's answer: {} or, with `info`, {"channels": {…}}.

        With an `idempotency_key`, 1 to 128 characters that no other event has, Pushdesk's relay sends the event to a channel
        once, however often it is published in 120 s; it is published again here where nobody knows whether it was. Raises
        RelayError.
        """
        body: dict[str, object] = {"name": event, "data": encode_data(data)}
        if isinstance(channels, str):
            body["channel"] = channels
        else:
            body["channels"] = list(channels)
        if socket_id is not None:
            body["socket_id"] = socket_id
        if info:
            body["info"] = ",".join(info)
        if idempotency_key is not None:
            body["idempotency_key"] = idempotency_key
        return await self._publish("/events", body, is_idempotent=idempotency_key is not None)

    async def trigger_batch(self, batch: Sequence[Event]) -> dict[str, Any]:
        """Publish up to ten different events in one request, in this order; again as above, if each has an `idempotency_key`.
        Raises RelayError."""
        items = [{**event, "data": encode_data(event["data"])} for event in batch]
        for item in items:
            if item.get("socket_id") is None:
                item.pop("socket_id", None)
        is_idempotent = all(item.get("idempotency_key") is not None for item in items)
        return await self._publish("/batch_events", {"batch": items}, is_idempotent=is_idempotent)

    async def channels(self, prefix: str | None = None, info: Sequence[str] = ()) -> dict[str, Any]:
        """The occupied channels by name, those that begin with `prefix`: {"channels": {name: {…}}}. Raises RelayError."""
        params = [("filter_by_prefix", prefix)] if prefix is not None else []
        return await self._get("/channels", params, info)

    async def channel(self, name: str, info: Sequence[str] = ()) -> dict[str, Any]:
        """The state of one channel: {"occupied": bool, …what `info` names}. Raises RelayError."""
        return await self._get(_channel_path(name), [], info)

    async def users(self, channel: str) -> dict[str, Any]:
        """The users in a presence channel: {"users": [{"id": "…"}]}. Raises RelayError."""
        return await self._get(f"{_channel_path(channel)}/users", [], ())

    async def is_alive(self) -> bool:
        """Whether the relay answers its health check."""
        try:
            await self._request("GET", "/up", b"", {})
        except RelayError:
            return False
        return True

    def authorize_channel(
        self, channel: str, socket_id: str, member: Mapping[str, object] | None = None
    ) -> dict[str, str]:
        """The answer of an authorisation endpoint for a private or presence channel (B).

        `member` is {"user_id": …, "user_info": …}: who joins a presence channel, or whose subscription of another kind it
        is, which only the relay then knows. Raises ValueError for a bad channel name or socket id, so that nothing else
        than a subscription gets signed.
        """
        if not is_socket_id(socket_id):
            raise ValueError(f"not a socket id: {socket_id!r}")
        try:
            rules = rules_for(channel)
        except ProtocolError as error:
            raise ValueError(f"{error}: {channel!r}") from None
        if not rules.needs_auth:
            raise ValueError(f"a public channel needs no authorisation: {channel!r}")
        channel_data = None if member is None else orjson.dumps(member).decode()
        signature = signatures.sign(self._secret, signatures.channel_text(socket_id, channel, channel_data))
        answer = {"auth": f"{self.key}:{signature}"}
        if channel_data is not None:
            answer["channel_data"] = channel_data
        return answer

    def authenticate_user(self, socket_id: str, user: Mapping[str, object]) -> dict[str, str]:
        """The answer of an endpoint that signs users in (B); `user` has an "id" and may have "user_info" and "watchlist".

        Raises ValueError for a bad socket id or a user without an id.
        """
        if not is_socket_id(socket_id):
            raise ValueError(f"not a socket id: {socket_id!r}")
        if not isinstance(user.get("id"), str) or not user["id"]:
            raise ValueError("a user needs an id that is text")
        user_data = orjson.dumps(user).decode()
        signature = signatures.sign(self._secret, signatures.user_text(socket_id, user_data))
        return {"auth": f"{self.key}:{signature}", "user_data": user_data}

    def verify_webhook(self, headers: Mapping[str, str], body: bytes) -> list[dict[str, Any]]:
        """The events of a webhook request, if this app's relay signed it. Raises ValueError for any other request.

        `headers` by their names in any case.
        """
        by_name = {name.lower(): value for name, value in headers.items()}
        if by_name.get(webhooks.KEY_HEADER.lower()) != self.key:
            raise ValueError("the webhook is of another app")
        signature = by_name.get(webhooks.SIGNATURE_HEADER.lower(), "")
        if not signatures.is_signed_bytes(self._secret, body, signature):
            raise ValueError("the signature of the webhook is wrong")
        events: list[dict[str, Any]] = halves.loads(body)["events"]
        return events

    async def terminate_connections(self, user_id: str) -> dict[str, Any]:
        """Close every connection that is signed in as the user. Raises RelayError."""
        return await self._post(f"/users/{quote(user_id, safe='')}/terminate_connections", {})

    async def unsubscribe_user(self, user_id: str, channel: str | None = None) -> dict[str, Any]:
        """End the user's subscriptions to a private or presence channel, or to all of them: those of connections that are
        signed in as the user, and those that `authorize_channel` signed for it. What was signed for it before cannot be
        used again. An extension of this relay; other servers answer 404. Raises RelayError.
        """
        return await self._post(f"/users/{quote(user_id, safe='')}/unsubscribe", {"channel": channel})

    async def send_to_user(self, user_id: str, event: str, data: object) -> dict[str, Any]:
        """Publish an event to every connection that is signed in as the user. Raises RelayError."""
        return await self.trigger(channel_of(user_id), event, data)

    async def _publish(self, path: str, body: object, *, is_idempotent: bool) -> dict[str, Any]:
        """Publish, and again after each of the pauses as long as nobody knows whether it was, if that does no harm."""
        for pause in self._pauses if is_idempotent else ():
            try:
                return await self._post(path, body)
            except RelayUnavailable as error:
                if error.status not in _NO_ANSWER:
                    raise
            await asyncio.sleep(pause)
        return await self._post(path, body)

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        return await self._signed("POST", path, [], halves.dumps(body))

    async def _get(self, path: str, params: list[tuple[str, str]], info: Sequence[str]) -> dict[str, Any]:
        if info:
            params = [*params, ("info", ",".join(info))]
        return await self._signed("GET", path, params, b"")

    async def _signed(self, method: str, path: str, params: list[tuple[str, str]], body: bytes) -> dict[str, Any]:
        full_path = self._app_path + path
        query = signatures.signed_params(self.key, self._secret, method, full_path, body, time.time(), params)
        answer = await self._request(
            method, f"{full_path}?{urlencode(query, quote_via=quote)}", body, _HEADERS if body else {}
        )
        try:
            decoded = halves.loads(answer)
        except ValueError:
            raise RelayUnavailable(self._url, f"its answer is not JSON{_ELSEWHERE}", HTTPStatus.OK) from None
        if not isinstance(decoded, dict):
            raise RelayUnavailable(self._url, f"its answer is not a JSON object{_ELSEWHERE}", HTTPStatus.OK)
        return decoded

    async def _request(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        url = URL(self._url + target, encoded=True)
        try:
            async with self._session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.read()
                status = response.status
        except TimeoutError:
            raise RelayUnavailable(self._url, f"no answer within {self._timeout.total} s") from None
        except aiohttp.ClientError as error:
            raise RelayUnavailable(self._url, str(error) or type(error).__name__) from error
        if status >= 500:
            raise RelayUnavailable(self._url, f"it answered {status}", status)
        if status >= 300:
            raise RelayRefused(status, answer.decode("utf-8", "replace").strip(), _event_at_fault(status, answer))
        return answer


def _channel_path(name: str) -> str:
    """The path of a channel below the app; a name that is none stays one part of the path."""
    return f"/channels/{quote(name, safe='=@,;')}"


def _event_at_fault(status: int, answer: bytes) -> int | None:
    """Which event of a batch Pushdesk's relay refused; None for every other answer, a proxy's or another server's too."""
    try:
        told = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or told.get("code") != status:
        return None
    event = told.get("event")
    return event if isinstance(event, int) and not isinstance(event, bool) else None


def encode_data(data: object) -> str:
    """The text that goes out as an event's data: `data` itself if it is text, else its JSON."""
    return data if isinstance(data, str) else halves.dumps(data).decode()
