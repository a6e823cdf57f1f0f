"""How many files a process may have open."""

import resource

import pytest

from pushdesk.files import raise_file_limit


def test_every_file_that_the_system_allows_may_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 500_000))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limit: limits.append((what, limit)))
    assert raise_file_limit() == 500_000
    assert limits == [(resource.RLIMIT_NOFILE, (500_000, 500_000))]
