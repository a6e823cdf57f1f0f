"""A back end on loopback."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.relay.webhooks.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hooks", receiver.answer)
    async with TestServer(application) as server:
        receiver.url = str(server.make_url("/hooks"))
        yield receiver
