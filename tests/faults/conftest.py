"""Fixtures of the tests of crashes: as in the tests of the whole product, a product of the test's own."""

from tests.e2e.conftest import accounts, browser, people, product

__all__ = ["accounts", "browser", "people", "product"]
