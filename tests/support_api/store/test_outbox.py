"""The outbox's rows."""

from __future__ import annotations

from support_api.models.outbox import Event
from support_api.store import Store


async def announce(store: Store, *names: str) -> None:
    async with store.database.writing() as tx:
        await tx.announce([Event("c", name, {"text": "ж"}, "1.2") for name in names])


async def test_events_wait_in_the_order_in_which_they_were_stored(store: Store) -> None:
    await announce(store, "a", "b")
    await announce(store, "c")
    pending = await store.outbox.pending(2)
    assert [one.event for one in pending] == [Event("c", name, {"text": "ж"}, "1.2") for name in "ab"]


async def test_delivered_events_are_gone_and_refused_ones_kept_aside(store: Store) -> None:
    await announce(store, "a", "b", "c")
    first, second, _ = await store.outbox.pending(10)
    await store.outbox.forget([first.id])
    await store.outbox.set_aside(second.id, "no")
    assert [one.event.name for one in await store.outbox.pending(10)] == ["c"]
    assert await store.outbox.counts() == (1, 1)


async def test_numbers_are_never_used_again(store: Store) -> None:
    await announce(store, "a")
    (first,) = await store.outbox.pending(10)
    await store.outbox.forget([first.id])
    await announce(store, "b")
    (second,) = await store.outbox.pending(10)
    assert second.id > first.id


async def test_what_was_set_aside_waits_again_in_its_old_place_when_it_is_brought_back(store: Store) -> None:
    await announce(store, "a", "b", "c")
    first, second, third = await store.outbox.pending(10)
    for one in (first, second):
        await store.outbox.set_aside(one.id, "no")
    assert [(one.id, one.name, one.size, one.reason) for one in await store.outbox.refused()] == [
        (first.id, "a", len('{"text":"ж"}'.encode()), "no"),
        (second.id, "b", len('{"text":"ж"}'.encode()), "no"),
    ]
    assert await store.outbox.retry([first.id, third.id, 99]) == [first.id]
    assert [one.event.name for one in await store.outbox.pending(10)] == ["a", "c"]
    assert await store.outbox.retry() == [second.id]
    assert await store.outbox.retry() == []
    assert await store.outbox.counts() == (3, 0)
