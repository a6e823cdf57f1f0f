"""TLS, with certificates that openssl makes here."""

import asyncio
import os
import ssl
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from websockets.asyncio.client import connect

from relay.net import listener
from relay.net.tls import INTERVAL, Certificate
from tests.helpers.relay import running_relay
from tests.helpers.tls import make_certificate


class Files:
    """A certificate for 127.0.0.1 and its key."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "certificate.pem"
        self.key = folder / "key.pem"
        self._stamp = 1_000_000_000
        self.make("first")

    def make(self, name: str) -> None:
        make_certificate(self.certificate, self.key, name)
        self.touch()

    def touch(self) -> None:
        """Make the files look changed, however fast the test is."""
        self._stamp += 1_000
        for file in (self.certificate, self.key):
            os.utime(file, (self._stamp, self._stamp))

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Server:
    """What a client sees of a context, in memory."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def name(self) -> str:
        """The common name in the certificate that a new connection gets."""
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        client = trusting.wrap_bio(to_client, to_server)
        server = self.context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        der = client.getpeercert(binary_form=True)
        assert der is not None
        for name in (b"first", b"second"):
            if name in der:
                return name.decode()
        raise AssertionError("a certificate of nobody")


class TestCertificate:
    def test_a_changed_file_is_taken_for_new_connections(self, files: Files) -> None:
        certificate = Certificate(str(files.certificate), str(files.key))
        assert Server(certificate.context).name() == "first"
        certificate.tick(0.0)
        files.make("second")
        certificate.tick(INTERVAL - 1)
        assert Server(certificate.context).name() == "first"
        certificate.tick(INTERVAL)
        assert Server(certificate.context).name() == "second"

    @pytest.mark.parametrize("what", ["a foreign key", "no certificate", "nothing"])
    def test_files_that_are_no_good_leave_the_old_certificate_and_are_logged(
        self, files: Files, what: str, tmp_path: Path, logged: list[MutableMapping[str, Any]]
    ) -> None:
        certificate = Certificate(str(files.certificate), str(files.key))
        match what:
            case "a foreign key":
                key = files.key.read_bytes()
                files.make("second")
                files.key.write_bytes(key)
            case "no certificate":
                files.certificate.write_text("nonsense")
            case _:
                files.certificate.unlink()
        certificate.tick(INTERVAL)
        assert Server(certificate.context).name() == "first"
        assert [entry["event"] for entry in logged] == ["certificate_unusable"]
        logged.clear()
        files.make("second")
        certificate.tick(2 * INTERVAL)
        assert Server(certificate.context).name() == "second"

    def test_one_file_may_hold_both(self, files: Files, tmp_path: Path) -> None:
        both = tmp_path / "both.pem"
        both.write_bytes(files.key.read_bytes() + files.certificate.read_bytes())
        assert Server(Certificate(str(both), "").context).name() == "first"

    def test_a_file_that_is_not_there_is_an_error_of_the_system(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="No such file"):
            Certificate(str(tmp_path / "none.pem"), "")


async def test_clients_and_back_ends_are_served_over_tls(files: Files) -> None:
    settings = {"tls_certificate": str(files.certificate), "tls_key": str(files.key)}
    async with running_relay(**settings) as relay:
        context = files.client()
        address = f"wss://127.0.0.1:{relay.port}/app/key-3?protocol=7"
        async with connect(address, ssl=context) as client, aiohttp.ClientSession() as http:
            assert "pusher:connection_established" in str(await client.recv())
            await client.send('{"event":"pusher:subscribe","data":{"channel":"a"}}')
            assert "subscription_succeeded" in str(await client.recv())
            body = b'{"name":"hello","data":"1","channel":"a"}'
            target = f"https://127.0.0.1:{relay.port}{relay.target('POST', '/events', body)}"
            async with http.post(target, data=body, ssl=context) as response:
                assert (response.status, await response.text()) == (200, "{}")
            assert '"hello"' in str(await client.recv())
            poll = f"https://127.0.0.1:{relay.port}/app/key-3/1/abc/xhr?protocol=7"
            async with http.post(poll, ssl=context) as response:
                assert (await response.text()).startswith("o\na[")


async def test_a_client_that_is_silent_instead_of_shaking_hands_is_sent_away(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert listener.HANDSHAKE_TIMEOUT <= 10.0
    monkeypatch.setattr(listener, "HANDSHAKE_TIMEOUT", 0.1)
    async with running_relay(tls_certificate=str(files.certificate), tls_key=str(files.key)) as relay:
        assert await (await relay.wire()).rest() == b""


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_more_than_a_turn_handles_is_answered_in_full_and_in_order_over_tls_too(
    files: Files, new_loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    async def scenario() -> None:
        async with running_relay(tls_certificate=str(files.certificate), tls_key=str(files.key)) as relay:
            address = f"wss://127.0.0.1:{relay.port}/app/key-3?protocol=7"
            async with connect(address, ssl=files.client(), max_queue=None) as client:
                await client.recv()
                for number in range(1_000):
                    await client.send(f'{{"event":"{number}"}}')
                for number in range(1_000):
                    assert f"Unknown event '{number}'" in str(await client.recv())
            request = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", relay.port, ssl=files.client())
            writer.write(request * 3_000 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert (await reader.read()).count(b'{"ok":true}') == 3_001
            writer.close()
            await writer.wait_closed()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(asyncio.wait_for(scenario(), 60))
