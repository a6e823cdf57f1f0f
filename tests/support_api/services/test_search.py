"""Search over names, e-mails, numbers and texts."""

import pytest
from sqlalchemy import delete, text

from support_api.database import search as index
from support_api.database.tables import messages, tickets
from support_api.errors import InvalidField, LoginNeeded
from support_api.models.messages import Draft
from support_api.models.operators import Identity, OperatorStatus
from support_api.models.tickets import NewTicket
from support_api.services import Services
from tests.support_api.helpers import acting

ANNA, BORIS = "a" * 32, "b" * 32


async def online(services: Services, name: str) -> Identity:
    operator = await services.operators.add(name, f"{name}@example.com", "hash", 50)
    await services.operators.heartbeat(operator.id, OperatorStatus.ONLINE, None)
    return acting(operator.id, name)


async def opened(services: Services, said: str, name: str = "Anna", visitor: str = ANNA) -> int:
    new = NewTicket(visitor, name, f"{visitor[:4]}@example.com", said)
    return (await services.tickets.create(new)).ticket.id


async def said(services: Services, query: str, who: Identity, before: int | None = None) -> list[str]:
    return [one.message.content for one in (await services.search.find(query, who, before)).hits]


async def named(services: Services, query: str, who: Identity) -> list[int]:
    return [one.ticket.id for one in (await services.search.find(query, who)).tickets]


@pytest.fixture
async def olga(services: Services) -> Identity:
    return await online(services, "olga")


async def test_a_message_is_found_by_the_beginnings_of_its_words_in_any_case_and_with_either_letter(
    services: Services, olga: Identity
) -> None:
    number = await opened(services, "Где мой заказ? Ещё НЕ пришёл")
    await services.tickets.add_message(number, Draft("Your parcel is on its way"), olga)
    for query in ("ЗАКАЗ", "зак", "еще", "ЕЩЁ", "пришел", "заказ где", "мой-заказ", "не"):
        assert await said(services, query, olga) == ["Где мой заказ? Ещё НЕ пришёл"], query
    for query in ("PARCEL", "par way", "it"):
        assert await said(services, query, olga) == ["Your parcel is on its way"], query
    for query in ("каз", "заказ parcel", "arcel", "i"):
        assert await said(services, query, olga) == [], query


async def test_a_ticket_is_found_by_number_name_email_and_the_number_of_its_visitor(
    services: Services, olga: Identity
) -> None:
    numbers = [await opened(services, "Hello", "Алёна Петрова"), await opened(services, "Hi", "Boris", BORIS)]
    assert await named(services, "алена", olga) == numbers[:1]
    assert await named(services, "петр", olga) == numbers[:1]
    assert await named(services, "bbbb@exa", olga) == numbers[1:]
    assert await named(services, ANNA, olga) == numbers[:1]
    assert await named(services, f"№ {numbers[1]}", olga) == []
    assert await named(services, f"#{numbers[1]}", olga) == numbers[1:]
    assert await named(services, "9" * 60, olga) == []


async def test_what_is_found_comes_page_by_page_the_newest_first_with_tickets_only_at_first(
    services: Services, olga: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support_api.services.search.HITS_AT_ONCE", 2)
    number = await opened(services, "order 1", "Order")
    for count in (2, 3):
        await services.tickets.add_message(number, Draft(f"order {count}"), olga)
    first = await services.search.find("order", olga)
    assert [one.message.content for one in first.hits] == ["order 3", "order 2"]
    assert (len(first.tickets), first.has_more, first.words) == (1, True, ["order"])
    rest = await services.search.find("order", olga, first.hits[-1].message.id)
    assert [one.message.content for one in rest.hits] == ["order 1"]
    assert (rest.tickets, rest.has_more) == ([], False)


async def test_a_colleagues_active_chat_is_found_only_by_them_until_it_is_closed(
    services: Services, olga: Identity
) -> None:
    number = await opened(services, "secret", "Secretary")
    await services.operators.heartbeat(1, OperatorStatus.AWAY, None)
    petr = await online(services, "petr")
    assert await said(services, "secret", olga) == ["secret"]
    assert (await said(services, "secret", petr), await named(services, "secretary", petr)) == ([], [])
    assert await named(services, str(number), petr) == []
    await services.tickets.close(number, olga)
    assert (await said(services, "secret", petr), await named(services, "secretary", petr)) == (["secret"], [number])


async def test_however_many_of_a_name_are_a_colleagues_those_that_may_be_read_are_found(
    services: Services, olga: Identity
) -> None:
    number = await opened(services, "Hello")
    await services.tickets.close(number, olga)
    for _ in range(21):
        await opened(services, "Hello")
    await services.operators.heartbeat(1, OperatorStatus.AWAY, None)
    assert await named(services, "anna", await online(services, "petr")) == [number]


async def test_who_is_no_operator_finds_nothing(services: Services) -> None:
    for identity in (Identity(), Identity(ANNA)):
        with pytest.raises(LoginNeeded):
            await services.search.find("hello", identity)


HOSTILE = [
    '"',
    "'; DROP TABLE support_search; --",
    "a AND OR NOT",
    "NEAR(",
    "words:x",
    "^x*",
    "x' | !y & (z",
    "\\",
    "{}[]",
]


@pytest.mark.parametrize("query", [*HOSTILE, "ab²c", "ไทย", "𝔘𝔫𝔦", "e\u0301t", "٣", "\u1e9e", "𞤀𞤣", "слово " * 33])
async def test_whatever_is_asked_is_no_fault_of_the_database(services: Services, olga: Identity, query: str) -> None:
    await opened(services, f"before {query} after")
    if any(letter.isalnum() for letter in query):
        assert await said(services, query, olga) == [f"before {query} after"]
    else:
        with pytest.raises(InvalidField, match="letter or a digit"):
            await said(services, query, olga)


async def test_a_message_that_was_not_stored_is_not_found(services: Services, olga: Identity) -> None:
    number = await opened(services, "Hello")
    draft = Draft("twice", "one-id")
    await services.tickets.add_message(number, draft, olga)
    await services.tickets.add_message(number, draft, olga)
    assert await said(services, "twice", olga) == ["twice"]
    with pytest.raises(InvalidField):
        await services.tickets.add_message(number, Draft("stolen", "one-id"), Identity(ANNA))
    assert await said(services, "stolen", olga) == []


async def test_the_index_is_made_anew_in_steps_while_the_desk_is_used(
    services: Services, olga: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("support_api.services.search.INDEXED_AT_ONCE", 2)
    number = await opened(services, "old 0", "Oldman")
    for count in range(1, 5):
        await services.tickets.add_message(number, Draft(f"old {count}"), olga)
    await services.database.writing(lambda tx: index.clear(tx.conn))
    assert await said(services, "old", olga) == []
    told: list[tuple[int, int]] = []
    assert await services.search.reindex(lambda done, last: told.append((done, last))) == 5
    assert told == [(2, 5), (4, 5), (5, 5)]
    assert await services.search.reindex(lambda _done, _last: None) == 5
    assert await said(services, "old", olga) == [f"old {count}" for count in range(4, -1, -1)]
    assert await named(services, "oldman", olga) == [number]
    await services.tickets.add_message(number, Draft("new"), olga)
    assert await said(services, "new", olga) == ["new"]


async def test_what_was_erased_is_not_found(services: Services, olga: Identity) -> None:
    number = await opened(services, "forget me")
    await services.database.writing(
        lambda tx: [
            tx.conn.execute(delete(messages).where(messages.c.ticket_id == number)).rowcount,
            tx.conn.execute(delete(tickets).where(tickets.c.id == number)).rowcount,
        ]
    )
    assert (await said(services, "forget", olga), await named(services, "anna", olga)) == ([], [])


async def test_a_look_reads_the_index_backwards_and_sorts_nothing_on_sqlite(services: Services, olga: Identity) -> None:
    await opened(services, "Hello")
    if services.database.dialect != "sqlite":
        return
    plan = text(
        "EXPLAIN QUERY PLAN SELECT m.id FROM support_search JOIN support_messages m ON m.id = support_search.rowid"
        " JOIN support_tickets t ON t.id = m.ticket_id WHERE support_search MATCH '\"hello\"*' AND support_search.rowid > 0"
        " AND (t.status != 'active' OR t.operator_id = 1) ORDER BY support_search.rowid DESC LIMIT 21"
    )
    rows = await services.database.reading(lambda tx: [row.detail for row in tx.conn.execute(plan)])
    assert rows[0].startswith("SCAN support_search VIRTUAL TABLE")
    assert not any("TEMP B-TREE" in row for row in rows)
