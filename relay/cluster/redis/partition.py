"""One partition over its link: what is listened to, what is asked, sent and reported, and what the pushes bring.

Must not know what a message or a report means. Everything happens in the reader's callback: an `await` between an
answer and the push behind it would lose the push (docs/decisions/0021).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import structlog
from hiredis import ReplyError
from msgspec import Struct

from relay.cluster.bus import Unavailable
from relay.cluster.keys import TopicKind
from relay.cluster.push import split_push
from relay.cluster.redis.calls import Calls, Reply
from relay.cluster.redis.heal import LEAST_PAGE, PAGE, TOPICS, Entry, Heal
from relay.cluster.redis.lease import Lease
from relay.cluster.redis.link import Link
from relay.cluster.redis.reports import Assertion, Reports
from relay.cluster.redis.scripts import Script

log = structlog.get_logger()

# Before all entries of a log.
_BEGINNING: Final = b"0-0"


class Topic:
    """Something that this node listens to in a partition: `name` of a channel ("t") or a user ("u") of an app, or the
    topic of all nodes ("k"). `waiting` is called when all that is sent from then on arrives."""

    __slots__ = ("app_id", "is_heard", "is_subscribed", "kind", "name", "partition", "waiting")

    def __init__(self, partition: "Partition", kind: TopicKind, app_id: str, name: str) -> None:
        self.partition = partition
        self.kind = kind
        self.app_id = app_id
        self.name = name
        self.is_subscribed = False
        # All that is sent arrives, or is read later; what was sent before that began is for nobody here.
        self.is_heard = False
        self.waiting: list[Callable[[], None]] = []


class Gap(Struct, frozen=True, eq=False):
    """What the log does not have any more: the entries behind `since`, up to the one that it begins with, `before`; None:
    nothing can be said of them. `page`: so many are to be read at once."""

    since: bytes
    before: bytes | None
    page: int


class Host(Protocol):
    """What a partition is part of."""

    def heard(self, partition: "Partition", topic: Topic, entry_id: bytes, message: bytes, /) -> None:
        """A message was sent to a topic; without an id if it is not in the log."""

    def ready(self, partition: "Partition", /) -> None:
        """The partition is healed: nothing was missed, or `lost_messages` and `compare` said so."""

    def lost_messages(self, partition: "Partition", gap: Gap, done: Callable[[], None], /) -> None:
        """A gap: the log did not reach back to what was seen last. What was sent behind it waits for `done`, which is called
        if the gap is still the partition's `gap`."""

    def compare(self, partition: "Partition", /) -> None:
        """After a gap, all that is behind it is here: ask what was to be learned from the messages that are lost."""

    def rebuilt(self, partition: "Partition", /) -> None:
        """All nodes have told what they hold, after Redis had lost it."""

    def holdings(self, partition: "Partition", /) -> Iterator[Assertion]:
        """Everything this node holds here, each made when it is asked for."""

    def unlike(self, partition: "Partition", reason: str, /) -> None:
        """The nodes in this Redis have another number of partitions, or write another format: this one cannot join."""

    def misplaced(self, partition: "Partition", reason: str, /) -> None:
        """The Redis of the link is not the primary of these keys."""


class Figures(Struct):
    """What happened in a partition so far, for the metrics."""

    replayed: int = 0
    recovered: int = 0
    gaps: int = 0
    stale: int = 0
    epochs: int = 0
    reaped: int = 0


class Partition:
    """`base` begins the names of its keys and topics, which are all in `slot` of a Redis Cluster. `topics` are those of all
    partitions.

    A link goes through: attached; greeted (lease, epoch), from where on it takes calls; healed (subscribed, log read), from
    where on it takes reports; lost.
    """

    def __init__(
        self,
        base: bytes,
        slot: int,
        scripts: Mapping[str, Script],
        topics: dict[bytes, Topic],
        host: Host,
        clock: Callable[[], float],
        *,
        is_sharded: bool = False,
        shape: str = "",
    ) -> None:
        self.base = base
        self.slot = slot
        self.lease = Lease(shape)
        self.figures = Figures()
        # The id of the log's entry up to which everything was delivered.
        self.last: bytes | None = None
        self._calls = Calls(base, scripts, lambda reason: host.misplaced(self, reason))
        # As they are: a call less for each publish.
        self.ask, self.command, self.send = self._calls.ask, self._calls.command, self._calls.send
        self.reports = Reports(self._calls, self.lease, self._take_stale)
        self._topics = topics
        self._own: dict[bytes, Topic] = {}
        self._unsubscribing: Counter[bytes] = Counter()
        self._host = host
        self._clock = clock
        self._subscribe_verb, self._unsubscribe_verb = (
            ("SSUBSCRIBE", "SUNSUBSCRIBE") if is_sharded else ("SUBSCRIBE", "UNSUBSCRIBE")
        )
        # Attached; and the same when it takes calls.
        self._link: Link | None = None
        self.link: Link | None = None
        self._heal: Heal | None = None
        # Entries of a page of the next heal.
        self._page = PAGE
        # What the log does not have, while others are asked for it; and up to which entry channels were delivered by that.
        self.gap: Gap | None = None
        self._caught_up: dict[Topic, bytes] = {}
        # Whether there was a gap, and what was to be learned from what was lost has not been asked yet.
        self._has_lost = False
        self.is_ready = False
        self._has_unsubscribed = False
        self._is_greeting = False
        self._greeted_at = 0.0
        # Seconds that the last beat took.
        self.round_trip = 0.0

    # --- the link

    @property
    def attached(self) -> Link | None:
        """The link of the partition, whether it takes calls already or not."""
        return self._link

    def attach(self, link: Link, run_id: str, *, has_all: bool = False) -> None:
        """There is a link to the partition's primary; does it have all that the one before had?"""
        self.detach()
        self._link = link
        self.lease.begin(run_id, has_all=has_all)
        self._greet(link)

    def detach(self) -> None:
        """The link is lost, or not the partition's any more."""
        if self._heal is not None:
            self._page = max(LEAST_PAGE, self._page // 4)
        self._link = self.link = self._calls.link = self._heal = self.gap = None
        self.is_ready = self._is_greeting = False
        for topic in self._own.values():
            topic.is_subscribed = False
        self.reports.close()

    def _greet(self, link: Link) -> None:
        """Say hello, or that this node is still there. What is called behind it on the link is called under its name."""
        name, arguments = self.lease.next_call()
        self._is_greeting = True
        self._greeted_at = self._clock()
        self._calls.ask_over(link, name, arguments, lambda answer: self._take_greeting(link, answer))

    def _take_greeting(self, link: Link, answer: Reply) -> None:
        if link is not self._link:
            return
        self._is_greeting = False
        if isinstance(answer, Unavailable):
            self._take_refusal(link, answer)
            return
        is_first = not self.lease.epoch
        now = self._clock()
        self.round_trip = now - self._greeted_at
        greeting = self.lease.take(answer, now)
        if greeting.is_new_epoch:
            self.figures.epochs += 1
            log.warning("redis_lost_everything", partition=self.base.decode(), epoch=self.lease.epoch)
        if self.link is None:
            self._begin_heal(link, greeting.top, is_gap=greeting.is_new_epoch, is_first=is_first)
        elif self._heal is None:
            # All that is older was pushed before this answer.
            self.last = greeting.top
        if greeting.is_rebuilt:
            self._host.rebuilt(self)
        if self.is_ready and self.lease.must_assert:
            self.reports.assert_all(self._host.holdings(self))
            self.reports.send_unsent()

    def _take_refusal(self, link: Link, refusal: Unavailable) -> None:
        if refusal.reason.startswith("STALE"):
            self._start_over(link)
        elif refusal.reason.startswith("SHAPE"):
            self._host.unlike(self, refusal.reason)
            link.abort(refusal.reason)
        elif self.link is None and link.is_open:
            # Without an answer nothing can begin.
            link.abort(refusal.reason)

    def _take_stale(self, node: str) -> None:
        """A report was refused under this name. If a beat is on its way under it, that one will be refused as well."""
        if self.link is not None and node == self.lease.node and not self._is_greeting:
            self._start_over(self.link)

    def _start_over(self, link: Link) -> None:
        """Come back as a new node."""
        self.figures.stale += 1
        log.warning("node_taken_for_dead", partition=self.base.decode(), node=self.lease.node)
        self.lease.lose()
        self._greet(link)

    # --- healing

    def _begin_heal(self, link: Link, top: bytes, *, is_gap: bool, is_first: bool) -> None:
        self.link = self._calls.link = link
        if is_first:
            self.last = None
        elif is_gap:
            # All that is there was sent since.
            self.last = _BEGINNING
        self._heal = Heal(list(self._own), self.last, top, self._page)
        self._heal.is_doubtful = is_gap or self.lease.may_lack
        self._subscribe_next(link, self._heal)

    def _subscribe_next(self, link: Link, heal: Heal) -> None:
        topics = heal.next_topics()
        if not topics:
            self._read(link, heal)
            return

        def done(answer: Reply) -> None:
            if heal is not self._heal:
                return
            if self._take_subscribed(link, topics, answer):
                self._subscribe_next(link, heal)
            else:
                self._give_up(link, answer)

        link.subscribe(self._subscribe_verb, topics, done)

    def _read(self, link: Link, heal: Heal) -> None:
        def done(answer: Reply) -> None:
            if heal is not self._heal:
                return
            if not isinstance(answer, list):
                self._give_up(link, answer)
                return
            self._take_page(link, heal, answer)

        link.command(("XRANGE", self.base + b"log", heal.first, "+", "COUNT", heal.page), done)

    def _take_page(self, link: Link, heal: Heal, page: list[Any]) -> None:
        since = heal.first
        fresh = heal.take(page)
        if heal.is_gap or heal.is_doubtful:
            self._take_gap(heal, since, page, lambda: self._take_entries(link, heal, fresh))
        else:
            self._take_entries(link, heal, fresh)

    def _take_gap(self, heal: Heal, since: bytes, page: list[Any], go_on: Callable[[], None]) -> None:
        before = page[0][0] if page and not heal.is_doubtful else None
        if before is not None:
            # What is pushed while others are asked is in no page yet.
            heal.is_over = False
        self._has_lost = True
        if heal.is_doubtful:
            # Also when this heal comes to nothing, and the next one finds all behind it.
            self.lease.may_lack, heal.is_doubtful = True, False
        gap = self.gap = Gap(since, before, heal.page)

        def done() -> None:
            if gap is self.gap:
                self.gap = None
                go_on()

        self._host.lost_messages(self, gap, done)

    def _take_entries(self, link: Link, heal: Heal, fresh: Sequence[Entry]) -> None:
        for entry_id, (_, name, _, message) in fresh:
            topic = self._own.get(name)
            if topic is not None and topic.is_heard:
                self._hear(topic, entry_id, message)
        self.last = heal.first
        self._caught_up.clear()
        if heal.is_over:
            self._end_heal(heal)
        else:
            self._read(link, heal)

    def delivered_up_to(self, topic: Topic, gap: Gap) -> bytes:
        """The id up to which all that was sent to a topic was delivered."""
        return self._caught_up.get(topic, gap.since)

    def catch_up(self, topic: Topic, entry_id: bytes, message: bytes) -> None:
        """Deliver what the log does not have any more; if the link is lost now, the next heal goes on behind it."""
        if topic.is_heard:
            self._hear(topic, entry_id, message)
            self._caught_up[topic] = entry_id

    def give_up_gap(self, refusal: Unavailable) -> None:
        """Nobody can say what the log does not have: begin anew, on a new link."""
        self.gap = None
        if self._link is not None:
            self._give_up(self._link, refusal)

    def _hear(self, topic: Topic, entry_id: bytes, message: bytes) -> None:
        """One message that nobody can take must not keep this node from all that came after it."""
        try:
            self._host.heard(self, topic, entry_id, message)
        except Exception:
            log.exception("redis_entry_not_taken", partition=self.base.decode(), id=entry_id.decode())

    def _end_heal(self, heal: Heal) -> None:
        self._heal = None
        self._page = PAGE
        self.is_ready = True
        self.lease.may_lack = False
        self.figures.replayed += heal.replayed
        # First what this node holds: what is asked then has it.
        if self.lease.must_assert:
            self.reports.assert_all(self._host.holdings(self))
        self.reports.open()
        if self._has_lost:
            self._has_lost = False
            self.figures.gaps += 1
            self._host.compare(self)
        for topic in list(self._own.values()):
            self._confirm(topic)
        self._host.ready(self)

    def _give_up(self, link: Link, answer: Reply) -> None:
        """What healing needs was refused: begin anew, on a new link."""
        if isinstance(answer, ReplyError):
            self._calls.note(answer)
        if link.is_open:
            link.abort(answer.reason if isinstance(answer, Unavailable) else str(answer))

    # --- listening

    def listen(
        self, topic_name: bytes, kind: TopicKind, app_id: str, name: str, done: Callable[[], None] | None = None
    ) -> None:
        """Have what is sent to a topic delivered; `done` when whatever is sent from now on arrives."""
        topic = self._own.get(topic_name)
        if topic is None:
            topic = self._own[topic_name] = self._topics[topic_name] = Topic(self, kind, app_id, name)
            if self.link is not None:
                self._subscribe(self.link, topic_name)
        if done is not None:
            topic.waiting.append(done)
            self._confirm(topic)

    def ignore(self, topic_name: bytes) -> None:
        """Nothing more of the topic is delivered."""
        topic = self._own.pop(topic_name, None)
        if topic is not None:
            topic.is_heard = False
            del self._topics[topic_name]
            if self.link is not None:
                self._unsubscribing[topic_name] += 1
                self.link.subscribe(
                    self._unsubscribe_verb, (topic_name,), lambda _answer: self._take_unsubscribed(topic_name)
                )

    def _take_unsubscribed(self, topic_name: bytes) -> None:
        self._unsubscribing[topic_name] -= 1
        if not self._unsubscribing[topic_name]:
            del self._unsubscribing[topic_name]

    def is_unsubscribing(self, topic_name: bytes) -> bool:
        """Whether Redis has yet to confirm that it sends nothing more of a topic, which may be listened to again by now."""
        return topic_name in self._unsubscribing

    def listens_to(self, topic_name: bytes) -> bool:
        """Whether it is listened to."""
        return topic_name in self._own

    def topics(self) -> Sequence[Topic]:
        """What is listened to now."""
        return list(self._own.values())

    def _subscribe(self, link: Link, *topics: bytes) -> None:
        """Subscribe, then note where the log is: what was sent to the topics before must not be read at the next heal."""
        answers: list[Reply] = []

        def take_top(answer: Reply) -> None:
            if not answers:
                # Refused at once, though there was room for the subscription: both again, see `tick`.
                self._has_unsubscribed = True
                return
            is_known = isinstance(answer, list)
            if link is self.link and self._heal is None and is_known and answer:
                self.last = answer[0][0]
            (subscribed,) = answers
            self._take_subscribed(link, topics, answer if subscribed is None and not is_known else subscribed)

        link.subscribe(self._subscribe_verb, topics, answers.append)
        link.command(("XREVRANGE", self.base + b"log", "+", "-", "COUNT", 1), take_top)

    def _take_subscribed(self, link: Link, topics: Sequence[bytes], answer: Reply) -> bool:
        """True when the topics are subscribed to. After a loss of the link they will be."""
        if link is not self.link:
            return False
        if isinstance(answer, Unavailable):
            # Too much was unanswered: see `tick`.
            self._has_unsubscribed = True
            return False
        if answer is not None:
            self._give_up(link, answer)
            return False
        for name in topics:
            topic = self._own.get(name)
            if topic is not None:
                topic.is_subscribed = True
                self._confirm(topic)
        return True

    def _confirm(self, topic: Topic) -> None:
        if topic.is_subscribed and self.is_ready:
            topic.is_heard = True
            waiting, topic.waiting = topic.waiting, []
            for done in waiting:
                done()

    def push(self, link: Link, topic: Topic, payload: bytes) -> None:
        """A push: an entry of the log, its id in front, or a message that is in no log."""
        if link is not self.link:
            return
        entry_id, message = split_push(payload)
        if entry_id:
            if self._heal is not None:
                return  # in the pages
            self.last = entry_id
        self._host.heard(self, topic, entry_id, message)

    # --- the lease

    def beat(self) -> None:
        """Renew the lease; wants to be called every Times.beat seconds."""
        if self.link is not None and not self._is_greeting:
            self._greet(self.link)

    def tick(self) -> None:
        """Repeat what was refused; wants to be called once a second."""
        self.reports.repeat()
        if self.link is not None and self.is_ready and self._has_unsubscribed:
            topics = [name for name, topic in self._own.items() if not topic.is_subscribed]
            self._has_unsubscribed = len(topics) > TOPICS
            if topics:
                self._subscribe(self.link, *topics[:TOPICS])
