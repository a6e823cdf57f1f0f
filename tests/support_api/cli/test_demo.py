"""Where the desk of a demonstration finds the relay."""

import pytest

from support_api.cli.demo import shared_environment


@pytest.mark.parametrize(
    ("relay", "url"),
    [
        ({"RELAY_PORT": "7001"}, "http://127.0.0.1:7001"),
        ({"RELAY_HOST": "::1"}, "http://[::1]:6001"),
        ({"RELAY_HOST": "0.0.0.0", "RELAY_PORT": "7001"}, "http://127.0.0.1:7001"),  # noqa: S104 - a setting, not bound
        ({"RELAY_HOST": "10.0.0.1"}, "http://10.0.0.1:6001"),
    ],
)
def test_the_desk_finds_the_relay_where_its_settings_put_it(relay: dict[str, str], url: str) -> None:
    assert shared_environment(relay) == relay | {"SUPPORT_RELAY_URL": url}


def test_the_desk_uses_the_relay_s_app() -> None:
    app = {"RELAY_APP_ID": "7", "RELAY_APP_KEY": "k", "RELAY_APP_SECRET": "s"}
    assert shared_environment(app) == app | {f"SUPPORT_{name}": value for name, value in app.items()}


def test_what_the_desk_s_own_settings_say_counts() -> None:
    own = {"RELAY_PORT": "7001", "SUPPORT_RELAY_URL": "https://relay.example", "PATH": "/bin"}
    assert shared_environment(own) == own
