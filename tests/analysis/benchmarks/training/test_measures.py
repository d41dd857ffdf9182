"""Figures of passes, the check for equal work, records and targets, on made-up trials."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from analysis.benchmarks.training import fairness, measures, tables
from analysis.benchmarks.training.fairness import UnfairError, noise
from analysis.benchmarks.training.measures import Spread
from analysis.benchmarks.training.record import (
    Measured,
    Pass,
    Record,
    RecordError,
    added,
    here,
    path_of,
    read,
    write,
)
from analysis.benchmarks.training.targets import TARGETS, figures
from analysis.benchmarks.training.trial import Trial
from analysis.benchmarks.training.workload import WORKLOADS

WORKLOAD = WORKLOADS["10x1"]
SIZES = [1_000] * 10
STEPS = 400


def trial(contender: str, seconds: float = 10.0, start: float = 5.0, **changed: object) -> Trial:
    ended = tuple(start + seconds * number for number in (1, 2, 3))
    made = Trial(contender, ended, 10**9, (STEPS,) * 3, "model", "images", 2, 0.5)
    return replace(made, **changed)  # type: ignore[arg-type]


def one_pass(*trials: Trial) -> Pass:
    return Pass("the command", "0" * 40, False, trials)


def measured(*passes: Pass) -> Measured:
    return Measured(WORKLOAD, 10_000, passes)


# ── figures ──


def test_trial__three_rounds__the_first_counts_with_the_start() -> None:
    made = trial("ours", seconds=8, start=5)
    assert made.rounds == [8, 8]
    assert made.start == 5
    assert replace(made, ended=(20, 28, 38)).start == 20 - 9


def test_ratio__machine_slows_between_passes__is_of_the_same_pass() -> None:
    passes = (one_pass(trial("ours", 5), trial("plain", 10)), one_pass(trial("plain", 40), trial("ours", 20)))
    assert measures.ratio(passes, "plain", "ours") == Spread(2, 2, 2)


def test_ratio__contender_in_another_pass_only__is_none() -> None:
    passes = (one_pass(trial("ours")), one_pass(trial("plain")))
    assert measures.ratio(passes, "plain", "ours") is None
    assert measures.ratio((), "plain", "ours") is None


def test_figures__several_trials__median_and_spread() -> None:
    passes = tuple(one_pass(trial("ours", seconds, 7, peak=peak)) for seconds, peak in ((9, 5), (1, 30), (2, 20)))
    assert measures.seconds(passes, "ours") == Spread(2, 1, 9)
    assert measures.whole(passes, "ours") == Spread(13, 10, 34)
    assert measures.start(passes, "ours") == Spread(7, 7, 7)
    assert measures.peak(passes, "ours") == 30


def test_peak__not_measured__is_none() -> None:
    assert measures.peak((one_pass(trial("ours", peak=0)),), "ours") is None


# ── equal work ──


def test_check__equal_work__passes() -> None:
    floor = trial("floor", accuracy=None, split="none")
    fairness.check([trial("ours"), floor, trial("plain", accuracy=0.51)], WORKLOAD, SIZES, 10_000)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": (STEPS, STEPS, STEPS - 1)}, "plain made .* steps"),
        ({"initial": "another"}, "same initial"),
        ({"split": "another"}, "same split"),
        ({"accuracy": 0.53}, r"accuracy of 0\.5300, ours 0\.5000"),
        ({"accuracy": 0.47}, "apart"),
    ],
)
def test_check__other_work__refused(changed: dict[str, object], message: str) -> None:
    with pytest.raises(UnfairError, match=message):
        fairness.check([trial("ours"), trial("plain", **changed)], WORKLOAD, SIZES, 10_000)


def test_check__floor_of_other_steps__refused() -> None:
    with pytest.raises(UnfairError, match="floor made"):
        fairness.check([trial("floor", accuracy=None, steps=(1, 1, 1))], WORKLOAD, SIZES, 10_000)


def test_noise__four_times_the_images__is_half() -> None:
    assert noise(0.5, 10_000) == pytest.approx(2 * noise(0.5, 40_000))
    assert noise(0.5, 10_000) == pytest.approx(3 * (2 * 0.25 / 10_000) ** 0.5)


def test_steps__sizes_not_divisible_by_the_batch__the_last_batch_counts() -> None:
    assert WORKLOAD.steps(SIZES) == STEPS
    assert WORKLOAD.steps([1, 50, 51]) == WORKLOAD.local_epochs * (1 + 1 + 2)


# ── records ──


def record(*passes: Pass) -> Record:
    machine = {"processor": "one", "cores": 2, "system": "any", "instructions": "AVX2"}
    return Record("cpu", machine, {"torch": "2"}, {"10x1": measured(*passes)})


def test_record__written_and_read__is_the_same(tmp_path: Path) -> None:
    made = record(one_pass(trial("ours"), trial("floor", accuracy=None)))
    write(made, tmp_path / "cpu.json")
    assert read(tmp_path / "cpu.json") == made


def test_record__added_to_one_of_this_machine__keeps_the_passes_of_both(tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    first, second = one_pass(trial("ours")), one_pass(trial("plain"))
    assert added(record(first), path) == record(first)
    write(record(first), path)
    assert added(record(second), path) == record(first, second)


@pytest.mark.parametrize("changed", [{"machine": {"processor": "two"}}, {"versions": {"torch": "3"}}])
def test_record__added_to_one_of_elsewhere__refused(tmp_path: Path, changed: dict[str, object]) -> None:
    path = tmp_path / "cpu.json"
    write(record(one_pass(trial("ours"))), path)
    with pytest.raises(RecordError, match="another machine or with other versions"):
        added(replace(record(), **changed), path)  # type: ignore[arg-type]


def test_record__added_to_another_workload__refused(tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    write(record(one_pass(trial("ours"))), path)
    other = replace(record(), measured={"10x1": Measured(replace(WORKLOAD, batch_size=10), 10_000, ())})
    with pytest.raises(RecordError, match="another workload 10x1"):
        added(other, path)


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_record__missing_or_broken__says_what_to_do(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "cpu.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(RecordError, match="--write"):
        read(path)


# ── targets ──


def verdicts(*trials: Trial) -> dict[str, str]:
    return {text: verdict for _, text, _, verdict in tables.goals({"10x1": measured(one_pass(*trials))}, "cpu")}


@pytest.mark.parametrize(
    ("held", "stem"),
    [(None, None), ("avx2", "cpu-avx2-held"), ("AVX512_CORE", "cpu-avx512-held"), ("SSE41", "cpu-sse41-held")],
)
def test_path__cpu_of_other_instructions__is_another_record(
    held: str | None, stem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if held is not None:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", held)
    found, _, _ = here("cpu")
    assert ("held to" in found["instructions"]) == (held is not None)
    path = path_of(replace(record(), machine=found))
    assert path.stem == (stem or f"cpu-{torch.backends.cpu.get_cpu_capability().lower()}")


def test_targets__reached_and_missed__are_told_apart() -> None:
    fast = verdicts(trial("ours", 6), trial("plain", 10), trial("flower", 10, 40), trial("ours-busy", 9))
    slow = verdicts(
        trial("ours", 8, peak=2 * 10**9), trial("plain", 10), trial("flower", 10, 10), trial("ours-busy", 13)
    )
    here = [target for target in TARGETS if (target.device, target.workload) == ("cpu", "10x1")]
    on_cpu = [target.text for target in here if "bf16" not in target.text]
    assert {fast[text] for text in on_cpu} == {"reached"}
    assert {slow[text] for text in on_cpu} == {"missed"}


@pytest.mark.parametrize(("seconds", "ratio"), [(8, 1.25), (10, 1.5625)])
def test_targets__a_thousand_base_stations__are_beside_ten_of_a_hundred_clients(seconds: float, ratio: float) -> None:
    passes = one_pass(trial("ours", 6.4), trial("ours-1000x1", seconds))
    (found,) = ((target, figure) for target, figure in figures({"10x100": measured(passes)}, "cpu") if figure)
    assert found[1] == pytest.approx(ratio)
    assert found[0].reached(ratio) == (ratio <= 1.5)


def test_targets__contender_missing_or_other_device__still_to_be_measured() -> None:
    found = verdicts(trial("ours"))
    assert found["bf16 at least 2.4 × as fast as the plain loop"] == "still to be measured"
    assert {target.device for target, _ in figures({"10x1": measured()}, "cuda")} == {"cuda"}


def test_page__any_record__has_every_contender_and_target() -> None:
    text = tables.page(record(one_pass(trial("ours", 6), trial("plain", 10))), "cpu.json")
    assert "| fl.training | 6.00 (6.00 to 6.00) | × 1.67 (1.67 to 1.67) | 5.0 | 23.0 | 1.00 | 0.5000 |" in text
    assert all((target.text in text) == (target.device == "cpu") for target in TARGETS)
