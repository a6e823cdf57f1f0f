from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pushdesk.settings import ConfigError, Secret
from relay.apps import DEVELOPMENT_APP
from relay.config import Settings, load
from relay.protocol.limits import Limits

SECRET = "correct-horse-battery"
APP_VARIABLES = {"RELAY_APP_ID": "shop", "RELAY_APP_KEY": "shop-key", "RELAY_APP_SECRET": SECRET}


def write(folder: Path, text: str) -> dict[str, str]:
    """The environment that names a file with this text."""
    path = folder / "relay.toml"
    path.write_text(text)
    return {"RELAY_CONFIG": str(path)}


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        load(environ)
    text = str(refused.value)
    assert text == "\n".join(refused.value.problems)
    assert SECRET not in text
    assert SECRET not in repr(refused.value)
    return refused.value.problems


class TestDefaults:
    def test_without_settings_there_is_the_development_app_on_loopback(self) -> None:
        settings = load({"PATH": "/bin", "OTHER_PORT": "1"})
        assert settings == Settings()
        assert (settings.host, settings.port, settings.apps) == ("127.0.0.1", 6001, (DEVELOPMENT_APP,))
        assert (settings.activity_timeout, settings.backlog_bytes) == (30, 1_048_576)

    def test_the_limits_of_an_app_are_those_of_the_hosted_service(self) -> None:
        limits = Limits()
        assert (limits.event_name_length, limits.event_data_bytes, limits.channels_per_publish) == (200, 10_240, 100)
        assert (limits.events_per_batch, limits.presence_members, limits.client_events_per_second) == (10, 100, 10)
        assert (limits.user_id_length, limits.channel_name_length, limits.connections) == (128, 200, 0)


class TestEnvironment:
    def test_each_variable_sets_its_field(self) -> None:
        settings = load(
            APP_VARIABLES
            | {
                "RELAY_HOST": "0.0.0.0",  # noqa: S104 - what a container listens on
                "RELAY_PORT": "0",
                "RELAY_ACTIVITY_TIMEOUT": "30",
                "RELAY_BACKLOG_BYTES": "16384",
                "RELAY_LOG_LEVEL": "debug",
                "RELAY_LOG_FORMAT": "json",
            }
        )
        assert (settings.host, settings.port, settings.activity_timeout) == ("0.0.0.0", 0, 30)  # noqa: S104 - as above
        assert (settings.backlog_bytes, settings.log_level, settings.log_format) == (16_384, "debug", "json")
        assert [(app.id, app.key, app.secret) for app in settings.apps] == [("shop", "shop-key", SECRET)]

    @pytest.mark.parametrize(
        ("variable", "value", "expected"),
        [
            ("RELAY_PORT", "http", "RELAY_PORT: expected `int`"),
            ("RELAY_PORT", "", "RELAY_PORT: expected `int`"),
            ("RELAY_PORT", "-1", "RELAY_PORT: expected `int` >= 0"),
            ("RELAY_PORT", "65536", "RELAY_PORT: expected `int` <= 65535"),
            ("RELAY_PORT", "6001.5", "RELAY_PORT: expected `int`"),
            ("RELAY_ACTIVITY_TIMEOUT", "0", "RELAY_ACTIVITY_TIMEOUT: expected `int` >= 1"),
            ("RELAY_ACTIVITY_TIMEOUT", "3601", "RELAY_ACTIVITY_TIMEOUT: expected `int` <= 3600"),
            ("RELAY_BACKLOG_BYTES", "16383", "RELAY_BACKLOG_BYTES: expected `int` >= 16384"),
            ("RELAY_LOG_LEVEL", "loud", "RELAY_LOG_LEVEL: expected one of debug, info, warning, error"),
            ("RELAY_LOG_FORMAT", "xml", "RELAY_LOG_FORMAT: expected one of console, json"),
        ],
    )
    def test_a_wrong_value_is_named_with_what_was_expected(self, variable: str, value: str, expected: str) -> None:
        (problem,) = problems({variable: value})
        assert problem.startswith(expected)
        assert not value or value not in problem.removeprefix(expected)

    @pytest.mark.parametrize(
        "variable", ["RELAY_PROT", "RELAY_", "RELAY_APPS", "RELAY_APP", "RELAY_APP_SECRETS", "RELAY_ID"]
    )
    def test_an_unknown_variable_is_refused_with_those_that_are_known(self, variable: str) -> None:
        (problem,) = problems({variable: SECRET})
        assert problem.startswith(f"{variable}: unknown; known are RELAY_HOST, RELAY_PORT, ")
        assert problem.endswith("RELAY_APP_ID, RELAY_APP_KEY, RELAY_APP_SECRET, RELAY_CONFIG")

    @pytest.mark.parametrize("variable", list(APP_VARIABLES))
    def test_an_app_needs_all_of_its_variables(self, variable: str) -> None:
        environ = {name: value for name, value in APP_VARIABLES.items() if name != variable}
        (problem,) = problems(environ)
        assert problem.startswith(f"{variable}: missing; an app in the environment needs RELAY_APP_ID, ")

    @pytest.mark.parametrize("text", ["a b", "", "a/b", "x" * 101, "a\n"])
    def test_a_wrong_id_or_key_is_named(self, text: str) -> None:
        (problem,) = problems(APP_VARIABLES | {"RELAY_APP_ID": text})
        assert problem.startswith("apps[0].id: expected `str`")
        (problem,) = problems(APP_VARIABLES | {"RELAY_APP_KEY": text})
        assert problem.startswith("apps[0].key: expected `str`")

    def test_a_wrong_secret_is_named_and_never_shown(self) -> None:
        (problem,) = problems(APP_VARIABLES | {"RELAY_APP_SECRET": SECRET * 100})
        assert problem == "apps[0].secret: expected `str` of length <= 200"

    def test_all_problems_are_named_at_once(self) -> None:
        found = problems({"RELAY_PORT": "x", "RELAY_LOG_LEVEL": "y", "RELAY_Z": "z", "RELAY_APP_ID": "a"})
        assert sorted(problem.split(":")[0] for problem in found) == [
            "RELAY_APP_KEY, RELAY_APP_SECRET",
            "RELAY_LOG_LEVEL",
            "RELAY_PORT",
            "RELAY_Z",
        ]


class TestRedis:
    def test_without_a_url_the_relay_is_alone(self) -> None:
        settings = load({})
        assert (settings.redis_url, settings.redis_prefix, settings.redis_partitions) == ("", "pd", 0)
        assert settings.shown()["redis_url"] == "''"

    def test_each_variable_sets_its_field_and_the_password_is_never_shown(self) -> None:
        settings = load(
            {
                "RELAY_REDIS_URL": f"rediss://relay:{SECRET}@redis.internal:6380/2",
                "RELAY_REDIS_PREFIX": "shop:pd",
                "RELAY_REDIS_PARTITIONS": "64",
                "RELAY_REDIS_LOG": "50000",
                "RELAY_ON_GAP": "reconnect",
            }
        )
        assert (settings.redis_prefix, settings.redis_partitions, settings.redis_log) == ("shop:pd", 64, 50_000)
        assert settings.on_gap == "reconnect"
        assert settings.shown()["redis_url"] == "'rediss://relay:***@redis.internal:6380/2'"
        assert SECRET not in repr(settings)

    @pytest.mark.parametrize(
        ("variable", "value", "expected"),
        [
            ("RELAY_REDIS_URL", "redis.internal", "redis_url: expected redis://HOST:PORT, or another URL of a Redis: "),
            ("RELAY_REDIS_URL", f"redis://x:{SECRET}@:6379", "redis_url: expected redis://HOST:PORT, "),
            ("RELAY_REDIS_PREFIX", "a{b}", "RELAY_REDIS_PREFIX: expected `str`"),
            ("RELAY_REDIS_PARTITIONS", "1025", "RELAY_REDIS_PARTITIONS: expected `int` <= 1024"),
            ("RELAY_REDIS_LOG", "999", "RELAY_REDIS_LOG: expected `int` >= 1000"),
            ("RELAY_ON_GAP", "ignore", "RELAY_ON_GAP: expected one of tell, reconnect"),
        ],
    )
    def test_a_wrong_value_is_named_with_what_was_expected(self, variable: str, value: str, expected: str) -> None:
        (problem,) = problems({variable: value})
        assert problem.startswith(expected)


class TestTrustedProxies:
    def test_the_environment_has_commas_between_them(self) -> None:
        settings = load(APP_VARIABLES | {"RELAY_TRUSTED_PROXIES": " 127.0.0.1, 10.0.0.0/8,,fd00::/8 "})
        assert settings.trusted_proxies == ("127.0.0.1", "10.0.0.0/8", "fd00::/8")
        assert load({"RELAY_TRUSTED_PROXIES": ""}).trusted_proxies == ()

    def test_a_file_has_a_list(self, tmp_path: Path) -> None:
        settings = load(write(tmp_path, 'trusted_proxies = ["10.0.0.0/8"]') | APP_VARIABLES)
        assert settings.trusted_proxies == ("10.0.0.0/8",)

    @pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "127.0.0.1;10.0.0.0/8"])
    def test_what_is_no_address_or_network_is_named(self, text: str) -> None:
        (problem,) = problems(APP_VARIABLES | {"RELAY_TRUSTED_PROXIES": text})
        assert problem.startswith("trusted_proxies: expected addresses and networks such as 127.0.0.1, 10.0.0.0/8: ")

    def test_a_text_in_a_file_is_no_list(self, tmp_path: Path) -> None:
        (problem,) = problems(write(tmp_path, 'trusted_proxies = "10.0.0.0/8"'))
        assert problem.startswith("trusted_proxies: expected `array`")


class TestFile:
    def test_a_file_holds_many_apps_with_switches_and_limits(self, tmp_path: Path) -> None:
        settings = load(
            write(
                tmp_path,
                """
                port = 7000
                log_format = "json"

                [[apps]]
                id = "one"
                key = "key-1"
                secret = "secret-1"

                [[apps]]
                id = "two"
                key = "key-2"
                secret = "secret-2"
                enabled = false
                client_messages = false
                subscription_count = false
                limits = { presence_members = 5, connections = 10 }
                """,
            )
        )
        one, two = settings.apps
        assert (settings.port, settings.log_format, one.limits) == (7000, "json", Limits())
        assert (two.enabled, two.client_messages, two.subscription_count) == (False, False, False)
        assert two.limits == Limits(presence_members=5, connections=10)

    def test_the_environment_goes_before_the_file(self, tmp_path: Path) -> None:
        assert load(write(tmp_path, "port = 7000\nactivity_timeout = 60") | {"RELAY_PORT": "7001"}) == Settings(
            port=7001, activity_timeout=60
        )

    def test_the_app_of_the_environment_takes_the_place_of_the_files_app_of_that_id(self, tmp_path: Path) -> None:
        environ = write(
            tmp_path,
            """
            apps = [
                { id = "shop", key = "old-key", secret = "old" },
                { id = "other", key = "other-key", secret = "other" },
            ]
            """,
        )
        apps = load(environ | APP_VARIABLES).apps
        assert [(app.id, app.key) for app in apps] == [("other", "other-key"), ("shop", "shop-key")]

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("prot = 1", "prot: unknown; known are host, port, "),
            ("[relay]\nport = 1", "relay: unknown; known are host, port, "),
            ("host = 5", "host: expected `str`, got `int`"),
            ('port = "x"', "port: expected `int`"),
            ("port = 70000", "port: expected `int` <= 65535"),
            ("apps = 1", "apps: expected tables [[apps]]"),
            ("[apps]\nid = 'a'", "apps: expected tables [[apps]]"),
            ("apps = []", "apps: expected at least one [[apps]] table"),
            ("apps = [1]", "apps[0]: expected a table"),
            ("[[apps]]\nid = 'a'\nkey = 'b'", "apps[0].secret: missing"),
            ("[[apps]]\nid = 1\nkey = 'b'\nsecret = 'c'", "apps[0].id: expected `str`, got `int`"),
            ("[[apps]]\nid = 'a'\nkey = 'b'\nsecret = ''", "apps[0].secret: expected `str` of length >= 1"),
            ("[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 5", "apps[0].secret: expected `str`, got `int`"),
            ("[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nenabled = 'maybe'", "apps[0].enabled: "),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nhooks = []",
                "apps[0].hooks: unknown; known are id, key",
            ),
            ("[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nwebhooks = 5", "apps[0].webhooks: expected tables"),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.webhooks]]\nurl = 'ftp://x/'",
                "apps[0].webhooks[0].url: expected `str` matching regex",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.webhooks]]\nurl = 'http://x/'\nevents = ['all']",
                "apps[0].webhooks[0].events: invalid enum value",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.other_keys]]\nkey = 'd'",
                "apps[0].other_keys[0].secret: missing",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.history]]\nsize = 5",
                "apps[0].history[0].prefix: missing",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.history]]\nprefix = 'a'\nsize = 10_001",
                "apps[0].history[0].size: expected `int` <= 10000",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.history]]\nprefix = 'a'\nttl = 86_401",
                "apps[0].history[0].ttl: expected `int` <= 86400",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps.history]]\nprefix = 'a/b'",
                "apps[0].history[0].prefix: expected `str` matching regex",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nhistory = [{ prefix = 'a' }, { prefix = 'a', size = 1 }]",
                "apps[0].history: expected one for each prefix, 'a' has several",
            ),
            ("[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nlimits = 5", "apps[0].limits: expected a table"),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nallowed_origins = 'https://shop.example'",
                "apps[0].allowed_origins: expected `array`",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nlimits = { members = 5 }",
                "apps[0].limits.members: unknown; known are channel_name_length",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nlimits = { presence_members = 0 }",
                "apps[0].limits.presence_members: expected `int` >= 1",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nlimits = { connections = -1 }",
                "apps[0].limits.connections: expected `int` >= 0",
            ),
        ],
    )
    def test_a_wrong_key_is_named_in_full_with_what_was_expected(self, tmp_path: Path, text: str, problem: str) -> None:
        (found,) = problems(write(tmp_path, text))
        assert found.startswith(problem)

    @pytest.mark.parametrize(
        "origin", ["https://shop.example/shop", "htps://shop.example", "shop.example:80", "", "null"]
    )
    def test_an_origin_that_no_page_has_is_named_with_its_app(self, tmp_path: Path, origin: str) -> None:
        app = "[[apps]]\nid = '{0}'\nkey = 'key-{0}'\nsecret = 'c'\nallowed_origins = {1}\n"
        (found,) = problems(write(tmp_path, app.format("a", ["*", "-"]) + app.format("b", ["shop.example", origin])))
        assert found.startswith("apps[1].allowed_origins: expected origins such as https://shop.example, ")
        assert repr(origin) in found

    @pytest.mark.parametrize("field", list(Limits.__struct_fields__))
    def test_each_limit_is_checked(self, tmp_path: Path, field: str) -> None:
        text = f"[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\nlimits = {{ {field} = -1 }}"
        (found,) = problems(write(tmp_path, text))
        assert found.startswith(f"apps[0].limits.{field}: expected `int` >= ")

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps]]\nid = 'a'\nkey = 'd'\nsecret = 'e'",
                "apps: two apps have the id 'a'",
            ),
            (
                "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'c'\n[[apps]]\nid = 'd'\nkey = 'b'\nsecret = 'e'",
                "apps: two apps have the key 'b'",
            ),
        ],
    )
    def test_two_apps_that_share_an_id_or_a_key_are_refused(self, tmp_path: Path, text: str, problem: str) -> None:
        assert problems(write(tmp_path, text)) == [problem]

    def test_apps_that_are_no_tables_are_named_even_with_an_app_in_the_environment(self, tmp_path: Path) -> None:
        assert problems(write(tmp_path, "apps = 'x'") | APP_VARIABLES) == ["apps: expected tables [[apps]]"]
        assert problems(write(tmp_path, "apps = ['x']") | APP_VARIABLES) == ["apps[0]: expected a table"]

    def test_a_file_that_is_missing_is_named(self, tmp_path: Path) -> None:
        path = str(tmp_path / "none.toml")
        assert problems({"RELAY_CONFIG": path}) == [f"RELAY_CONFIG: {path} cannot be read: No such file or directory"]
        assert problems({"RELAY_CONFIG": str(tmp_path)}) == [f"RELAY_CONFIG: {tmp_path} cannot be read: Is a directory"]

    def test_a_file_that_is_no_toml_is_named_without_its_content(self, tmp_path: Path) -> None:
        (problem,) = problems(write(tmp_path, f"secret = {SECRET}"))
        assert "is no TOML file: " in problem

    def test_a_file_that_is_no_text_is_named(self, tmp_path: Path) -> None:
        path = tmp_path / "relay.toml"
        path.write_bytes(b"host = '\xff'")
        (problem,) = problems({"RELAY_CONFIG": str(path)})
        assert problem.startswith(f"RELAY_CONFIG: {path} is no TOML file: ")


class TestSecrets:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "localhost.example.org"])  # noqa: S104
    def test_the_development_secret_is_refused_on_an_address_that_others_reach(self, host: str) -> None:
        (problem,) = problems({"RELAY_HOST": host})
        assert problem.startswith(f"host: {host} is not a loopback address, and an app has the development secret")
        assert "RELAY_APP_SECRET" in problem

    def test_a_secret_that_can_be_guessed_is_refused_off_loopback(self) -> None:
        app = {"RELAY_APP_ID": "a", "RELAY_APP_KEY": "b", "RELAY_APP_SECRET": "short-secret"}
        (problem,) = problems(app | {"RELAY_HOST": "0.0.0.0"})  # noqa: S104 - refused, never listened on
        assert problem.startswith("apps: the secret of 'a' has fewer than 16 characters")
        assert "short-secret" not in problem
        assert load(app).apps[0].secret == "short-secret"

    @pytest.mark.parametrize(
        ("setting", "sign"),
        [
            ("host = '0.0.0.0'", "host: 0.0.0.0 is not a loopback address"),
            ("trusted_proxies = ['127.0.0.1']", "trusted_proxies: a reverse proxy brings requests from outside"),
            ("tls_certificate = 'chain.pem'", "tls_certificate: TLS is for others than this machine"),
        ],
    )
    def test_where_others_reach_the_relay_every_secret_is_looked_at(
        self, tmp_path: Path, setting: str, sign: str
    ) -> None:
        app = f"[[apps]]\nid = 'a'\nkey = 'b'\nsecret = '{SECRET}'\n[[apps.other_keys]]\nkey = 'c'\nsecret = '{{}}'\n"
        (problem,) = problems(write(tmp_path, setting + "\n" + app.format("x")))
        assert problem.startswith("apps: the secret of 'c', in the other_keys of 'a', has fewer than 16 characters")
        assert sign in problem
        (problem,) = problems(write(tmp_path, setting + "\n" + app.format("app-secret")))
        assert problem.startswith(f"{sign}, and an app has the development secret")
        assert load(write(tmp_path, setting + "\n" + app.format("y" * 16)))
        assert load(write(tmp_path, app.format("x")))

    def test_pages_of_other_machines_are_a_sign_that_others_reach_the_relay(self, tmp_path: Path) -> None:
        app = "[[apps]]\nid = 'a'\nkey = 'b'\nsecret = 'short'\nallowed_origins = {}\n"
        (problem,) = problems(write(tmp_path, app.format(["http://localhost:3000", "https://shop.example"])))
        assert "(apps[0].allowed_origins: pages of https://shop.example are let in)" in problem
        assert "short" not in problem
        assert load(write(tmp_path, app.format(["http://localhost:3000", "127.0.0.1", "-", "*"])))

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
    def test_the_development_secret_will_do_on_loopback(self, host: str) -> None:
        assert load({"RELAY_HOST": host}).host == host

    def test_the_development_secret_is_refused_whatever_the_app_is_called(self) -> None:
        (problem,) = problems(
            {"RELAY_HOST": "::", "RELAY_APP_ID": "x", "RELAY_APP_KEY": "y", "RELAY_APP_SECRET": "app-secret"}
        )
        assert problem.startswith("host: :: is not a loopback address")

    def test_a_secret_of_ones_own_opens_every_address(self) -> None:
        assert load(APP_VARIABLES | {"RELAY_HOST": "::"}).host == "::"

    def test_settings_never_show_a_secret(self) -> None:
        settings = load(APP_VARIABLES)
        assert SECRET not in f"{settings} {settings!r} {settings.apps!r}"
        assert "secret='***'" in repr(settings)


class TestConsole:
    def test_it_is_off_by_default_and_needs_no_password_on_loopback(self) -> None:
        settings = load({})
        assert (settings.console_host, settings.console_port, settings.console_password) == ("127.0.0.1", 0, Secret(""))
        assert load({"RELAY_CONSOLE_PORT": "6002"}).console_port == 6002
        assert load({"RELAY_CONSOLE_PORT": "6002", "RELAY_CONSOLE_HOST": "::1"}).console_host == "::1"

    def test_a_password_that_can_be_guessed_through_a_proxy_is_refused(self) -> None:
        behind = APP_VARIABLES | {"RELAY_CONSOLE_PORT": "6002", "RELAY_TRUSTED_PROXIES": "127.0.0.1"}
        (problem,) = problems(behind | {"RELAY_CONSOLE_PASSWORD": "x" * 15})
        assert problem.startswith("console_password: expected at least 16 characters")
        assert load(behind | {"RELAY_CONSOLE_PASSWORD": "x" * 16})
        assert load(behind)

    @pytest.mark.parametrize("password", ["", "short", "x" * 15])
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "console.example"])  # noqa: S104 - refused
    def test_off_loopback_it_needs_a_password_that_cannot_be_guessed(self, host: str, password: str) -> None:
        environ = {"RELAY_CONSOLE_HOST": host, "RELAY_CONSOLE_PASSWORD": password}
        (problem,) = problems(environ | {"RELAY_CONSOLE_PORT": "6002"})
        assert problem.startswith(f"console_host: {host} is not a loopback address")
        assert "RELAY_CONSOLE_PASSWORD" in problem
        assert "at least 16 characters" in problem
        assert not password or password not in problem
        assert load(environ).console_port == 0  # what is off does no harm
        assert load(environ | {"RELAY_CONSOLE_PORT": "6002", "RELAY_CONSOLE_PASSWORD": SECRET}).console_host == host

    @pytest.mark.parametrize(
        ("variable", "value", "expected"),
        [
            ("RELAY_CONSOLE_PORT", "x", "RELAY_CONSOLE_PORT: expected `int`, got `str`"),
            ("RELAY_CONSOLE_PORT", "65536", "RELAY_CONSOLE_PORT: expected `int` <= 65535"),
            ("RELAY_CONSOLE_PASSWORD", SECRET * 20, "RELAY_CONSOLE_PASSWORD: expected `str` of length <= 200"),
        ],
    )
    def test_wrong_values_are_named(self, variable: str, value: str, expected: str) -> None:
        assert problems({variable: value}) == [expected]

    def test_the_password_is_never_shown(self) -> None:
        settings = load({"RELAY_CONSOLE_PASSWORD": SECRET})
        assert settings.console_password == Secret(SECRET)
        assert SECRET not in f"{settings} {settings!r} {settings.shown()}"
        assert settings.shown()["console_password"] == "***"
        assert "console_password=***" in repr(settings)
        assert Settings().shown()["console_password"] == "''"


@given(
    st.dictionaries(
        st.sampled_from(["RELAY_HOST", "RELAY_PORT", "RELAY_LOG_LEVEL", "RELAY_X", *APP_VARIABLES]),
        st.text(max_size=20),
    )
)
def test_whatever_the_environment_holds_it_is_settings_or_a_named_problem(environ: dict[str, str]) -> None:
    try:
        settings = load(environ)
    except ConfigError as refused:
        named = refused.problems
    else:
        named = [repr(settings)]
    assert all(named)


def test_the_documented_relay_of_a_desk_is_valid_and_lets_no_client_flood_another() -> None:
    file = Path(__file__).parents[2] / "docs" / "deploy" / "relay.toml"
    settings = load({"RELAY_CONFIG": str(file)})
    assert [app.client_messages for app in settings.apps] == [False]
