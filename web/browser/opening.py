"""A report of 500 members and 32 models: its size, how long it takes to write, and to open in a real browser."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from playwright.sync_api import Browser

from analysis.report.page import write
from analysis.report.sample import document_of_facts, random_round
from analysis.report.source import from_document
from web.browser.chromium import started

OWNERS, STATIONS, MODELS = 250, 250, 32
MOST_BYTES = 3_000_000
AIM_SECONDS = 2.0
SIZES = {"desktop": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}


@dataclass(frozen=True)
class Opened:
    """Medians over the repetitions, seconds.

    Attributes:
        bytes: of the file.
        write: until the file is written.
        seen: by window, until the first words are painted.
        whole: by window, until the page is loaded.
    """

    bytes: int
    write: float
    seen: dict[str, float]
    whole: dict[str, float]


def measure(repetitions: int = 5) -> Opened:
    """Write the page, and open it so many times in each window.

    Raises:
        NoBrowser: there is no Chromium.
    """
    source = from_document(document_of_facts(random_round(OWNERS, STATIONS, MODELS)), Path("round.json"))
    with tempfile.TemporaryDirectory() as folder, started() as browser:
        page = Path(folder) / "report.html"
        begun = perf_counter()
        write(source, page)
        took = perf_counter() - begun
        times = {name: [_open(browser, page, size) for _ in range(repetitions + 1)][1:] for name, size in SIZES.items()}
        return Opened(
            bytes=page.stat().st_size,
            write=took,
            seen={name: median(seen for seen, _ in each) for name, each in times.items()},
            whole={name: median(whole for _, whole in each) for name, each in times.items()},
        )


def _open(browser: Browser, path: Path, size: dict[str, int]) -> tuple[float, float]:
    """Seconds until something is seen, and until the page is loaded; in a window of its own."""
    context = browser.new_context(viewport={"width": size["width"], "height": size["height"]})
    try:
        page = context.new_page()
        begun = perf_counter()
        page.goto(path.as_uri(), wait_until="load")
        whole = perf_counter() - begun
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        seen = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return float(seen) / 1000, whole
    finally:
        context.close()
