"""`python -m web.browser`: how large a big report is and how long it takes to open; and the pictures."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from analysis.provenance import machine, write_document
from web.browser.opening import AIM_SECONDS, MODELS, MOST_BYTES, OWNERS, STATIONS, measure

RESULTS = Path(__file__).with_name("results")
USAGE = "python -m web.browser [report|pictures]"

logger = logging.getLogger(__name__)


def report() -> int:
    """Measure, keep the result, and say whether the page is small and quick enough; 1 if it is not."""
    opened = measure()
    write_document(RESULTS / "report.json", {"machine": machine(("analysis/report", "web")), "report": asdict(opened)})
    logger.info("%d owners, %d base stations, %d models: %d bytes", OWNERS, STATIONS, MODELS, opened.bytes)
    logger.info("written in %.1f s", opened.write)
    for name in opened.whole:
        logger.info("%s: first words after %.2f s, loaded after %.2f s", name, opened.seen[name], opened.whole[name])
    return int(opened.bytes > MOST_BYTES or max(opened.whole.values()) > AIM_SECONDS)


def pictures() -> int:
    """Draw the pictures of README.md."""
    from web.browser.pictures import draw

    for path in draw(RESULTS):
        logger.info("%s", path)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Do what was asked for; 2 where that is nothing known."""
    wanted = {(): report, ("report",): report, ("pictures",): pictures}.get(tuple(arguments))
    if wanted is None:
        logger.error("%s", USAGE)
        return 2
    return wanted()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main(sys.argv[1:]))
