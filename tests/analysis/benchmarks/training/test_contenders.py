"""Contenders do what they say: the same arithmetic as the engine, in processes of their own, watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from analysis.benchmarks.training import compare as compare_module
from analysis.benchmarks.training import inputs, peers, processes
from analysis.benchmarks.training.__main__ import main
from analysis.benchmarks.training.compare import compare, in_turn
from analysis.benchmarks.training.contenders.job import Job
from analysis.benchmarks.training.lineup import BOUND, CONTENDERS, IDLE, TF32, Contender, unable, usual
from analysis.benchmarks.training.record import Measured, Pass
from analysis.benchmarks.training.trial import TrialError
from analysis.benchmarks.training.workload import WORKLOADS
from fl.training.model.artefact import load_state
from fl.training.model.parameters import State
from tests.support.drift import assert_trained_alike, in_float64

DIGITS = WORKLOADS["digits"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "inputs"
    inputs.prepare(DIGITS, None, path)
    return path


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def play(module: str, data: Path, folder: Path) -> tuple[list[dict[str, object]], State]:
    job = Job(module, data, 2, "cpu", folder / f"{module}.told", folder / f"{module}.state", {})
    import_module(f"analysis.benchmarks.training.contenders.{module}").run(job)
    lines = [json.loads(line) for line in job.told.read_text().splitlines()]
    return lines, load_state(job.state.read_bytes())


@in_float64()
def test_plain_loop__same_stage__trains_what_the_engine_trains(data: Path, tmp_path: Path) -> None:
    ours, state = play("ours", data, tmp_path)
    plain, other = play("plain", data, tmp_path)
    assert [line["what"] for line in ours] == ["begins", "round", "round", "ends"]
    for mine, theirs in zip(ours, plain, strict=True):
        different = {name for name in mine if mine[name] != theirs[name]}
        assert different <= {"at", "threads", "accuracy"}, "same model, same images, same steps"
    steps = DIGITS.steps([100] * 4)
    assert [line["steps"] for line in ours if line["what"] == "round"] == [steps, steps]
    assert_trained_alike(state, other, start=inputs.read(data).initial)


def test_floor__same_stage__makes_as_many_steps(data: Path, tmp_path: Path) -> None:
    floor, _ = play("floor", data, tmp_path)
    assert [line["steps"] for line in floor if line["what"] == "round"] == [DIGITS.steps([100] * 4)] * 2


def test_inputs__other_seed__other_images(data: Path, tmp_path: Path) -> None:
    inputs.prepare(replace(DIGITS, seed=1), None, tmp_path / "inputs")
    mine, other = inputs.read(data), inputs.read(tmp_path / "inputs")
    digests = [inputs.split_digest([inputs.images_digest(c) for c in each.clients]) for each in (mine, other)]
    assert digests[0] != digests[1]


# ── processes ──


def test_watch__grandchild_holds_memory__is_counted() -> None:
    inner = "held = bytearray(300_000_000); import time; time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        with processes.Watch(process.pid) as watch:
            deadline = time.monotonic() + 20
            while watch.peak < 300_000_000 and time.monotonic() < deadline:
                time.sleep(0.05)
        assert len(processes.tree(process.pid)) == 2
    finally:
        processes.end(process)
    assert 300_000_000 < watch.peak < 400_000_000
    assert processes.tree(process.pid) == set()


def test_one_core_busy__meanwhile__a_process_runs() -> None:
    def children() -> int:
        return len(processes.tree(os.getpid()))

    before = children()
    with processes.one_core_busy(False):
        assert children() == before
    with processes.one_core_busy(True):
        assert children() == before + 1
    assert children() == before


# ── whole comparisons ──


def compared(contenders: tuple[str, ...], *, installed: bool = False) -> Measured:
    return compare(
        DIGITS,
        contenders,
        "cpu",
        data_dir=None,
        passes=1,
        rounds=2,
        say=lambda trial: None,
        provenance=lambda trials: Pass("a test", "", False, tuple(trials)),
        installed=installed,
    )


def test_in_turn__two_passes__first_forwards_then_backwards() -> None:
    assert [in_turn("abc", number) for number in (0, 1, 2)] == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


@pytest.mark.slow
def test_compare__fresh_processes__with_times_memory_and_accuracy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # two threads on busy cores take ten times as long
    ours, floor = compared(("ours", "floor")).passes[0].trials
    for trial in (ours, floor):
        assert 0 < trial.ended[0] < trial.ended[1]
        assert trial.peak > 50_000_000
        assert trial.threads == 1
    assert floor.accuracy is None
    assert ours.accuracy is not None
    assert ours.accuracy > 0.5


def test_compare__installed_library_that_fails__is_said_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(contender: Contender, *_: object) -> None:
        raise TrialError(f"{contender.title} did not finish: no such thing")

    monkeypatch.setattr(compare_module, "run", fails)
    assert compared(("flower", "pfl"), installed=True).passes[0].trials == ()
    assert capsys.readouterr().err.count("Not measured:") == 2
    for contenders, installed in ((("flower",), False), (("ours",), True)):
        with pytest.raises(TrialError, match="no such thing"):
            compared(contenders, installed=installed)


@pytest.mark.parametrize("workload", ["10x10", "10x1", "resnet50"])
def test_usual__on_a_cpu__names_nobody_who_takes_a_gpu(workload: str) -> None:
    assert TF32 in usual(workload, "cuda")
    assert usual(workload, "cpu") == tuple(name for name in usual(workload, "cuda") if name != TF32)


@pytest.mark.heavy
def test_compare__everybody__does_the_same_work() -> None:
    peers.set_up()
    able = tuple(name for name in (*IDLE, BOUND) if unable(CONTENDERS[name], "cpu") is None)
    trials = compared(able).passes[0].trials
    assert [trial.contender for trial in trials] == list(able)
    assert all(trial.accuracy for trial in trials if trial.contender != "floor")


def test_command__folder_without_cifar10__says_what_it_holds(tmp_path: Path) -> None:
    options = ["compare", "--workload", "10x1", "--contender", "ours", "--data-dir", str(tmp_path)]
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 1
    assert "train/<label>/*.jpg" in done.output
    assert "Traceback" not in done.output
