"""A browser for the tests of the pages."""

import pytest
from playwright.sync_api import Browser

from tests.support.browser import the_browser


@pytest.fixture
def browser(pytestconfig: pytest.Config) -> Browser:
    """One browser; each test has windows of its own."""
    return the_browser(pytestconfig)
