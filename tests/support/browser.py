"""A real browser for the pages: Debian's Chromium, headless, driven by Playwright. No request is intercepted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, ViewportSize

from tests.support.pages import ROOT
from web.browser import chromium

REQUIRED = "HCFL_BROWSER"
"""Set where a missing browser is a failure: `.ci/run` sets it."""

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
SERIOUS = ("serious", "critical")


_RUNNING = pytest.StashKey[Browser]()


def the_browser(config: pytest.Config) -> Browser:
    """The browser of this run, started when it is first asked for.

    Without one the test is skipped, or fails where it must not be.

    A fixture does not do: ape sets fixtures up again without their end, and a process can have one Playwright only.
    """
    if _RUNNING not in config.stash:
        stack = ExitStack()
        try:
            config.stash[_RUNNING] = stack.enter_context(chromium.started())
        except chromium.NoBrowser as error:
            if os.environ.get(REQUIRED):
                pytest.fail(str(error))
            pytest.skip(str(error))
        config.add_cleanup(stack.close)
    return config.stash[_RUNNING]


@dataclass
class Visit:
    """A page in the browser, with all that went wrong in it.

    Attributes:
        said: errors and warnings of the console, errors of scripts, dialogs, failed requests.
        asked: addresses of its requests.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def axe(self) -> list[str]:
        """Serious faults that axe finds, one line each."""
        assert AXE.exists(), "axe-core is missing: make setup"
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        options = {"resultTypes": ["violations"], "preload": False}
        found: dict[str, Any] = self.page.evaluate("options => axe.run(options)", options)
        return [
            f"{fault['id']}: {node['html'][:200]}"
            for fault in found["violations"]
            if fault["impact"] in SERIOUS
            for node in fault["nodes"]
        ]

    @property
    def overflow(self) -> int:
        """Pixels that the page is wider than its window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return width


def _failed(request: Request) -> list[str]:
    """A stream that ends because the page is left did not fail."""
    left = request.url.endswith("/events") and request.failure == "net::ERR_ABORTED"
    return [] if left else [f"{request.failure}: {request.url}"]


@contextmanager
def visit(browser: Browser, address: str | Path, size: ViewportSize = DESKTOP, **options: Any) -> Iterator[Visit]:
    """Open a page in a window of its own."""
    context = browser.new_context(viewport=size, **options)
    page = context.new_page()
    visited = Visit(page)
    page.on("console", lambda m: visited.said.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: visited.said.append(str(error)))
    page.on("requestfailed", lambda request: visited.said.extend(_failed(request)))
    page.on("request", lambda request: visited.asked.append(request.url))

    def refuse(dialog: Any) -> None:
        visited.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    page.goto(address.as_uri() if isinstance(address, Path) else address)
    try:
        yield visited
    finally:
        context.close()
