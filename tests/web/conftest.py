"""A browser for the tests of the pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser; each test has windows of its own."""
    with started() as running:
        yield running
