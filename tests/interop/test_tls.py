"""Unmodified libraries against a relay with TLS of its own, whose certificate an authority of this test has signed.

Node.js trusts the authority, Chromium the certificate's key; nobody is told to look away.
"""

import base64
import hashlib
import http.client
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.helpers.parts import NODE, NODE_PACKAGES, require
from tests.helpers.processes import HOST, RelayProcess
from tests.interop.agents import NodeAgent
from tests.interop.loop import async_fixture
from tests.interop.runtimes import (
    CHROMIUM_8,
    NODE_4,
    NODE_7,
    NODE_8,
    WEBSOCKET_OVER_TLS,
    XHR_POLLING,
    XHR_STREAMING,
    Clients,
    Options,
)
from tests.interop.table import npm_sdk
from tests.interop.test_pusher_js import subscribe


class Authority:
    """A certificate authority, and a certificate for the relay's address that it has signed."""

    def __init__(self, folder: Path) -> None:
        self.certificate = folder / "authority.pem"
        self.server_certificate = folder / "server.pem"
        self.server_key = folder / "server.key"
        key = folder / "authority.key"
        new = ["req", "-x509", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        _openssl(*new, "-subj", "/CN=Interop authority", "-keyout", str(key), "-out", str(self.certificate))
        issuer = ["-CA", str(self.certificate), "-CAkey", str(key)]
        name = ["-subj", "/CN=relay", "-addext", f"subjectAltName=IP:{HOST}", "-addext", "basicConstraints=CA:FALSE"]
        _openssl(*new, *issuer, *name, "-keyout", str(self.server_key), "-out", str(self.server_certificate))

    @property
    def server_key_hash(self) -> str:
        """What Chromium knows the server's key by."""
        public = _openssl("pkey", "-in", str(self.server_key), "-pubout", "-outform", "DER")
        return base64.b64encode(hashlib.sha256(public).digest()).decode()


def _openssl(*arguments: str) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


class TlsRelay(RelayProcess):
    """A relay that is reached by https and wss alone."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(tls_certificate=authority.server_certificate, tls_key=authority.server_key)
        self._context = ssl.create_default_context(cafile=authority.certificate)

    @property
    def options(self) -> Options:
        """The options that point pusher-js at it."""
        return {"forceTLS": True, "encrypted": True, "wssPort": self.port, "httpsPort": self.port}

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(HOST, self.port, timeout=1.0, context=self._context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_relay(authority: Authority) -> Iterator[TlsRelay]:
    relay = TlsRelay(authority)
    relay.start()
    yield relay
    relay.stop()


@pytest.fixture
def relay(tls_relay: TlsRelay) -> TlsRelay:
    return tls_relay


@pytest.fixture
def chromium_arguments(authority: Authority) -> tuple[str, ...]:
    return (f"--ignore-certificate-errors-spki-list={authority.server_key_hash}",)


@pytest.fixture(autouse=True)
def _trust(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """Node.js takes the authority for one of those that it knows."""
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(authority.certificate))


@async_fixture
async def npm(relay: TlsRelay) -> AsyncIterator[NodeAgent]:
    """The server SDK of npm."""
    require(NODE, NODE_PACKAGES)
    agent = await NodeAgent.start("server", "pusher")
    app = {"appId": relay.app_id, "key": relay.key, "secret": relay.secret, "host": HOST, "port": relay.port}
    await agent.call("configure", options=app | {"useTLS": True})
    yield agent
    await agent.close()


@pytest.mark.tried("TLS of the relay")
@pytest.mark.parametrize("transport", [WEBSOCKET_OVER_TLS, XHR_STREAMING, XHR_POLLING])
@pytest.mark.parametrize("runtime_name", [NODE_8, NODE_7, NODE_4, CHROMIUM_8])
async def test_members_and_client_events_go_over_tls(clients: Clients, relay: TlsRelay, runtime_name: str) -> None:
    channel = f"presence-tls-{runtime_name}"
    ann, bob = await clients.pusher("ann", **relay.options), await clients.pusher("bob", **relay.options)
    await subscribe(ann, channel)
    assert "ann" in (await subscribe(bob, channel))["members"]
    await ann.call("trigger", channel=channel, event="client-typing", data={"on": True})
    assert (await bob.take(kind="event", event="client-typing"))["data"] == {"on": True}


@npm_sdk()
@pytest.mark.tried("useTLS")
@pytest.mark.node
async def test_event_that_the_npm_sdk_sends_over_tls_arrives(clients: Clients, relay: TlsRelay, npm: NodeAgent) -> None:
    agent = await clients.pusher(**relay.options)
    await subscribe(agent, "over-tls")
    outcome = await npm.call("trigger", channels="over-tls", event="greeting", data={"number": 1})
    assert outcome == {"status": 200, "body": {}}
    assert (await agent.take(channel="over-tls", event="greeting"))["data"] == {"number": 1}
