"""The outbox's rows."""

import pytest

from support_api.models.outbox import Event
from support_api.services import Services
from tests.support_api.helpers import announced


async def announce(services: Services, *names: str) -> None:
    await announced(services, [Event("c", name, {"text": "ж"}, "1.2") for name in names])


async def test_events_wait_in_the_order_in_which_they_were_stored(services: Services) -> None:
    await announce(services, "a", "b")
    await announce(services, "c")
    pending = await services.outbox.pending(2)
    assert [one.event for one in pending] == [Event("c", name, {"text": "ж"}, "1.2") for name in "ab"]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 17, 300])
async def test_events_that_are_known_to_be_delivered_are_not_listed(services: Services, count: int) -> None:
    await announce(services, *(["e"] * (count + 2)))
    stored = [one.id for one in await services.outbox.pending(count + 2)]
    assert [one.id for one in await services.outbox.pending(10, stored[:count])] == stored[count:]
    await services.outbox.forget(stored[:count])
    assert await services.outbox.counts() == (2, 0)


async def test_delivered_events_are_gone_and_refused_ones_kept_aside(services: Services) -> None:
    await announce(services, "a", "b", "c")
    first, second, _ = await services.outbox.pending(10)
    await services.outbox.forget([first.id])
    await services.outbox.set_aside(second.id, "no")
    assert [one.event.name for one in await services.outbox.pending(10)] == ["c"]
    assert await services.outbox.counts() == (1, 1)


async def test_numbers_are_never_used_again(services: Services) -> None:
    await announce(services, "a")
    (first,) = await services.outbox.pending(10)
    await services.outbox.forget([first.id])
    await announce(services, "b")
    (second,) = await services.outbox.pending(10)
    assert second.id > first.id


async def test_what_was_set_aside_waits_again_in_its_old_place_when_it_is_brought_back(services: Services) -> None:
    await announce(services, "a", "b", "c")
    first, second, third = await services.outbox.pending(10)
    for one in (first, second):
        await services.outbox.set_aside(one.id, "no")
    assert [(one.id, one.name, one.size, one.reason) for one in await services.outbox.refused()] == [
        (first.id, "a", len('{"text":"ж"}'.encode()), "no"),
        (second.id, "b", len('{"text":"ж"}'.encode()), "no"),
    ]
    assert await services.outbox.retry([first.id, third.id, 99]) == [first.id]
    assert [one.event.name for one in await services.outbox.pending(10)] == ["a", "c"]
    assert await services.outbox.retry() == [second.id]
    assert await services.outbox.retry() == []
    assert await services.outbox.counts() == (3, 0)
