from pathlib import Path

import pytest

from pushdesk.settings import ConfigError, Secret, Sources, read_sources


class TestSecret:
    def test_it_is_never_shown_whatever_it_stands_in(self) -> None:
        secret = Secret("s3cret")
        assert f"{secret} {secret!r} {[secret]} {(secret,)} {{'a': {secret}}}".count("s3cret") == 0
        assert secret.reveal() == "s3cret"

    def test_it_is_seen_that_one_is_empty(self) -> None:
        assert (repr(Secret("")), repr(Secret("x"))) == ("''", "***")

    def test_two_of_the_same_text_are_equal(self) -> None:
        assert {Secret("a"), Secret("a"), Secret("b")} == {Secret("a"), Secret("b")}
        assert Secret("a") != "a"


class TestSources:
    def test_the_file_and_the_variables_of_the_prefix_are_found(self, tmp_path: Path) -> None:
        file = tmp_path / "x.toml"
        file.write_text("port = 1\n[[apps]]\nid = 'a'\n")
        environ = {"X_CONFIG": str(file), "X_PORT": "2", "XPORT": "3", "PATH": "/bin", "X_A": "4"}
        sources = read_sources("X_", environ)
        assert sources == Sources({"port": 1, "apps": [{"id": "a"}]}, {"X_A": "4", "X_PORT": "2"}, [])
        assert list(sources.variables) == ["X_A", "X_PORT"]

    @pytest.mark.parametrize("environ", [{}, {"X_CONFIG": ""}])
    def test_without_a_file_there_is_none(self, environ: dict[str, str]) -> None:
        assert read_sources("X_", environ) == Sources({}, {}, [])

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            (None, "cannot be read: No such file or directory"),
            (b"port = ", "is no TOML file: Invalid value"),
            (b"a = '\xff'", "is no TOML file: 'utf-8' codec"),
        ],
    )
    def test_a_file_that_is_no_good_is_named(self, tmp_path: Path, content: bytes | None, problem: str) -> None:
        file = tmp_path / "x.toml"
        if content is not None:
            file.write_bytes(content)
        sources = read_sources("X_", {"X_CONFIG": str(file), "X_PORT": "2"})
        assert (sources.file, sources.variables) == ({}, {"X_PORT": "2"})
        (found,) = sources.problems
        assert found.startswith(f"X_CONFIG: {file} {problem}")


def test_an_error_says_all_that_is_wrong_in_lines() -> None:
    assert str(ConfigError(["a: missing", "b: unknown"])) == "a: missing\nb: unknown"
