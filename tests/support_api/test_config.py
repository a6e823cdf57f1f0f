"""Settings."""

from pathlib import Path

import pytest

from pushdesk.settings import ConfigError, Secret
from support_api.config import Settings, describe, load

ANYWHERE = "0.0.0.0"  # noqa: S104 - a setting, nothing is bound
OWN_SECRETS = {"SUPPORT_SECRET_KEY": "mine" * 8, "SUPPORT_RELAY_APP_SECRET": "mine too" * 2}


def problems_of(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(environ)
    assert str(caught.value) == "\n".join(caught.value.problems)
    return caught.value.problems


def test_without_settings_the_defaults_hold() -> None:
    assert load({"PATH": "/bin"}) == Settings()


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "support.toml"
    file.write_text('port = 1234\nhost = "localhost"\nallowed_origins = ["https://a.example", "https://b.example"]\n')
    settings = load({**OWN_SECRETS, "SUPPORT_CONFIG": str(file), "SUPPORT_PORT": "99"})
    assert (settings.port, settings.host) == (99, "localhost")
    assert settings.allowed_origins == ("https://a.example", "https://b.example")


def test_lists_come_with_commas() -> None:
    keys = ["new" * 12, "old" * 12]
    listed = "https://Shop.example/, http://localhost:8000,*"
    settings = load({**OWN_SECRETS, "SUPPORT_SECRET_KEY": ", ".join([*keys, ""]), "SUPPORT_ALLOWED_ORIGINS": listed})
    assert settings.keys == keys
    assert settings.allowed_origins == ("https://shop.example", "http://localhost:8000", "*")


def test_trusted_proxies_are_addresses_or_networks() -> None:
    assert load({}).trusted_proxies == ()
    found = load({**OWN_SECRETS, "SUPPORT_TRUSTED_PROXIES": "127.0.0.1, 10.0.0.0/8,::1"}).trusted_proxies
    assert [str(one) for one in found] == ["127.0.0.1/32", "10.0.0.0/8", "::1/128"]


def test_origins_are_hosts_and_what_is_below_them_too_and_a_wrong_one_is_named() -> None:
    listed = "shop.example, *.Shop.example,-,https://shop.example:443/"
    settings = load({**OWN_SECRETS, "SUPPORT_ALLOWED_ORIGINS": listed})
    assert settings.allowed_origins == ("shop.example", "*.shop.example", "-", "https://shop.example")
    (problem,) = problems_of({"SUPPORT_ALLOWED_ORIGINS": "https://shop.example,htps://other.example"})
    assert "'htps://other.example' has none of the schemes" in problem


def test_no_origin_means_only_our_own() -> None:
    assert load({"SUPPORT_ALLOWED_ORIGINS": ""}).allowed_origins == ()


def test_browsers_reach_the_relay_where_we_do_unless_told_otherwise() -> None:
    assert load({**OWN_SECRETS, "SUPPORT_RELAY_URL": "http://r:1/"}).browser_relay_url == "http://r:1"
    assert load({"SUPPORT_RELAY_PUBLIC_URL": ""}).browser_relay_url == "http://127.0.0.1:6001"
    public = {**OWN_SECRETS, "SUPPORT_RELAY_PUBLIC_URL": "https://ws.example"}
    assert load(public).browser_relay_url == "https://ws.example"


def test_all_wrong_keys_are_named_at_once_with_what_was_expected(tmp_path: Path) -> None:
    file = tmp_path / "support.toml"
    file.write_text('colour = "red"\nport = true\n')
    problems = problems_of(
        {
            "SUPPORT_CONFIG": str(file),
            "SUPPORT_PORTT": "1",
            "SUPPORT_OPERATOR_TIMEOUT": "0",
            "SUPPORT_LOG_LEVEL": "loud",
            "SUPPORT_HOST": ANYWHERE,
        }
    )
    assert [line.split(":")[0] for line in problems] == [
        "colour",
        "port",
        "SUPPORT_LOG_LEVEL",
        "SUPPORT_OPERATOR_TIMEOUT",
        "SUPPORT_PORTT",
        "SUPPORT_SECRET_KEY",
        "SUPPORT_RELAY_APP_SECRET",
    ]
    assert all("expected" in line for line in problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "80a"),
        ("PORT", "٣"),
        ("HOST", " "),
        ("DATABASE_URL", "mysql://x/y"),
        ("DATABASE_URL", "postgresql://"),
        ("DATABASE_URL", "postgresql://user:password@host:port/name"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///"),
        ("RELAY_URL", "ws://127.0.0.1"),
        ("RELAY_URL", "http://"),
        ("RELAY_URL", "http://a:b"),
        ("RELAY_URL", "http://user:pw@relay"),
        ("RELAY_PUBLIC_URL", "relay"),
        ("RELAY_APP_KEY", ""),
        ("SECRET_KEY", " , "),
        ("ALLOWED_ORIGINS", "shop.example:8080"),
        ("ALLOWED_ORIGINS", "https://*.shop.example"),
        ("ALLOWED_ORIGINS", "https://shop.example/path"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TICKETS_PER_MINUTE", "many"),
        ("OPEN_TICKETS_PER_VISITOR", "-1"),
        ("OPEN_TICKETS_PER_NETWORK", "few"),
        ("LANGUAGE", "de"),
        ("RELAY_EXTENSIONS", "perhaps"),
        ("SWEEP_INTERVAL", "0"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(name: str, value: str) -> None:
    (problem,) = problems_of({f"SUPPORT_{name}": value})
    assert problem.startswith(f"SUPPORT_{name}: expected ")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://desk:s3cret@db:5432/desk", "postgresql://desk:***@db:5432/desk"),
        ("postgres://desk:a:s3cret%40x@db/desk?sslmode=require", "postgres://desk:***@db/desk?sslmode=require"),
        (
            "postgresql:///desk?host=/run/pg&password=s3cret&user=a",
            "postgresql:///desk?host=/run/pg&password=***&user=a",
        ),
        ("postgresql://desk@db/desk?sslpassword=s3cret", "postgresql://desk@db/desk?sslpassword=***"),
        ("sqlite:////var/lib/pushdesk/desk.sqlite3", "sqlite:////var/lib/pushdesk/desk.sqlite3"),
    ],
)
def test_the_password_of_a_database_is_not_shown(url: str, shown: str) -> None:
    settings = load({"SUPPORT_DATABASE_URL": url})
    assert settings.database_url == url
    assert f"database_url = '{shown}'" in describe(settings)
    assert "s3cret" not in repr(settings)


def test_a_switch_is_a_word_in_the_environment_and_a_boolean_in_the_file(tmp_path: Path) -> None:
    assert load({"SUPPORT_RELAY_EXTENSIONS": "False"}).relay_extensions is False
    file = tmp_path / "support.toml"
    file.write_text("relay_extensions = false")
    assert load({"SUPPORT_CONFIG": str(file)}).relay_extensions is False
    assert load({"SUPPORT_CONFIG": str(file), "SUPPORT_RELAY_EXTENSIONS": "true"}).relay_extensions is True


@pytest.mark.parametrize(
    "line", ["allowed_origins = 5", "relay_extensions = 1", "allowed_origins = [1]", "secret_key = []", "host = 1"]
)
def test_a_value_of_the_wrong_type_in_the_file_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "support.toml"
    file.write_text(line)
    assert len(problems_of({"SUPPORT_CONFIG": str(file)})) == 1


@pytest.mark.parametrize("content", [b"port = ", b"\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "support.toml"
    file.write_bytes(content)
    (problem,) = problems_of({"SUPPORT_CONFIG": str(file)})
    assert "is no TOML file" in problem


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    (problem,) = problems_of({"SUPPORT_CONFIG": str(tmp_path / "none.toml")})
    assert "cannot be read" in problem


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_known_secrets_are_good_enough_for_loopback(host: str) -> None:
    assert load({"SUPPORT_HOST": host}).host == host


@pytest.mark.parametrize("host", [ANYWHERE, "::", "192.0.2.1", "support.example"])
def test_known_secrets_are_refused_elsewhere(host: str) -> None:
    assert len(problems_of({"SUPPORT_HOST": host})) == 2
    rotated = {"SUPPORT_HOST": host, **OWN_SECRETS, "SUPPORT_SECRET_KEY": f"{'mine' * 8},development-secret"}
    assert len(problems_of(rotated)) == 1
    assert load({"SUPPORT_HOST": host, **OWN_SECRETS}).host == host


def test_short_secrets_are_refused_where_others_reach_the_desk() -> None:
    short = {"SUPPORT_SECRET_KEY": f"{'a' * 32},{'b' * 31}", "SUPPORT_RELAY_APP_SECRET": "c" * 15}
    assert problems_of({"SUPPORT_HOST": ANYWHERE, **short}) == [
        (
            "SUPPORT_SECRET_KEY: expected secrets of your own, each of at least 32 characters, where others reach the desk "
            "(SUPPORT_HOST: 0.0.0.0 is not a loopback address)"
        ),
        (
            "SUPPORT_RELAY_APP_SECRET: expected a secret of your own, of at least 16 characters, the same as the relay's, "
            "where others reach the desk (SUPPORT_HOST: 0.0.0.0 is not a loopback address)"
        ),
    ]
    assert load(short).keys == ["a" * 32, "b" * 31]


@pytest.mark.parametrize(
    ("name", "value", "sign"),
    [
        ("TRUSTED_PROXIES", "127.0.0.1", "a reverse proxy brings requests from outside"),
        ("RELAY_PUBLIC_URL", "https://chat.example", "https://chat.example is not this machine alone"),
        ("RELAY_PUBLIC_URL", "http://192.0.2.1:6001", "http://192.0.2.1:6001 is not this machine alone"),
        ("RELAY_URL", "http://relay:6001", "http://relay:6001 is not this machine alone"),
        ("ALLOWED_ORIGINS", "http://localhost:3000,https://shop.example", "pages of https://shop.example are let in"),
        ("ALLOWED_ORIGINS", "shop.example", "pages of shop.example are let in"),
        ("ALLOWED_ORIGINS", "*.shop.example", "pages of *.shop.example are let in"),
        ("ALLOWED_ORIGINS", "*", "pages of any site are let in"),
    ],
)
def test_known_secrets_are_refused_where_a_setting_says_that_others_reach_the_desk(
    name: str, value: str, sign: str
) -> None:
    outside = {f"SUPPORT_{name}": value}
    problems = problems_of(outside)
    assert [one.partition(":")[0] for one in problems] == ["SUPPORT_SECRET_KEY", "SUPPORT_RELAY_APP_SECRET"]
    assert all(f"(SUPPORT_{name}: {sign})" in one for one in problems)
    assert load(OWN_SECRETS | outside)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RELAY_PUBLIC_URL", "https://localhost:6443"),
        ("RELAY_URL", "http://[::1]:6001"),
        ("ALLOWED_ORIGINS", "http://localhost:3000,127.0.0.1,[::1],https://app.localhost,*.localhost,-"),
    ],
)
def test_known_secrets_will_do_where_settings_name_this_machine_alone(name: str, value: str) -> None:
    assert load({f"SUPPORT_{name}": value})


def test_secrets_are_never_printed() -> None:
    settings = load(OWN_SECRETS)
    assert "mine" not in repr(settings) + str(settings) + "".join(describe(settings)) + str(Secret("mine"))
    assert settings.relay_app_secret.reveal() == "mine too" * 2
