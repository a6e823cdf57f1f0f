"""Laravel Echo 2 on pusher-js, both unmodified, in Node and in Chromium: what Echo's users call, for both broadcasters."""

import pytest

from relay.client import PushlerClient
from tests.interop.runtimes import ECHO_IN_CHROMIUM, ECHO_IN_NODE, Clients

pytestmark = [
    pytest.mark.parametrize("runtime_name", [ECHO_IN_NODE, ECHO_IN_CHROMIUM]),
    pytest.mark.parametrize("broadcaster", ["pusher", "reverb"]),
]


@pytest.mark.tried("channel, listen")
async def test_channel_hears_events_with_and_without_the_namespace(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    echo = await clients.echo(broadcaster)
    await echo.call("open", how="channel", name="shop")
    await echo.take(kind="subscribed", name="shop")
    await echo.call("listen", how="channel", name="shop", event="OrderShipped")
    await echo.call("listen", how="channel", name="shop", event=".order.shipped")
    await publisher.trigger("shop", "App\\Events\\OrderShipped", {"id": 1})
    await publisher.trigger("shop", "order.shipped", {"id": 2})
    assert (await echo.take(kind="event", event="OrderShipped"))["data"] == {"id": 1}
    assert (await echo.take(kind="event", event=".order.shipped"))["data"] == {"id": 2}


@pytest.mark.tried("private, notification")
async def test_private_channel_hears_events_and_notifications(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    echo = await clients.echo(broadcaster)
    await echo.call("open", how="private", name="users.7")
    await echo.take(kind="subscribed", name="users.7")
    await echo.call("listen", how="private", name="users.7", event=".changed")
    await echo.call("notification", how="private", name="users.7")
    await publisher.trigger("private-users.7", "changed", {"name": "Ann"})
    created = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated"
    await publisher.trigger("private-users.7", created, {"type": "invoice"})
    assert (await echo.take(kind="event", event=".changed"))["data"] == {"name": "Ann"}
    assert (await echo.take(kind="notification"))["data"] == {"type": "invoice"}


@pytest.mark.tried("join, here, joining, leaving")
async def test_members_are_here_and_join_and_leave(clients: Clients, broadcaster: str) -> None:
    name = f"room-{broadcaster}"
    ann = await clients.echo(broadcaster, "ann")
    await ann.call("open", how="join", name=name)
    assert (await ann.take(kind="here"))["users"] == [{"name": "Ann"}]

    bob = await clients.echo(broadcaster, "bob")
    await bob.call("open", how="join", name=name)
    here = (await bob.take(kind="here"))["users"]
    assert sorted(user["name"] for user in here) == ["Ann", "Bob"]
    assert (await ann.take(kind="joining"))["user"] == {"name": "Bob"}

    await bob.call("leave", name=name)
    assert (await ann.take(kind="leaving"))["user"] == {"name": "Bob"}
    assert bob.seen(kind="joining") == []


@pytest.mark.tried("whisper, listenForWhisper")
@pytest.mark.parametrize("how", ["private", "join"])
async def test_whisper_is_heard_by_the_others_and_not_by_the_sender(
    clients: Clients, publisher: PushlerClient, broadcaster: str, how: str
) -> None:
    name = f"whispers-{broadcaster}"
    ann, bob = await clients.echo(broadcaster, "ann"), await clients.echo(broadcaster, "bob")
    for echo in (ann, bob):
        await echo.call("open", how=how, name=name)
        await echo.take(kind="subscribed", name=name)
        await echo.call("listenForWhisper", how=how, name=name, event="typing")
        await echo.call("listen", how=how, name=name, event=".the-end")
    await ann.call("whisper", how=how, name=name, event="typing", data={"text": "…"})
    assert (await bob.take(kind="whisper", event="typing"))["data"] == {"text": "…"}
    await publisher.trigger(("private-" if how == "private" else "presence-") + name, "the-end", {})
    await ann.take(kind="event", event=".the-end")
    assert ann.seen(kind="whisper") == []


@pytest.mark.tried("toOthers (socketId)")
async def test_event_to_others_passes_over_the_socket_id_of_echo(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    ann, bob = await clients.echo(broadcaster, "ann"), await clients.echo(broadcaster, "bob")
    for echo in (ann, bob):
        await echo.call("open", how="channel", name="board")
        await echo.take(kind="subscribed", name="board")
        for event in (".moved", ".the-end"):
            await echo.call("listen", how="channel", name="board", event=event)
    await publisher.trigger("board", "moved", {}, await ann.call("socketId"))
    await bob.take(kind="event", event=".moved")
    await publisher.trigger("board", "the-end", {})
    await ann.take(kind="event", event=".the-end")
    assert ann.seen(kind="event", event=".moved") == []


@pytest.mark.tried("error")
@pytest.mark.parametrize(("name", "status"), [("refused", 403), ("forged", 401)])
async def test_refused_subscription_calls_the_error_callback(
    clients: Clients, broadcaster: str, name: str, status: int
) -> None:
    echo = await clients.echo(broadcaster)
    await echo.call("open", how="private", name=name)
    error = (await echo.take(kind="refused", name=name))["error"]
    assert (error["type"], error["status"]) == ("AuthError", status)
    # What else there is to be told of it has come when this is confirmed.
    await echo.call("open", how="channel", name="after-the-refusal")
    await echo.take(kind="subscribed", name="after-the-refusal")
    assert echo.seen(kind="subscribed", name=name) == []
    assert len(echo.seen(kind="refused", name=name)) == 1
    assert await echo.call("connectionStatus") == "connected"


@pytest.mark.tried("leave, stopListening")
async def test_nothing_is_heard_after_leaving_or_after_stopping_to_listen(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    echo = await clients.echo(broadcaster)
    for name in ("left", "muted", "kept"):
        await echo.call("open", how="channel", name=name)
        await echo.take(kind="subscribed", name=name)
        await echo.call("listen", how="channel", name=name, event=".greeting")
    await echo.call("leave", name="left")
    await echo.call("stopListening", how="channel", name="muted", event=".greeting")
    # Commands are handled in order: once this is confirmed, the relay knows of the leaving.
    await echo.call("open", how="channel", name="later")
    await echo.take(kind="subscribed", name="later")
    await publisher.trigger(["left", "muted", "kept"], "greeting", {})
    await echo.take(kind="event", name="kept")
    assert [report["name"] for report in echo.seen(kind="event")] == ["kept"]


@pytest.mark.tried("listenToAll, stopListeningToAll; listen of Echo itself")
async def test_every_event_of_a_channel_is_heard_by_whoever_listens_to_all(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    echo = await clients.echo(broadcaster)
    await echo.call("listenAtOnce", name="at-once", event=".the-end")
    # Subscriptions are handled in order: once this one is confirmed, the other is too.
    await echo.call("open", how="channel", name="everything")
    await echo.take(kind="subscribed", name="everything")
    await echo.call("listenToAll", how="channel", name="everything")
    await publisher.trigger("everything", "App\\Events\\OrderShipped", {"id": 1})
    await publisher.trigger("everything", "other", {"id": 2})
    heard = [await echo.take(kind="any event"), await echo.take(kind="any event")]
    assert [(report["event"], report["data"]) for report in heard] == [
        ("OrderShipped", {"id": 1}),
        (".other", {"id": 2}),
    ]
    await echo.call("stopListeningToAll", how="channel", name="everything")
    await publisher.trigger("everything", "other", {"id": 3})
    await publisher.trigger("at-once", "the-end", {})
    await echo.take(kind="event", event=".the-end")
    assert len(echo.seen(kind="any event")) == len(heard)


@pytest.mark.tried("stopListeningForWhisper, stopListeningForNotification")
async def test_whispers_and_notifications_are_not_heard_after_stopping_to_listen(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    name = f"quiet-{broadcaster}"
    ann, bob = await clients.echo(broadcaster, "ann"), await clients.echo(broadcaster, "bob")
    for echo in (ann, bob):
        await echo.call("open", how="private", name=name)
        await echo.take(kind="subscribed", name=name)
        await echo.call("listenForWhisper", how="private", name=name, event="typing")
        await echo.call("notification", how="private", name=name)
        await echo.call("listen", how="private", name=name, event=".the-end")
    await bob.call("stopListeningForWhisper", how="private", name=name, event="typing")
    await bob.call("stopListeningForNotification", how="private", name=name)
    created = "Illuminate\\Notifications\\Events\\BroadcastNotificationCreated"
    await publisher.trigger(f"private-{name}", created, {"type": "invoice"})
    await ann.take(kind="notification")
    await ann.call("whisper", how="private", name=name, event="typing", data={})
    # The relay handles what one connection sends in its order.
    await ann.call("open", how="channel", name="later")
    await ann.take(kind="subscribed", name="later")
    await publisher.trigger(f"private-{name}", "the-end", {})
    await bob.take(kind="event", event=".the-end")
    assert (bob.seen(kind="whisper"), bob.seen(kind="notification")) == ([], [])


@pytest.mark.tried("leaveChannel, leaveAllChannels")
async def test_channels_are_left_one_by_one_or_all_at_once(
    clients: Clients, publisher: PushlerClient, broadcaster: str
) -> None:
    names = [f"{name}-{broadcaster}" for name in ("one", "two", "three")]
    echo = await clients.echo(broadcaster)
    for name in names:
        await echo.call("open", how="private", name=name)
        await echo.take(kind="subscribed", name=name)
    await echo.call("leaveChannel", name=f"private-{names[0]}")
    await echo.call("open", how="channel", name="between")
    await echo.take(kind="subscribed", name="between")
    occupied = [(await publisher.channel(f"private-{name}"))["occupied"] for name in names]
    assert occupied == [False, True, True]
    await echo.call("leaveAllChannels")
    await echo.call("open", how="channel", name="after")
    await echo.take(kind="subscribed", name="after")
    occupied = [(await publisher.channel(f"private-{name}"))["occupied"] for name in names]
    assert occupied == [False, False, False]


@pytest.mark.tried("connectionStatus, onConnectionChange, disconnect")
async def test_status_follows_the_connection(clients: Clients, broadcaster: str) -> None:
    echo = await clients.echo(broadcaster)
    assert await echo.call("connectionStatus") == "connected"
    await echo.call("watchStatus")
    await echo.call("disconnect")
    await echo.take(kind="status", status="disconnected")
    assert await echo.call("connectionStatus") == "disconnected"
    await echo.call("connectAgain")
    await echo.take(kind="status", status="connected")


@pytest.mark.tried("signin")
async def test_user_that_echo_signs_in_is_sent_to(
    clients: Clients, publisher: PushlerClient, broadcaster: str, runtime_name: str
) -> None:
    user = f"echo-{broadcaster}-{runtime_name}"
    echo = await clients.echo(broadcaster, user, userAuthentication=clients.user_authentication(user))
    await echo.call("signin")
    await echo.take(kind="signed in")
    await echo.call("open", how="channel", name="after-sign-in")
    await echo.take(kind="subscribed", name="after-sign-in")
    await publisher.trigger(f"#server-to-user-{user}", "notice", {"order": 1})
    assert (await echo.take(kind="user", event="notice"))["data"] == {"order": 1}
