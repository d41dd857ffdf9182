"""Runs that are killed and started again end as if undisturbed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fl.training.command.main import main
from fl.training.command.options import parse
from fl.training.command.run import run
from fl.training.federation import Federation, build_federation
from tests.fl.training.few_images import FEW_IMAGES
from tests.fl.training.support import lines, train_in, undisturbed

CreateFederation = Callable[..., Federation]


@pytest.fixture
def federation(create_federation: CreateFederation) -> Federation:
    """Of one client: what the disk holds of a round does not hang on how many train."""
    return create_federation(train_images=20, stations=1, clients=1, rounds=3, strategy="FedAvgM(momentum=0.5)")


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the process end at its n-th step on the disk from now on, halfway through where it writes."""
    real_fsync, real_replace, real_unlink = os.fsync, Path.replace, Path.unlink
    left = [0]

    def step() -> None:
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    def fsync(handle: int) -> None:
        step()
        real_fsync(handle)

    def rename(path: Path, target: Path) -> Path:
        step()
        result = real_replace(path, target)
        step()
        return result

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if left[0] > 0:  # afterwards, when artefacts clean up after an exception: a killed process does not
            step()
            real_unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    monkeypatch.setattr(Path, "unlink", unlink)

    def arm(step_number: int) -> None:
        left[0] = step_number

    return arm


def test_run__killed_at_any_step_on_the_disk__ends_with_the_same_digests(
    federation: Federation, tmp_path: Path, kill_at: Callable[[int], None]
) -> None:
    short = replace(federation, config=replace(federation.config, rounds=2, contribution="none"))
    kill_at(10**9)
    expected = undisturbed(train_in(tmp_path / "undisturbed", short))
    killed = 0
    for step in range(1, 100):
        folder = tmp_path / str(step)
        kill_at(step)
        try:
            train_in(folder, short)
        except Killed:
            killed += 1
            kill_at(10**9)
            assert undisturbed(train_in(folder, short)) == expected, step
            assert undisturbed(lines(folder)) == expected, step
            names = {path.name for path in (folder / "models").iterdir()}
            assert names == {path.name for path in (tmp_path / "undisturbed" / "models").iterdir()}, step
        else:
            break
    assert killed > 20


ARGUMENTS = (
    *(*FEW_IMAGES, "--stations", "3"),
    *("--strategy", "FedAvgM(momentum=0.3)"),
    *("--client-dropout", "0.2", "--contribution", "none", "--edge-aggregations", "1", "--augment"),
)


def command(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fl.training", *ARGUMENTS, "--rounds", "100000", "--out", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished_rounds(folder: Path) -> int:
    metrics = folder / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def test_command__killed_and_started_again__ends_with_the_same_digests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kill -9, at some moment of a round, against a run that nothing disturbs."""
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    process = command(folder)
    while finished_rounds(folder) < 2 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    output = process.communicate()[0]
    assert process.returncode == -signal.SIGKILL, output
    finished = finished_rounds(folder)
    assert finished >= 2
    rounds = ("--rounds", str(finished + 2))
    monkeypatch.setattr(sys, "argv", ["fl.training", *ARGUMENTS, *rounds, "--out", str(folder)])
    assert main() == 0
    options = parse([*ARGUMENTS, *rounds, "--out", str(whole)])
    expected = [dict(record) for record in run(build_federation(options.config), options)]
    assert undisturbed(lines(folder)) == undisturbed(expected)
    kept, others = (json.loads((each / "checkpoint.json").read_text())["rounds"] for each in (folder, whole))
    assert [(r["model"], r["velocity"]) for r in kept] == [(r["model"], r["velocity"]) for r in others]
