"""Handing tickets over by HTTP: who may, in which form, and what comes back."""

from dataclasses import dataclass, replace

import pytest

from support_api.config import Settings
from support_api.models.operators import Operator
from tests.support_api.conftest import Running, Start
from tests.support_api.helpers import Caller, RecordingRelay, Visitor, eventually, open_ticket

CALLS = ["/transfer_ticket", "/transfer_ticket.php", "/take_ticket", "/take_ticket.php"]


@dataclass(frozen=True)
class Stage:
    """Anna's ticket is Olga's; Petr is logged in and offline. Boris waits: Olga is full."""

    olga: Operator
    olgas: Caller
    petr: Operator
    petrs: Caller
    anna: Visitor
    boris: Visitor


@pytest.fixture
async def stage(running: Running) -> Stage:
    olga, olgas = await running.online("Olga", max_tickets=1)
    petr = await running.add_operator("Petr", max_tickets=2)
    petrs = await running.log_in(petr)
    anna, boris = await open_ticket(running.nobody), await open_ticket(running.nobody, name="Boris")
    return Stage(olga, olgas, petr, petrs, anna, boris)


async def test_a_ticket_goes_to_a_colleague_as_json_and_back_as_a_form(stage: Stage) -> None:
    answer = await stage.olgas.post("/transfer_ticket", ticket_id=stage.anna.ticket_id, operator_id=stage.petr.id)
    assert answer.status == 200, answer.text
    assert (answer.json["ticket"]["operator_id"], answer.json["ticket"]["operator_name"]) == (stage.petr.id, "Petr")
    assert "visitor_email" not in answer.json["ticket"], "not the caller's ticket any more"
    ids = {"ticket_id": str(stage.anna.ticket_id), "operator_id": str(stage.olga.id)}
    # The room that Olga had went to Boris.
    full = await stage.petrs.form("/transfer_ticket.php", **ids)
    assert (full.status, full.code) == (409, "operator_full")
    assert "Olga has 1 conversations and takes 1" in full.json["error"]["message"]
    answer = await stage.petrs.form("/transfer_ticket.php", **ids, over_limit="1")
    assert (answer.status, answer.json["ticket"]["operator_id"]) == (200, stage.olga.id)


@pytest.mark.parametrize("nobody", [{}, {"operator_id": None}, {"operator_id": ""}])
async def test_without_a_colleague_a_ticket_goes_to_the_queue(stage: Stage, nobody: dict[str, object]) -> None:
    answer = await stage.olgas.post("/transfer_ticket", ticket_id=stage.anna.ticket_id, **nobody)
    assert (answer.status, answer.json["ticket"]["status"], answer.json["ticket"]["operator_id"]) == (
        200,
        "waiting",
        None,
    )
    waiting = (await stage.petrs.get("/operator/queue")).json["tickets"]
    assert [one["ticket_id"] for one in waiting] == [stage.anna.ticket_id]


async def test_a_waiting_ticket_is_taken(stage: Stage) -> None:
    answer = await stage.petrs.post("/take_ticket", ticket_id=stage.boris.ticket_id)
    assert (answer.status, answer.json["ticket"]["operator_id"]) == (200, stage.petr.id)
    assert "visitor_email" in answer.json["ticket"], "the operator's own ticket"
    again = await stage.petrs.form("/take_ticket.php", ticket_id=str(stage.boris.ticket_id))
    assert again.json == answer.json
    late = await stage.olgas.post("/take_ticket", ticket_id=stage.boris.ticket_id, over_limit=True)
    assert (late.status, late.code) == (409, "ticket_taken")


async def test_over_the_own_limit_a_ticket_is_taken_after_a_question(stage: Stage) -> None:
    answer = await stage.olgas.post("/take_ticket", ticket_id=stage.boris.ticket_id)
    assert (answer.status, answer.code) == (409, "operator_full")
    answer = await stage.olgas.post("/take_ticket", ticket_id=stage.boris.ticket_id, over_limit=True)
    assert answer.status == 200


@pytest.mark.parametrize("path", CALLS)
async def test_who_is_no_operator_hands_nothing_over(stage: Stage, running: Running, path: str) -> None:
    gone = await running.add_operator("Gone")
    gones = await running.log_in(gone)
    await running.desk.services.operators.disable(gone.email)
    as_session = running.nobody.with_headers({"Cookie": f"operator_session={stage.anna.token}"})
    for ticket_id in (stage.anna.ticket_id, stage.boris.ticket_id, 4711):
        for caller in (running.nobody, stage.anna.caller, stage.boris.caller, gones, as_session):
            answer = await caller.post(path, ticket_id=ticket_id, operator_id=stage.petr.id, over_limit=True)
            assert (answer.status, answer.code) == (401, "login_needed")
    assert (await running.desk.services.tickets.read(stage.anna.ticket_id)).operator_id == stage.olga.id
    assert (await running.desk.services.tickets.read(stage.boris.ticket_id)).operator_id is None


async def test_another_operator_hands_nothing_over_also_as_its_visitor(stage: Stage, running: Running) -> None:
    both = stage.anna.caller.with_headers(stage.petrs.headers)
    for caller in (stage.petrs, both):
        for target in (stage.petr.id, None):
            answer = await caller.post("/transfer_ticket", ticket_id=stage.anna.ticket_id, operator_id=target)
            assert (answer.status, answer.code) == (403, "not_yours")
            assert "Anna" not in answer.text
    # A waiting one is nobody's to hand over: it is taken.
    answer = await stage.petrs.post("/transfer_ticket", ticket_id=stage.boris.ticket_id, operator_id=stage.petr.id)
    assert (answer.status, answer.code) == (403, "not_yours")
    assert (await running.desk.services.tickets.read(stage.anna.ticket_id)).operator_id == stage.olga.id


@pytest.mark.parametrize("path", CALLS)
async def test_another_site_hands_nothing_over_with_an_operators_cookie(stage: Stage, path: str) -> None:
    for origin in ("https://evil.example", "https://shop.example"):
        answer = await stage.olgas.with_headers({"Origin": origin}).form(path, ticket_id=str(stage.anna.ticket_id))
        assert (answer.status, answer.code) == (403, "foreign_origin")


@pytest.mark.parametrize("path", ["/transfer_ticket", "/take_ticket"])
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"ticket_id": None}, "ticket_id"),
        ({"ticket_id": "x"}, "ticket_id"),
        ({"over_limit": "perhaps"}, "over_limit"),
        ({"over_limit": 1}, "over_limit"),
        ({"over_limit": ["true"]}, "over_limit"),
    ],
)
async def test_what_is_no_number_or_answer_is_refused(
    stage: Stage, path: str, wrong: dict[str, object], field: str
) -> None:
    answer = await stage.olgas.post(path, **({"ticket_id": stage.anna.ticket_id} | wrong))
    assert (answer.status, answer.json["error"]["field"]) == (422, field)


@pytest.mark.parametrize("target", ["x", 0, -1, 4711, 2**63, True, [1], {"a": 1}])
async def test_a_colleague_who_is_none_is_refused(stage: Stage, target: object) -> None:
    answer = await stage.olgas.post("/transfer_ticket", ticket_id=stage.anna.ticket_id, operator_id=target)
    assert (answer.status, answer.json["error"]["field"]) == (422, "operator_id")


async def test_the_former_operator_is_out_by_every_call_at_once(stage: Stage, running: Running) -> None:
    ticket_id = stage.anna.ticket_id
    await stage.olgas.post("/transfer_ticket", ticket_id=ticket_id, operator_id=stage.petr.id)
    before = (await stage.anna.caller.get("/get_messages", ticket_id=ticket_id)).json
    for suffix in ("", ".php"):
        for answer in (
            await stage.olgas.post(f"/send_support_message{suffix}", ticket_id=ticket_id, content="too late"),
            await stage.olgas.post(f"/typing{suffix}", ticket_id=ticket_id),
            await stage.olgas.post(f"/close_ticket{suffix}", ticket_id=ticket_id),
            await stage.olgas.post(f"/transfer_ticket{suffix}", ticket_id=ticket_id),
            await stage.olgas.get(f"/get_messages{suffix}", ticket_id=ticket_id),
            await stage.olgas.form(f"/auth{suffix}", channel_name=f"private-ticket-{ticket_id}", socket_id="1.2"),
        ):
            assert (answer.status, answer.code) == (403, "not_yours")
    assert (await stage.anna.caller.get("/get_messages", ticket_id=ticket_id)).json == before
    assert [one["content"] for one in before["messages"]] == ["Hello", "\u2068Petr\u2069 has taken over this chat."]
    assert before["messages"][-1]["code"] == "transferred"
    assert before["messages"][-1]["params"] == {"operator_name": "Petr"}


async def test_the_relay_ends_the_former_operators_subscription_before_it_is_told_more(
    stage: Stage, relay: RecordingRelay
) -> None:
    await stage.olgas.post("/transfer_ticket", ticket_id=stage.anna.ticket_id, operator_id=stage.petr.id)
    await relay.wait_for(lambda: ("ticket:transferred", "private-operator-1") in relay.names())
    channel = f"private-ticket-{stage.anna.ticket_id}"
    names = [one.name for one in relay.heard if one.channel == channel]
    assert names == ["unsubscribe", "message:new", "ticket:updated", "ticket:operator"]
    (ended,) = [one for one in relay.heard if one.name == "unsubscribe"]
    assert ended.data == {"user_id": f"operator-{stage.olga.id}"}


async def test_colleagues_are_the_other_operators_with_their_load(stage: Stage, running: Running) -> None:
    gone = await running.add_operator("Gone")
    await running.desk.services.operators.disable(gone.email)
    mine = await stage.petrs.get("/operator/colleagues")
    assert mine.json == {
        "operators": [
            {
                "operator_id": stage.olga.id,
                "name": "Olga",
                "is_online": True,
                "active_tickets": 1,
                "max_tickets": 1,
            }
        ]
    }
    (petr,) = (await stage.olgas.get("/operator/colleagues")).json["operators"]
    assert (petr["name"], petr["is_online"], petr["active_tickets"]) == ("Petr", False, 0)


async def test_only_operators_see_colleagues(stage: Stage, running: Running) -> None:
    for caller in (running.nobody, stage.anna.caller):
        assert (await caller.get("/operator/colleagues")).status == 401


async def test_the_site_speaks_the_language_of_its_settings(start: Start, settings: Settings) -> None:
    running = await start(replace(settings, language="ru"))
    _, olgas = await running.online("Olga")
    anna = await open_ticket(running.nobody)
    await olgas.post("/transfer_ticket", ticket_id=anna.ticket_id)
    messages = (await anna.caller.get("/get_messages", ticket_id=anna.ticket_id)).json["messages"]
    assert messages[-1]["content"] == "Этот чат ждёт другого оператора."


async def test_a_visitor_with_many_open_tickets_is_told_what_to_do(running: Running) -> None:
    anna = await open_ticket(running.nobody)
    for _ in range(2):
        assert (await anna.caller.post("/create_ticket", message="again")).status == 200
    refused = await anna.caller.post("/create_ticket", message="again")
    assert (refused.status, refused.code) == (429, "too_many_open")
    assert "close one first" in refused.json["error"]["message"]
    assert "Retry-After" not in refused.headers
    await anna.caller.post("/close_ticket", ticket_id=anna.ticket_id)
    assert (await anna.caller.post("/create_ticket", message="again")).status == 200


async def test_a_network_has_so_many_open_tickets_whoever_its_visitors_say_they_are(
    start: Start, settings: Settings
) -> None:
    from ipaddress import ip_network

    proxied = replace(settings, open_tickets_per_network=2, trusted_proxies=(ip_network("127.0.0.0/8"),))
    running = await start(proxied)

    async def create(address: str) -> int:
        caller = running.nobody.with_headers({"X-Forwarded-For": address})
        return (await caller.post("/create_ticket", message="Hello")).status

    assert [await create(f"2001:db8::{host}") for host in range(3)] == [200, 200, 429]
    assert await create("2001:db8:0:1::1") == 200
    assert [await create("192.0.2.1") for _ in range(3)] == [200, 200, 429]


async def test_a_limit_of_zero_is_none(start: Start, settings: Settings) -> None:
    running = await start(replace(settings, open_tickets_per_visitor=0, open_tickets_per_network=0))
    anna = await open_ticket(running.nobody)
    for _ in range(25):
        assert (await anna.caller.post("/create_ticket", message="again")).status == 200


async def test_an_operator_who_is_disabled_or_logs_out_loses_every_channel(
    stage: Stage, running: Running, relay: RecordingRelay
) -> None:
    await stage.petrs.post("/operator/logout")
    await running.desk.services.operators.disable(stage.olga.email)

    async def told() -> bool:
        return [(one.name, one.data["user_id"]) for one in relay.heard if one.channel == ""] == [
            ("unsubscribe", f"operator-{stage.petr.id}"),
            ("unsubscribe", f"operator-{stage.olga.id}"),
            ("unsubscribe", f"operator-{stage.olga.id}"),
            ("terminate", f"operator-{stage.olga.id}"),
        ]

    await eventually(told)
