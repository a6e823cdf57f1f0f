"""The client for back ends, against a real relay and against servers that are none."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from relay.client import Event, PushlerClient, RelayError, RelayRefused, RelayUnavailable, encode_data
from tests.helpers.clients import APP, member
from tests.helpers.relay import RunningRelay


@pytest.fixture
async def client(relay: RunningRelay) -> AsyncIterator[PushlerClient]:
    async with PushlerClient(APP.key, APP.secret, app_id=APP.id, url=relay.url + "/") as opened:
        yield opened


class TestTrigger:
    @pytest.mark.parametrize(
        ("data", "text"), [({"a": [1, None]}, '{"a":[1,null]}'), ("as it is", "as it is"), (7, "7")]
    )
    async def test_any_json_value_goes_out_as_text(
        self, relay: RunningRelay, client: PushlerClient, data: object, text: str
    ) -> None:
        listener = await relay.connect()
        await listener.subscribe("a")
        assert await client.trigger("a", "event", data) == {}
        assert await listener.told() == [{"event": "event", "channel": "a", "data": text}]
        assert encode_data(data) == text

    async def test_many_channels_get_the_event_and_one_connection_is_left_out(
        self, relay: RunningRelay, client: PushlerClient
    ) -> None:
        one, two = await relay.connect(), await relay.connect()
        await one.subscribe("a")
        await two.subscribe("b")
        await client.trigger(["a", "b"], "event", 1, one.socket_id)
        assert (len(await one.told()), len(await two.told())) == (0, 1)

    async def test_info_comes_back(self, relay: RunningRelay, client: PushlerClient) -> None:
        listener = await relay.connect()
        await listener.subscribe("a")
        assert await client.trigger("a", "event", 1, info=["subscription_count"]) == {
            "channels": {"a": {"subscription_count": 1}}
        }

    async def test_a_batch_goes_out_in_order(self, relay: RunningRelay, client: PushlerClient) -> None:
        listener = await relay.connect()
        await listener.subscribe("a")
        await client.trigger_batch(
            [
                {"channel": "a", "name": "1", "data": {"x": 1}},
                {"channel": "a", "name": "2", "data": "", "socket_id": None},
                {"channel": "a", "name": "3", "data": "", "socket_id": listener.socket_id},
            ]
        )
        assert [(event["event"], event["data"]) for event in await listener.told()] == [("1", '{"x":1}'), ("2", "")]

    async def test_an_app_may_be_named_by_its_key_alone(self, relay: RunningRelay) -> None:
        async with PushlerClient(APP.key, APP.secret, url=relay.url) as by_key:
            assert await by_key.channels() == {"channels": {}}


class TestQueries:
    async def test_channels_and_users_are_told(self, relay: RunningRelay, client: PushlerClient) -> None:
        listener = await relay.connect()
        await listener.subscribe("presence-a=b,c@d;e.f", member(7))
        await listener.subscribe("a")
        assert await client.channels() == {"channels": {"presence-a=b,c@d;e.f": {}, "a": {}}}
        assert await client.channels("presence-", ["user_count"]) == {
            "channels": {"presence-a=b,c@d;e.f": {"user_count": 1}}
        }
        assert await client.channel("presence-a=b,c@d;e.f", ["user_count"]) == {"occupied": True, "user_count": 1}
        assert await client.users("presence-a=b,c@d;e.f") == {"users": [{"id": "7"}]}

    @pytest.mark.parametrize("prefix", ["a b", "a+b", "a&b=c", "a%41", "й", "#", "?"])
    async def test_a_prefix_of_any_text_is_signed_as_it_is_sent(self, client: PushlerClient, prefix: str) -> None:
        assert await client.channels(prefix) == {"channels": {}}

    @pytest.mark.parametrize("name", ["a b", "a/users", "a?info=x", "a#b", "a%20b", "../channels", "й"])
    async def test_a_name_that_is_none_is_refused_and_asks_for_nothing_else(
        self, client: PushlerClient, name: str
    ) -> None:
        with pytest.raises(RelayRefused, match="A channel name holds") as refused:
            await client.channel(name)
        assert refused.value.status == 400

    async def test_the_channel_of_a_user_can_be_asked_for(self, client: PushlerClient) -> None:
        assert await client.channel("#server-to-user-7") == {"occupied": False}


class TestAuthorisation:
    client = PushlerClient("278d425bdf160c739803", "7ad3773142a6692b25b8")

    def test_a_private_channel_is_signed_as_documented(self) -> None:
        assert self.client.authorize_channel("private-foobar", "1234.1234") == {
            "auth": "278d425bdf160c739803:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
        }

    def test_a_presence_channel_is_signed_with_its_member(self) -> None:
        answer = self.client.authorize_channel(
            "presence-foobar", "1234.1234", {"user_id": 10, "user_info": {"name": "Mr. Channels"}}
        )
        assert answer == {
            "auth": "278d425bdf160c739803:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
            "channel_data": '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
        }

    def test_a_presence_channel_without_a_member_is_signed_without_data(self) -> None:
        signature = hmac.new(b"7ad3773142a6692b25b8", b"1.2:presence-a", hashlib.sha256).hexdigest()
        assert self.client.authorize_channel("presence-a", "1.2")["auth"].endswith(f":{signature}")

    @pytest.mark.parametrize("socket_id", ["", "1", "1.2:private-b", "1.2\n", "::user::1"])
    def test_what_is_no_socket_id_is_not_signed(self, socket_id: str) -> None:
        with pytest.raises(ValueError, match="not a socket id"):
            self.client.authorize_channel("private-a", socket_id)

    @pytest.mark.parametrize("channel", ["", "private-a b", "private-a:{}", "private-\n", "#private"])
    def test_what_is_no_channel_is_not_signed(self, channel: str) -> None:
        with pytest.raises(ValueError, match="A channel name holds"):
            self.client.authorize_channel(channel, "1.2")

    def test_a_public_channel_is_not_signed(self) -> None:
        with pytest.raises(ValueError, match="a public channel needs no authorisation: 'a'"):
            self.client.authorize_channel("a", "1.2")

    @pytest.mark.parametrize("channel", ["presence-a", "private-a", "private-encrypted-a", "private-cache-a"])
    async def test_a_subscription_signed_here_is_taken_by_the_relay(
        self, relay: RunningRelay, client: PushlerClient, channel: str
    ) -> None:
        listener = await relay.connect()
        signed = client.authorize_channel(channel, listener.socket_id, {"user_id": 7})
        await listener.send("pusher:subscribe", {"channel": channel, **signed})
        assert (await listener.receive())["event"] == "pusher_internal:subscription_succeeded"
        (connection,) = relay.node.namespaces[relay.app.id].hub.connections.values()
        assert connection.session.subscriptions == {channel: "7"}


@asynccontextmanager
async def answering(answer: bytes) -> AsyncIterator[str]:
    """A server that answers every request with these bytes and goes; nothing at all for b""."""
    served: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(writer)
        await reader.readuntil(b"\r\n\r\n")
        if answer:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in served:
            writer.close()


def response(status: str, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


class Answering:
    """A server that has one answer ready for each request; none for b"", and the last one for all that follow."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self._writers: list[asyncio.StreamWriter] = []
        self.bodies: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.bodies.append(await reader.readexactly(length))
        writer.write(self._answers[0] if len(self._answers) == 1 else self._answers.pop(0))
        writer.close()

    @asynccontextmanager
    async def client(self, pauses: tuple[float, ...] = (0.0, 0.0)) -> AsyncIterator[PushlerClient]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, PushlerClient("k", "s", url=url, pauses=pauses) as client:
            yield client
        for writer in self._writers:
            with suppress(ConnectionError):
                await writer.wait_closed()


BUSY = response("503 Service Unavailable", b'{"error":"nobody got it","code":503}')
TAKEN = response("200 OK", b"{}")


class TestIdempotency:
    @pytest.mark.parametrize("failures", [[b""], [BUSY], [BUSY, b""], [response("504 Gateway Timeout", b"")]])
    async def test_what_has_a_key_is_sent_again_when_nobody_knows_whether_it_was_published(
        self, failures: list[bytes]
    ) -> None:
        server = Answering(*failures, TAKEN)
        async with server.client() as client:
            assert await client.trigger("a", "event", 1, idempotency_key="k-1") == {}
            assert await client.trigger_batch([]) == {}
        *sent, _batch = server.bodies
        assert sent == [b'{"name":"event","data":"1","channel":"a","idempotency_key":"k-1"}'] * (len(failures) + 1)

    async def test_a_batch_is_sent_again_when_each_event_has_a_key(self) -> None:
        batch: list[Event] = [{"channel": "a", "name": "1", "data": "", "idempotency_key": "k-1"}]
        server = Answering(BUSY, TAKEN)
        async with server.client() as client:
            await client.trigger_batch(batch)
        assert len(server.bodies) == 2
        server = Answering(BUSY)
        async with server.client() as client:
            with pytest.raises(RelayUnavailable):
                await client.trigger_batch([*batch, {"channel": "a", "name": "2", "data": ""}])
        assert len(server.bodies) == 1

    async def test_after_the_last_pause_it_is_not_available(self) -> None:
        server = Answering(BUSY)
        async with server.client() as client:
            with pytest.raises(RelayUnavailable, match="it answered 503") as failed:
                await client.trigger("a", "event", 1, idempotency_key="k-1")
        assert (failed.value.status, len(server.bodies)) == (503, 3)

    @pytest.mark.parametrize(
        "answer", [response("500 Oops", b""), response("200 OK", b"<html>"), response("400 No", b'{"error":"no"}')]
    )
    async def test_an_answer_that_says_more_is_not_asked_for_again(self, answer: bytes) -> None:
        server = Answering(answer)
        async with server.client() as client:
            with pytest.raises(RelayError):
                await client.trigger("a", "event", 1, idempotency_key="k-1")
        assert len(server.bodies) == 1

    @pytest.mark.parametrize(("key", "pauses"), [(None, (0.0, 0.0)), ("k-1", ())])
    async def test_what_has_no_key_is_sent_once_and_so_is_all_of_who_repeats_it_themselves(
        self, key: str | None, pauses: tuple[float, ...]
    ) -> None:
        server = Answering(BUSY)
        async with server.client(pauses) as client:
            with pytest.raises(RelayUnavailable):
                await client.trigger("a", "event", 1, idempotency_key=key)
        assert len(server.bodies) == 1

    async def test_an_event_is_delivered_once_however_often_it_is_published(
        self, relay: RunningRelay, client: PushlerClient
    ) -> None:
        listener = await relay.connect()
        await listener.subscribe("a")
        for _ in range(2):
            await client.trigger("a", "event", 1, idempotency_key="k-1")
        assert len(await listener.told()) == 1


class TestFailures:
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (response("500 Oops", b"secret detail"), "it answered 500"),
            (response("503 Busy", b""), "it answered 503"),
            (response("200 OK", b"<html>"), "its answer is not JSON"),
            (response("200 OK", b""), "its answer is not JSON"),
            (response("200 OK", b"[]"), "its answer is not a JSON object"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "payload"),
            (b"nonsense\r\n\r\n", "400"),
            (b"\r\n", "disconnected"),
        ],
    )
    async def test_a_server_that_fails_is_not_available(self, answer: bytes, reason: str) -> None:
        async with answering(answer) as url, PushlerClient("k", "s", url=url) as client:
            with pytest.raises(RelayUnavailable) as failed:
                await client.channels()
        assert reason in str(failed.value)
        assert str(failed.value).startswith(f"the relay at {url} is not available: ")

    async def test_a_server_that_says_nothing_is_not_available_after_the_timeout(self) -> None:
        async with answering(b"") as url, PushlerClient("k", "s", url=url, timeout=0.01) as client:
            with pytest.raises(RelayUnavailable, match=r"no answer within 0\.01 s"):
                await client.channels()

    async def test_where_nobody_listens_the_relay_is_not_available(self) -> None:
        async with answering(b"") as url:
            pass
        async with PushlerClient("k", "s", url=url) as client:
            with pytest.raises(RelayUnavailable):
                await client.trigger("a", "event", 1)
            assert await client.is_alive() is False

    @pytest.mark.parametrize("status", ["400 Bad", "401 No", "404 None", "429 Slow", "302 Found"])
    async def test_a_refusal_holds_status_and_text(self, status: str) -> None:
        async with answering(response(status, b" because \xff\n")) as url, PushlerClient("k", "s", url=url) as client:
            with pytest.raises(RelayRefused) as refused:
                await client.channels()
        assert (refused.value.status, refused.value.text) == (int(status[:3]), "because \ufffd")
        assert str(refused.value) == f"the relay refused the request ({status[:3]}): because \ufffd"

    async def test_the_one_event_of_a_batch_that_is_at_fault_is_named(self, relay: RunningRelay) -> None:
        batch: list[Event] = [{"channel": "a", "name": "event", "data": text} for text in ("", "x" * 10_241, "")]
        async with PushlerClient(APP.key, APP.secret, app_id=APP.id, url=relay.url) as client:
            with pytest.raises(RelayRefused) as refused:
                await client.trigger_batch(batch)
            assert (refused.value.status, refused.value.event) == (413, 1)
            with pytest.raises(RelayRefused) as refused:
                await client.trigger_batch([{"channel": "a", "name": "event", "data": ""}] * 11)
            assert (refused.value.status, refused.value.event) == (400, None)

    @pytest.mark.parametrize(
        "body",
        [b"<html>", b"[]", b'"event"', b'{"event": 0}', b'{"code": 413, "event": 0}', b'{"code": 400, "event": "0"}'],
    )
    async def test_no_event_is_named_by_what_another_server_says(self, body: bytes) -> None:
        async with answering(response("400 No", body)) as url, PushlerClient("k", "s", url=url) as client:
            with pytest.raises(RelayRefused) as refused:
                await client.trigger_batch([{"channel": "a", "name": "event", "data": ""}])
        assert refused.value.event is None

    async def test_a_wrong_secret_is_refused(self, relay: RunningRelay) -> None:
        async with PushlerClient(APP.key, "wrong", app_id=APP.id, url=relay.url) as client:
            with pytest.raises(RelayRefused) as refused:
                await client.trigger("a", "event", 1)
        assert refused.value.status == 401
        assert json.loads(refused.value.text)["code"] == 401
        assert isinstance(refused.value, RelayError)


class TestLife:
    async def test_a_relay_that_answers_is_alive(self, client: PushlerClient) -> None:
        assert await client.is_alive() is True

    async def test_a_closed_client_opens_again_when_it_is_used(self, client: PushlerClient) -> None:
        await client.channels()
        await client.close()
        await client.close()
        assert await client.channels() == {"channels": {}}

    def test_a_client_never_shows_its_secret(self) -> None:
        assert repr(PushlerClient("k", "hidden", url="http://h/")) == "PushlerClient(key='k', url='http://h')"


class TestUsers:
    client = PushlerClient("key", "secret")

    def test_a_user_is_signed_with_the_connection(self) -> None:
        answer = self.client.authenticate_user("12.34", {"id": "7", "watchlist": ["8"]})
        assert json.loads(answer["user_data"]) == {"id": "7", "watchlist": ["8"]}
        text = f"12.34::user::{answer['user_data']}"
        assert answer["auth"] == f"key:{hmac.new(b'secret', text.encode(), hashlib.sha256).hexdigest()}"

    @pytest.mark.parametrize(
        ("socket_id", "user"),
        [("x", {"id": "7"}), ("1.2:", {"id": "7"}), ("1.2", {}), ("1.2", {"id": 7}), ("1.2", {"id": ""})],
    )
    def test_nothing_else_than_a_sign_in_gets_signed(self, socket_id: str, user: dict[str, object]) -> None:
        with pytest.raises(ValueError, match=r"socket id|needs an id"):
            self.client.authenticate_user(socket_id, user)

    async def test_a_user_is_sent_events_and_sent_away(self, relay: RunningRelay, client: PushlerClient) -> None:
        visitor = await relay.connect()
        await visitor.send("pusher:signin", client.authenticate_user(visitor.socket_id, {"id": "7"}))
        assert (await visitor.receive())["event"] == "pusher:signin_success"
        await visitor.subscribe("#server-to-user-7")
        assert await client.send_to_user("7", "hello", {"a": 1}) == {}
        assert await visitor.told() == [{"event": "hello", "channel": "#server-to-user-7", "data": '{"a":1}'}]
        assert await client.terminate_connections("7") == {}
        assert (await visitor.closed())[0] == 4009

    async def test_a_users_subscriptions_are_ended_one_or_all(self, relay: RunningRelay, client: PushlerClient) -> None:
        visitor = await relay.connect()
        for channel in ("private-a", "private-b"):
            signed = client.authorize_channel(channel, visitor.socket_id, {"user_id": "7"})
            await visitor.send("pusher:subscribe", {"channel": channel} | signed)
            assert (await visitor.receive())["event"] == "pusher_internal:subscription_succeeded"
        assert await client.unsubscribe_user("7", "private-b") == {}
        assert await client.unsubscribe_user("7") == {}
        assert [one["channel"] for one in await visitor.told()] == ["private-b", "private-a"]


class TestWebhooks:
    client = PushlerClient("key", "secret")
    body = '{"time_ms":1,"events":[{"name":"channel_occupied","channel":"й"}]}'.encode()
    signature = hmac.new(b"secret", body, hashlib.sha256).hexdigest()

    def test_the_events_of_a_signed_request_are_given_whatever_the_case_of_its_headers(self) -> None:
        headers = {"x-pusher-KEY": "key", "X-PUSHER-signature": self.signature}
        assert self.client.verify_webhook(headers, self.body) == [{"name": "channel_occupied", "channel": "й"}]

    @pytest.mark.parametrize(
        ("headers", "body"),
        [
            ({}, body),
            ({"X-Pusher-Key": "key"}, body),
            ({"X-Pusher-Key": "other", "X-Pusher-Signature": signature}, body),
            ({"X-Pusher-Key": "key", "X-Pusher-Signature": signature[:-1]}, body),
            ({"X-Pusher-Key": "key", "X-Pusher-Signature": signature}, body + b" "),
            ({"X-Pusher-Key": "key", "X-Pusher-Signature": signature}, b"\xff"),
        ],
    )
    def test_any_other_request_is_refused(self, headers: dict[str, str], body: bytes) -> None:
        with pytest.raises(ValueError, match="webhook"):
            self.client.verify_webhook(headers, body)
