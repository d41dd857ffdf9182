"""The system's Chromium, driven by Playwright: for the tests, the benchmark and the pictures of the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from fl.faults import Fault

INSTALL = "sudo apt-get install chromium"


class NoBrowser(Fault):
    """There is no Chromium on this machine."""


@contextmanager
def started() -> Iterator[Browser]:
    """A headless browser, for as long as it is needed.

    Raises:
        NoBrowser: there is none, with the command that installs it.
    """
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise NoBrowser(f"there is no Chromium: {INSTALL}")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not start as root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()
