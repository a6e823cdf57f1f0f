"""What follows from several limits together."""

from relay.protocol.limits import Limits


def test_client_events_are_allowed_beside_the_other_messages() -> None:
    assert Limits(messages_per_second=100, client_events_per_second=5_000).message_rate == 5_100


def test_without_a_limit_of_messages_there_is_none_for_client_events_and_others_together() -> None:
    assert Limits(messages_per_second=0, client_events_per_second=5_000).message_rate == 0


def test_a_client_may_leave_all_its_channels_and_join_as_many_at_once() -> None:
    assert Limits(subscriptions=1_000).message_burst >= 2_000
