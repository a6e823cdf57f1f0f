"""A desk with made-up chats, whose answers a page of the panel gets instead of the desk's: a full day in no time."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from playwright.async_api import Page, Route, ViewportSize

from tests.e2e.screens import DESKTOP, Panel, People
from tests.helpers.product import ANNA

Json = dict[str, Any]

NOW: Final = datetime.now(UTC)

NAMES: Final = (
    "Ivan Petrov",
    "Maria",
    "Юлия Константинова",
    "Oluwaseun Adeyemi",
    "李小龍",
    "Jean-Baptiste de La Salle-Montmorency the Third of His Name",
    "עמית לוי",
    "محمد عبد الله",
    "x" * 60,
    "Anna",
    "Guest 4711",
    "👋",
)
QUESTIONS: Final = (
    "Hello! I ordered the blue lamp on Monday, number 4711. When will it come?",
    "Thanks!",
    "Добрый день, не приходит письмо с чеком",
    "Can I pay by invoice?\nWe are a company.",
    "מתי תגיע ההזמנה שלי?",
    "https://shop.example/" + "path/" * 20,
)
ANSWERS: Final = (
    "Good afternoon! Let me look it up.",
    "It left our store this morning and will be with you tomorrow before noon.",
    "👍",
)


def ticket(number: int, minutes: float, status: str = "active") -> Json:
    """A ticket of the API that began so long ago."""
    return {
        "ticket_id": number,
        "status": status,
        "visitor_id": f"visitor-{number}",
        "visitor_name": NAMES[number % len(NAMES)],
        "visitor_email": None if number % 3 else f"visitor.number.{number}@a-rather-long-company-name.example",
        "operator_id": ANNA.id if status == "active" else None,
        "operator_name": ANNA.name if status == "active" else None,
        "created_at": _time(minutes),
        "closed_at": None,
        "closed_by": None,
        "last_seq": 0,
        "message": QUESTIONS[number % len(QUESTIONS)],
    }


def message(number: int, seq: int, content: str, minutes: float, *, operator: bool) -> Json:
    """A message of the API in the ticket `number`, written so long ago."""
    return {
        "id": number * 1000 + seq,
        "ticket_id": number,
        "seq": seq,
        "sender_type": "operator" if operator else "visitor",
        "sender_id": str(ANNA.id) if operator else f"visitor-{number}",
        "sender_name": ANNA.name if operator else NAMES[number % len(NAMES)],
        "content": content,
        "created_at": _time(minutes),
        "client_id": None,
    }


def talk(number: int, count: int, minutes: float, *, answered: bool) -> list[Json]:
    """So many messages over so many minutes, by turns; the last one is the operator's where the chat is `answered`."""
    rows = []
    for seq in range(1, count + 1):
        from_end = count - seq
        operator = (from_end // 2) % 2 == (0 if answered else 1) and seq > 1
        content = ANSWERS[seq % len(ANSWERS)] if operator else QUESTIONS[(number + seq - 1) % len(QUESTIONS)]
        rows.append(message(number, seq, content, minutes * from_end / count + 0.2, operator=operator))
    return rows


class MadeUp:
    """The answers of a desk that has these chats."""

    def __init__(self, mine: list[Json], queue: list[Json], messages: Mapping[int, list[Json]]) -> None:
        self.lists = {"/operator/tickets": mine, "/operator/queue": queue}
        self.messages = messages

    async def answer(self, page: Page) -> None:
        """Let the page have these instead of the desk's."""
        for path, tickets in self.lists.items():
            await page.route(f"**{path}", _answering({"tickets": tickets}))
        await page.route("**/get_messages?*", self._history)
        await page.route("**/operator/chats/*", _answering({"others": {"tickets": [], "has_more": False}}))

    async def _history(self, route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        number, after = int(query["ticket_id"][0]), int(query["after"][0])
        [told] = [one for listed in self.lists.values() for one in listed if one.get("ticket_id") == number]
        # Of who waits the list has all that they said.
        said = self.messages.get(number) or [message(number, 1, told["message"], 1, operator=False)]
        rows = [row for row in said if row["seq"] > after]
        answer = {"messages": rows, "has_more": False, "ticket": told | {"last_seq": len(said)}}
        await route.fulfill(json=answer)


def busy(chats: int = 12, waiting: int = 55, long: int = 300) -> MadeUp:
    """A full day: the first chat has `long` messages of two days."""
    mine = [ticket(number, 40 - number) for number in range(1, chats + 1)]
    queue = [ticket(100 + number, 90 - number * 1.5, "waiting") for number in range(waiting)]
    messages = {
        number: talk(number, 2 + number % 5, 20 - number, answered=number % 3 == 0) for number in range(1, chats + 1)
    }
    messages[2] = _handed_over(messages[2])
    return MadeUp(mine, queue, messages | {1: talk(1, long, 30 * 60, answered=False)})


def _handed_over(rows: list[Json]) -> list[Json]:
    """The first two answers are a colleague's, who then handed the chat over."""
    colleague = {"sender_id": "2", "sender_name": "Boris"}
    before = [row | colleague if row["sender_type"] == "operator" else row for row in rows]
    told = message(2, len(rows) + 1, "Anna has taken over this chat.", 0.1, operator=False) | {
        "sender_type": "system",
        "sender_id": None,
        "sender_name": "",
        "code": "transferred",
        "params": {"operator_name": ANNA.name},
    }
    return [*before, told]


def shop() -> MadeUp:
    """An ordinary hour, for pictures: each chat as (visitor, minutes since, what they wrote, what was answered)."""
    chats = (
        (
            "Maria Keller",
            9,
            ("Hello! Does the reading lamp come with a bulb?",),
            "Hello Maria! Yes, a warm white one is in the box.",
        ),
        ("Ivan Petrov", 6, ("Do you ship to Kazan?", "And how long does it take?"), ""),
        ("Lucía Fernández", 4, ("The cup arrived broken :(",), ""),
        ("Юлия Соколова", 2, ("Добрый день! Можно изменить адрес доставки?",), ""),
        ("Tom Baker", 30, ("Is the oak shelf back in stock?",), "It is: twelve came in this morning."),
    )
    mine, messages = [], {}
    for number, (name, minutes, questions, answer) in enumerate(chats, start=1):
        rows = [
            message(number, seq, text, minutes - seq * 0.1, operator=False)
            for seq, text in enumerate(questions, start=1)
        ]
        if answer:
            rows.append(message(number, len(rows) + 1, answer, minutes - 1, operator=True))
        mine.append(_named(ticket(number, minutes), name, questions[0]))
        messages[number] = [row if row["sender_type"] == "operator" else row | {"sender_name": name} for row in rows]
    more = message(1, 3, "Great, thank you. And how long does delivery take?", 0.8, operator=False)
    messages[1].append(more | {"sender_name": mine[0]["visitor_name"]})
    waiting = (
        ("Nora Lind", 7, "Can I return a gift without the receipt?"),
        ("李明", 3, "Do you take orders from Taiwan?"),
    )
    queue = [
        _named(ticket(20 + at, minutes, "waiting"), name, text) for at, (name, minutes, text) in enumerate(waiting)
    ]
    return MadeUp(mine, queue, messages)


def _named(told: Json, name: str, text: str) -> Json:
    first = name.split(maxsplit=1)[0].lower()
    return told | {
        "visitor_name": name,
        "message": text,
        "visitor_email": f"{first}@mail.example" if first.isascii() else None,
    }


async def working(people: People, desk: MadeUp, viewport: ViewportSize = DESKTOP, lang: str = "en") -> Panel:
    """Anna at work on that desk."""
    panel = await people.panel(lang, viewport)
    await desk.answer(panel.page)
    await panel.log_in(ANNA)
    await panel.find("#my-tickets .row").first.wait_for()
    return panel


def _answering(answer: Json) -> Any:
    async def fulfill(route: Route) -> None:
        await route.fulfill(body=json.dumps(answer), content_type="application/json")

    return fulfill


def _time(minutes: float) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
