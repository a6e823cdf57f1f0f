"""Looks at a set-up from outside, as a client and a back end would, and says what is wrong and what to do about it.

Must not know the relay's inside: it asks the settings, the system, and a running relay at its public address.
"""

import asyncio
import resource
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import orjson
from msgspec import Struct
from yarl import URL

from relay.apps import App
from relay.cluster.redis.checks import Inspection, inspect
from relay.cluster.redis.cluster import FORMAT, partitions_for
from relay.cluster.redis.private import PROGRAMS
from relay.protocol import signatures
from relay.protocol.limits import TIMESTAMP_TOLERANCE

# Seconds for one question; open files below which clients are soon too many; days that a certificate should still last.
TIMEOUT: Final = 5.0
FEW_FILES: Final = 10_000
CERTIFICATE_DAYS: Final = 14

# A Redis that takes longer to answer, in seconds, is not in the same place.
FAR_REDIS: Final = 0.005

# A clock that is off by more than this many seconds will soon be off by too much.
CLOCK_WARNING: Final = 30


class Finding(Struct, frozen=True):
    """One thing that was looked at: is it well, what was seen, and what to do if not."""

    is_well: bool
    seen: str
    advice: str = ""


async def examine(
    url: str, app: App, origin: str | None, workers: int = 1, redis_url: str = ""
) -> AsyncIterator[Finding]:
    """Look at the relay at `url` (http or https) with the credentials of `app`, as a page of `origin` would; `workers` and
    `redis_url` are of its settings.

    Stops at the first finding that makes the rest meaningless.
    """
    yield check_files()
    if workers != 1:
        yield check_workers(redis_url)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
        alive = await check_alive(session, url)
        yield alive
        if not alive.is_well:
            return
        if urlsplit(url).scheme == "https":
            yield await check_certificate(url)
        yield await check_clock(session, url)
        yield await check_websocket(session, url, app, origin)
        yield await check_api(session, url, app)


def check_files() -> Finding:
    """How many connections this process could hold."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FEW_FILES:
        advice = "raise it: LimitNOFILE= in the systemd unit, or nofile in /etc/security/limits.conf"
        return Finding(False, f"at most {hard} open files: as many clients fit on this node", advice)
    return Finding(True, "enough open files are allowed")


def check_workers(redis_url: str) -> Finding:
    """Is there what several workers need between them?"""
    if redis_url:
        return Finding(True, "the workers have the Redis of RELAY_REDIS_URL between them")
    found = next((program for program in PROGRAMS if shutil.which(program)), None)
    if found is None:
        advice = f"install the package {PROGRAMS[0]}, or name a Redis by RELAY_REDIS_URL"
        return Finding(False, "several workers need a redis-server between them, and there is none here", advice)
    return Finding(True, f"the workers have a {found} of their own")


async def examine_redis(url: str, prefix: str, partitions: int) -> AsyncIterator[Finding]:
    """Look at the Redis of several nodes; `partitions` as in the settings."""
    try:
        inspections = await inspect(url, prefix, partitions or partitions_for(url))
    except OSError as error:
        yield Finding(False, f"the Redis of RELAY_REDIS_URL cannot be reached: {error}", "start it, or correct the URL")
        return
    for inspection in inspections:
        for finding in _look_at(inspection, f"{FORMAT}:{partitions or partitions_for(url)}"):
            yield finding


def _look_at(redis: Inspection, shape: str) -> Iterator[Finding]:
    """What one primary's figures mean."""
    milliseconds = redis.round_trip * 1_000
    place = f"Redis at {redis.place}"
    yield Finding(True, f"{place} is {redis.version}, {milliseconds:.2f} ms away")
    if redis.round_trip > FAR_REDIS:
        text = f"{place} is {milliseconds:.1f} ms away: each publish and each join waits for it"
        yield Finding(False, text, "run it near the nodes")
    if redis.refusal:
        advice = "docs/operations.md, Which Redis, has the rights that the relay needs"
        yield Finding(False, f"{place} refuses what the relay does: {redis.refusal}", advice)
    if redis.policy.startswith("allkeys"):
        text = f"{place} may forget members when its memory is full: maxmemory-policy {redis.policy}"
        yield Finding(False, text, "set maxmemory-policy noeviction")
    if abs(redis.clock) > CLOCK_WARNING:
        # Leases are by its clock alone; ids of events are its time.
        text = f"the clock of {place} is {redis.clock:+.0f} s off this one"
        yield Finding(False, text, "let both follow NTP (timedatectl set-ntp true)")
    if redis.shape not in {"", shape}:
        text = (
            f"{place} holds a relay of {redis.shape} (format:partitions), here it is {shape}: this node will not start"
        )
        yield Finding(False, text, "set RELAY_REDIS_PARTITIONS as on the other nodes, or another RELAY_REDIS_PREFIX")


async def check_alive(session: aiohttp.ClientSession, url: str) -> Finding:
    """Does anything answer there, and is it a relay?"""
    try:
        async with session.get(f"{url}/up") as response:
            status = response.status
    except ssl.SSLError as error:
        return Finding(False, f"TLS with {url} fails: {error.reason}", "check the certificate's chain and name")
    except aiohttp.ClientConnectorCertificateError as error:
        return Finding(
            False, f"the certificate of {url} is not trusted: {error.certificate_error}", "renew or complete it"
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        return Finding(
            False, f"nothing answers at {url}: {reason}", "start the relay, or correct the address and the proxy"
        )
    if status != 200:
        return Finding(
            False,
            f"{url}/up answers {status}",
            "the proxy sends it elsewhere: /app/, /apps/, /up and /ready are the relay's",
        )
    return Finding(True, f"the relay answers at {url}")


async def check_certificate(url: str) -> Finding:
    """How long the certificate is good for."""
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=True)
    certificate = writer.get_extra_info("peercert")
    writer.close()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    days = (ends - datetime.now(UTC)).days
    if days < CERTIFICATE_DAYS:
        return Finding(
            False, f"the certificate ends in {days} days", "renew it; the relay reads a changed file by itself"
        )
    return Finding(True, f"the certificate is good for {days} days")


async def check_clock(session: aiohttp.ClientSession, url: str) -> Finding:
    """Does this machine's clock agree with the other side's, as far as the answer tells?"""
    async with session.get(f"{url}/up") as response:
        date = response.headers.get("Date")
    if date is None:
        return Finding(True, "the other side names no time: its clock cannot be compared")
    off = abs(parsedate_to_datetime(date).timestamp() - time.time())
    if off > CLOCK_WARNING:
        text = f"the clocks here and at {url} are {off:.0f} s apart; over {TIMESTAMP_TOLERANCE} s, requests are refused"
        return Finding(False, text, "let both follow NTP (timedatectl set-ntp true)")
    return Finding(True, "the clocks agree")


async def check_websocket(session: aiohttp.ClientSession, url: str, app: App, origin: str | None) -> Finding:
    """Can a client connect?"""
    headers = {} if origin is None else {"Origin": origin}
    try:
        async with session.ws_connect(f"{url}/app/{app.key}?protocol=7&client=doctor", headers=headers) as socket:
            message = orjson.loads(await socket.receive_str(timeout=TIMEOUT))
    except aiohttp.WSServerHandshakeError as error:
        return Finding(
            False,
            f"the WebSocket upgrade is answered {error.status}",
            "the proxy does not pass it on: set proxy_http_version 1.1 and the headers Upgrade and Connection for /app/",
        )
    except (aiohttp.ClientError, TimeoutError, TypeError, ValueError) as error:
        return Finding(
            False,
            f"the WebSocket breaks off: {error or type(error).__name__}",
            "look for a proxy that buffers or times out",
        )
    if message.get("event") == "pusher:error":
        data = message["data"]
        return Finding(
            False, f"the relay refuses clients: {data['message']} ({data['code']})", _advice_for(data["code"])
        )
    return Finding(True, "a client can connect")


async def check_api(session: aiohttp.ClientSession, url: str, app: App) -> Finding:
    """Can a back end sign a request that the relay takes?"""
    path = f"/apps/{app.id}/channels"
    query = urlencode(signatures.signed_params(app.key, app.secret, "GET", path, b"", time.time()))
    async with session.get(URL(f"{url}{path}?{query}", encoded=True)) as response:
        status, text = response.status, await response.text()
    if status == 401:
        return Finding(
            False,
            f"a signed request is refused: {text}",
            "compare id, key and secret, and what the proxy does to paths",
        )
    if status != 200:
        return Finding(
            False, f"a signed request is answered {status}: {text[:200]}", "does the proxy pass /apps/ to the relay?"
        )
    return Finding(True, "a back end's signed request is taken")


def _advice_for(code: int) -> str:
    match code:
        case 4001:
            return "use the key that the relay was started with: python -m relay check-config"
        case 4003:
            return "set enabled = true for the app"
        case 4004:
            return "raise limits.connections of the app"
        case 4009:
            return 'add the page\'s origin to allowed_origins of the app, or "-" for clients that are no pages'
        case _:
            return "see the codes in docs/protocol.md"
