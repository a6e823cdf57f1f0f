"""The figures that are shown: name, label, unit, which way is better, and the target against the peer."""

from typing import Final, Literal

from msgspec import Struct


class Figure(Struct, frozen=True):
    """One row of the table. `target` bounds ours ÷ the peer's: from above where less is better, else from below."""

    name: str
    label: str
    unit: str
    better: Literal["less", "more"]
    target: float | None = None

    def is_met(self, ratio: float) -> bool | None:
        """Whether the ratio keeps the target; None without one."""
        if self.target is None:
            return None
        return ratio <= self.target if self.better == "less" else ratio >= self.target


def _fanout(group: str, words: str, target: float | None = None) -> list[Figure]:
    return [
        Figure(f"fanout_{group}.server_us", f"fan-out to {words}: server CPU a delivery", "µs", "less", target),
        Figure(f"fanout_{group}.per_second", f"fan-out to {words}: deliveries a second", "/s", "more"),
    ]


def _trigger(at_once: int, suffix: str, words: str) -> list[Figure]:
    name = f"trigger_{at_once}{suffix}"
    target = 1.5 if at_once == 64 else None
    return [
        Figure(f"{name}.per_second", f"triggers a second, {at_once} at once, {words}", "/s", "more", target),
        Figure(f"{name}.server_us", f"server CPU a trigger, {at_once} at once, {words}", "µs", "less"),
    ]


def _flood(group: str, words: str) -> list[Figure]:
    return [
        Figure(f"flood_{group}.p50_ms", f"a ping beside ten floods of {words}: median", "ms", "less"),
        Figure(f"flood_{group}.p99_ms", f"a ping beside ten floods of {words}: 99th percentile", "ms", "less"),
        Figure(f"flood_{group}.per_second", f"{words} of ten floods a second", "/s", "more"),
    ]


FIGURES: Final[tuple[Figure, ...]] = (
    *_fanout("100", "100, eight publishers", 0.55),
    *_fanout("1000", "1,000, eight publishers", 0.55),
    *_fanout("one_100", "100, one publisher"),
    *[row for at_once in (1, 16, 64) for row in _trigger(at_once, "", "kept alive")],
    *[row for at_once in (1, 16, 64) for row in _trigger(at_once, "_close", "not kept alive")],
    Figure("latency_one.p50_ms", "trigger to delivery, one at a time: median", "ms", "less"),
    Figure("latency_one.p99_ms", "trigger to delivery, one at a time: 99th percentile", "ms", "less"),
    Figure("latency_load.p50_ms", "trigger to delivery, fixed load: median", "ms", "less"),
    Figure("latency_load.p99_ms", "trigger to delivery, fixed load: 99th percentile", "ms", "less", 1.0),
    Figure("client_events.per_second", "client events a second, 100 rooms of two", "/s", "more", 1.6),
    Figure("client_events.server_us", "server CPU a client event", "µs", "less"),
    Figure("connect.per_second", "connections opened a second", "/s", "more", 1.2),
    Figure("connect.server_us", "server CPU a connection", "µs", "less"),
    Figure("connect.kib_per_connection", "memory a connection", "KiB", "less", 1.0),
    Figure("connect.process_mib", "process with all connections", "MiB", "less", 0.5),
    Figure("subscribe_public.server_us", "server CPU a subscription, public", "µs", "less", 0.5),
    Figure("subscribe_private.server_us", "server CPU a subscription, private", "µs", "less", 0.5),
    Figure("subscribe_public.per_second", "subscriptions a second, public", "/s", "more"),
    Figure("subscribe_private.per_second", "subscriptions a second, private", "/s", "more"),
    Figure("subscribe.process_mib", "process with all connections, two subscriptions each", "MiB", "less"),
    Figure("presence.server_us", "server CPU a presence join, 200 members", "µs", "less", 0.6),
    Figure("presence.per_second", "presence joins a second", "/s", "more"),
    Figure("slow_reader.lost", "slow reader: messages lost of 10,000", "", "less"),
    Figure("slow_reader.lost_silently", "slow reader: messages lost without being told", "", "less"),
    Figure("slow_reader.close_code", "slow reader: close code (0: none)", "", "less"),
    *_flood("pings", "pings"),
    *_flood("requests", "requests"),
    Figure("cluster.server_us", "100 channels with nine readers each, fixed load: server CPU a trigger", "µs", "less"),
    Figure("cluster.per_second", "100 channels with nine readers each, fixed load: triggers a second", "/s", "more"),
    *[
        Figure(f"cluster.{name}_ms", f"100 channels with nine readers each, fixed load: {words}", "ms", "less")
        for name, words in (("p50", "median"), ("p95", "95th percentile"), ("p99", "99th percentile"))
    ],
    Figure(
        "workers_fanout.server_us",
        "16 channels with 64 readers and a publisher each: server CPU a delivery",
        "µs",
        "less",
    ),
    Figure(
        "workers_fanout.per_second",
        "16 channels with 64 readers and a publisher each: deliveries a second",
        "/s",
        "more",
    ),
    Figure("workers_trigger.server_us", "server CPU a trigger, 256 at once, kept alive", "µs", "less"),
    Figure("workers_trigger.per_second", "triggers a second, 256 at once, kept alive", "/s", "more"),
)

# What the scenarios that break something measure.
FAULT_FIGURES: Final[tuple[Figure, ...]] = (
    Figure("heal.one_ms", "node connected again, one event missed: until it arrived", "ms", "less"),
    Figure("heal.many_ms", "node connected again, 10,000 events missed: until the last arrived", "ms", "less"),
    Figure("heal.us_per_entry", "a missed event that nobody here listens to", "µs", "less"),
    Figure("heal.heard_ms", "node connected again, 10,000 events missed, all for one reader", "ms", "less"),
    Figure("ghosts.first_s", "node killed under 200 members: until the first is gone", "s", "less"),
    Figure("ghosts.last_s", "node killed under 200 members: until all are gone for everybody", "s", "less"),
    Figure("ghosts.untold", "node killed under 200 members: not told within the time, five witnesses", "", "less"),
)


def _desk_rate(rate: int) -> list[Figure]:
    words = f"messages at {rate} a second"
    return [
        Figure(f"desk_{rate}.p50_ms", f"{words}, POST to the other side's socket: median", "ms", "less"),
        Figure(f"desk_{rate}.p99_ms", f"{words}, POST to the other side's socket: 99th percentile", "ms", "less"),
        Figure(f"desk_{rate}.http_p50_ms", f"{words}, POST to its answer: median", "ms", "less"),
        Figure(f"desk_{rate}.http_p99_ms", f"{words}, POST to its answer: 99th percentile", "ms", "less"),
        Figure(f"desk_{rate}.server_us", f"{words}: CPU of the desk for each", "µs", "less"),
    ]


def _desk_calls(group: str, words: str) -> list[Figure]:
    return [
        Figure(f"{group}.per_second", f"{words}, 16 at once", "/s", "more"),
        Figure(f"{group}.server_us", f"{words}: CPU of the desk for each", "µs", "less"),
    ]


def _growth(group: str, words: str) -> list[Figure]:
    return [
        Figure(f"growth_{group}.p50_ms", f"{words}: median", "ms", "less"),
        Figure(f"growth_{group}.max_ms", f"{words}: longest", "ms", "less"),
    ]


# What the scenarios of the support desk measure.
DESK_FIGURES: Final[tuple[Figure, ...]] = (
    *_desk_rate(20),
    *_desk_rate(100),
    Figure("desk_flood.per_second", "messages, forty sides, each as fast as it is answered", "/s", "more"),
    Figure("desk_flood.server_us", "messages, forty sides: CPU of the desk for each", "µs", "less"),
    Figure(
        "desk_flood.lag_ms", "messages, forty sides: from the answer to the other side, 99th percentile", "ms", "less"
    ),
    Figure(
        "desk_most.per_second",
        "the most messages a second of which 99 % arrive 100 ms after their answer",
        "/s",
        "more",
    ),
    *_desk_calls("desk_create", "conversations opened"),
    *_desk_calls("desk_close", "conversations closed"),
    *_desk_calls("desk_transfer", "conversations handed over"),
    *_desk_calls("desk_history", "pages of 50 messages"),
    Figure("desk.process_mib", "process of the desk after its messages", "MiB", "less"),
    Figure("growth.tickets", "conversations in the database", "", "more"),
    Figure("growth.messages", "messages in the database", "", "more"),
    *_growth("mine", "my conversations, 60 of them"),
    *_growth("queue", "the queue, 300 long"),
    *_growth("all", "all conversations, the newest page"),
    *_growth("closed", "closed conversations, the newest page"),
    *_growth("deep", "closed conversations, a page in the middle"),
    *_growth("chat", "one conversation with what belongs to it"),
    *_growth("history", "the first 50 messages of 2,000"),
    *_growth("end", "the last 50 messages of 2,000"),
    *_growth("message", "a message in a conversation of 2,000"),
    *_growth("create", "a new conversation behind a queue of 300"),
)
