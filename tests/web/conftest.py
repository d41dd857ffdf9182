"""A browser for the tests of the pages, and a scene to take part in."""

import pytest
from playwright.sync_api import Browser

from analysis.devnode.market import Market as Devnode
from tests.support.browser import the_browser
from tests.support.take_part import Scene, scene_of


@pytest.fixture
def browser(pytestconfig: pytest.Config) -> Browser:
    """One browser; each test has windows of its own."""
    return the_browser(pytestconfig)


@pytest.fixture
def scene(market: Devnode) -> Scene:
    """A round that nobody has joined."""
    return scene_of(market)
