"""What is recorded is fair, shown as it is, and what pages say about it is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.benchmarks.training import fairness, measures, peers, tables
from analysis.benchmarks.training.record import RESULTS, Pass, read

RECORDS = sorted(path for path in RESULTS.glob("*.json") if path.stem.startswith(("cpu-", "cuda")))
PAGES = ("README.md", "fl/training/README.md", "fl/training/speed.md", "analysis/benchmarks/training/README.md")
CLAIM = re.compile(r"(\d+\.\d+) × as fast as (a plain PyTorch loop|Flower|pfl-research)")
OTHER = {"a plain PyTorch loop": "plain", "Flower": "flower", "pfl-research": "pfl"}


def untrue(page: str, passes: tuple[Pass, ...]) -> list[str]:
    """What a page says about workload 10x1 on the CPU, and is not what the passes say."""
    found = []
    for said, other in CLAIM.findall(page):
        ratio = measures.ratio(passes, OTHER[other], "ours")
        digits = len(said.partition(".")[2])
        if ratio is None or said != f"{ratio.median:.{digits}f}":
            found.append(f"{said} × as fast as {other}")
    return found


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_record__committed__is_of_equal_work(path: Path) -> None:
    for measured in read(path).measured.values():
        workload = measured.workload
        sizes = [workload.train_images // workload.parties] * workload.parties
        fairness.check([t for each in measured.passes for t in each.trials], workload, sizes, measured.judged_on)


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_page__committed__shows_the_record(path: Path) -> None:
    assert path.with_suffix(".md").read_text(encoding="utf-8") == tables.page(read(path), path.name)


@pytest.mark.parametrize("page", PAGES)
def test_claims__on_each_page__are_what_is_recorded(page: str) -> None:
    text = (peers.ROOT / page).read_text(encoding="utf-8")
    records = [read(path).measured["10x1"].passes for path in RECORDS if path.stem.startswith("cpu-")]
    assert not set.intersection(*(set(untrue(text, passes)) for passes in records))


def test_claims__not_recorded__are_found() -> None:
    assert untrue("1.50 × as fast as Flower, 2.0 × as fast as a plain PyTorch loop", ()) == [
        "1.50 × as fast as Flower",
        "2.0 × as fast as a plain PyTorch loop",
    ]
