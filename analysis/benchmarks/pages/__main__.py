"""`python -m analysis.benchmarks.pages`: how large a big report is, and how long it takes to open."""

from __future__ import annotations

import logging
import sys
from dataclasses import asdict
from pathlib import Path

from analysis.benchmarks.pages.report import AIM_SECONDS, MODELS, MOST_BYTES, OWNERS, STATIONS, measure
from analysis.provenance import machine, write_document

RESULT = Path(__file__).with_name("results") / "report.json"

logger = logging.getLogger(__name__)


def main() -> int:
    """Measure, keep the result, and say whether the page is small and quick enough; 1 if it is not."""
    opened = measure()
    write_document(RESULT, {"machine": machine(("analysis/report", "web")), "report": asdict(opened)})
    logger.info("%d owners, %d base stations, %d models: %d bytes", OWNERS, STATIONS, MODELS, opened.bytes)
    logger.info("written in %.1f s", opened.write)
    for name in opened.whole:
        logger.info("%s: first words after %.2f s, loaded after %.2f s", name, opened.seen[name], opened.whole[name])
    return int(opened.bytes > MOST_BYTES or max(opened.whole.values()) > AIM_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main())
