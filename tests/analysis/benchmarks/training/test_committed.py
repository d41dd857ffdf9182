"""What is recorded is fair, shown as it is, and what pages say about it is true."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median
from typing import Any

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


def test_page__of_cpus__tells_what_the_records_hold() -> None:
    page = " ".join((peers.ROOT / "fl/training/speed.md").read_text(encoding="utf-8").split())
    wide, held, narrow = (read(RESULTS / f"cpu-{name}.json").measured for name in ("avx512", "avx2-held", "avx2"))

    def ratio(measured: Any, upper: str, lower: str, workload: str = "10x1") -> str:
        found = measures.ratio(measured[workload].passes, upper, lower)
        assert found is not None
        return f"{found.median:.2f}"

    by = {name: ratio(wide, name, "ours") for name in ("plain", "flower")}
    passes = {4: "four", 3: "three"}
    for said in (
        f"Whole rounds are {by['plain']} × as fast as a plain PyTorch loop on the Zen 4",
        f"median of {passes[len(wide['10x1'].passes)]} passes), {by['flower']} × as fast as Flower's defaults",
        f"and in bfloat16 {ratio(wide, 'plain', 'ours-bf16')} ×",
        f"by `ONEDNN_MAX_CPU_ISA` {ratio(held, 'plain', 'ours')} and {ratio(held, 'flower', 'ours')} ×",
        f"cpu-avx2-held.md), median of {passes[len(held['10x1'].passes)]})",
        f"On the Zen 3 they were {ratio(narrow, 'plain', 'ours')} × as fast as a plain loop",
        f"a round takes {ratio(wide, 'ours-busy', 'ours')} times as long with one core taken",
        f"of one client take {ratio(wide, 'ours-1000x1', 'ours', '10x100')} times as long as ten of a hundred",
    ):
        assert said in page, said


# ── on a GPU ──

H100 = RESULTS / "h100"


def read_h100(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((H100 / f"{name}.json").read_text(encoding="utf-8"))
    return found


def taken(trial: Any) -> float:
    """Seconds of a global round after the first."""
    ended = trial["ended"]
    return float((ended[-1] - ended[0]) / (len(ended) - 1))


def row(page: str, start: str, after: str) -> list[str]:
    """The cells of a table's row, beside its first, in the part of the page that begins so."""
    line = next(line for line in page.partition(after)[2].splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("| ").split("|")[1:]]


def test_page__of_a_gpu__tells_what_its_files_hold() -> None:
    page = (peers.ROOT / "fl/training/speed.md").read_text(encoding="utf-8")
    steps = {
        "plain": "plain: as usually written",
        "the engine's, one": "the engine's",
        "recorded, float32": "CUDA graphs",
        "recorded, TF32": "CUDA graphs, tf32",
        "recorded, bfloat16": "CUDA graphs, bf16",
        "and each client": "one graph, one stream per client, bf16",
    }
    files = [read_h100(name)["seconds"] for name in ("step-cnn", "step-resnet50")]
    for start, variant in steps.items():
        expected = [f"{median(file[variant]) * 1e3:.2f}" if variant in file else "-" for file in files]
        assert row(page, start, "Milliseconds of a client") == expected
    assert f"{median(files[0]['stacked clients, CUDA graph']) * 1e3:.2f} ms a step" in page
    streams = [median(files[0][f"one graph, one stream per client{how}"]) * 1e3 for how in ("", ", bf16")]
    words = " ".join(page.split())
    ways = ("plain", "recorded, TF32", "recorded, bfloat16", "and each client")
    plain, tf32, *bf16 = (median(files[1][steps[way]]) for way in ways)
    assert f"{plain / tf32:.1f} times as fast" in words
    assert "and {:.1f} to {:.1f} times in bfloat16".format(*(plain / each for each in bf16)) in words
    assert "less than the {:.2f} of streams in float32 and more than their {:.2f} in bfloat16".format(*streams) in words
    runs = {(run["workload"], run["precision"], run["streams"]): run for run in read_h100("streams")["runs"]}
    for start, workload, precision in (
        ("× 10 clients", "10x10", "tf32"),
        ("the same, bfloat16", "10x10", "bfloat16"),
        ("× 1 client", "resnet50", "tf32"),
    ):
        found = [runs.get((workload, precision, streams)) for streams in (0, 10)]
        expected = [f"{run['rounds'][-1]:.2f}" if run else "-" for run in found]
        assert row(page, start, "Seconds of a global round") == expected
    saved = [
        1 - runs[workload, precision, 10]["rounds"][-1] / run["rounds"][-1]
        for (workload, precision, streams), run in runs.items()
        if streams == 0
    ]
    assert (
        f"base stations beside each other save {100 * min(saved):.0f} to {100 * max(saved):.0f} % of a round" in words
    )
    for workload in ("10x10", "resnet50"):  # base stations beside each other train the same
        assert len({run["parameters"] for key, run in runs.items() if key[:2] == (workload, "bfloat16")}) == 1
    trials = {trial["contender"]: trial for trial in read_h100("compare")["trials"]}
    trials |= {trial["contender"]: trial for trial in read_h100("compare-streams")["trials"]}
    for contender, said in {
        "pfl": "pfl-research takes {:.2f} s",
        "plain": "the plain loop {:.2f} and",
        "plain-processes": "four processes of it {:.2f}",
        "ours-bf16": "compare-streams.json), {:.2f} in bfloat16",
    }.items():
        assert said.format(taken(trials[contender])) in words, contender
    pfl, tf32 = taken(trials["pfl"]), runs["10x10", "tf32", 10]["rounds"][-1]
    assert f"That is {pfl / taken(trials['ours-bf16']):.0f} times as fast as pfl-research in bfloat16" in words
    assert f"in TF32, by the table above, {pfl / tf32:.0f} times" in words
    curve = read_h100("paper-run")["rounds"]
    assert f"[{curve[-1]['seconds']:.0f} s](" in words
    assert f"to an accuracy of {curve[-1]['accuracy']:.2f}: {curve[0]['seconds']:.0f} s until the first" in words
    later = (curve[-1]["seconds"] - curve[0]["seconds"]) / (len(curve) - 1)
    assert f"and {later:.1f} s for each of the others" in words
