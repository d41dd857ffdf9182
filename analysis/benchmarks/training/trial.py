"""One contender, run once in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from analysis.benchmarks.training import peers
from analysis.benchmarks.training.contenders.job import Job
from analysis.benchmarks.training.lineup import Contender
from analysis.benchmarks.training.processes import Watch, end
from fl.training.model.artefact import load_state
from fl.training.model.parameters import State

TIMEOUT = 1_800
"""Seconds that one run may take."""


class TrialError(Exception):
    """A contender did not get through, and what it said last."""


@dataclass(frozen=True)
class Trial:
    """What one run took.

    Attributes:
        contender: its name in `analysis.benchmarks.training.lineup.CONTENDERS`.
        ended: seconds from the start of its process to the end of each global round.
        peak: bytes of all its processes together, the largest sample (see `processes.memory`); 0: not measured.
        steps: of SGD in each global round.
        initial: digest of the model that it started from.
        split: digest of the images that its clients have.
        threads: of PyTorch in the process that was started.
        accuracy: of the model after the last round on all test images; None for the floor.
    """

    contender: str
    ended: tuple[float, ...]
    peak: int
    steps: tuple[int, ...]
    initial: str
    split: str
    threads: int
    accuracy: float | None = None

    @property
    def rounds(self) -> list[float]:
        """Seconds of each global round after the first."""
        return [after - before for before, after in zip(self.ended, self.ended[1:], strict=False)]

    @property
    def seconds(self) -> float:
        """Median of `rounds`."""
        return median(self.rounds)

    @property
    def start(self) -> float:
        """Seconds of the start and the first global round beyond what a later round takes."""
        return self.ended[0] - self.seconds


def run(contender: Contender, data: Path, rounds: int, device: str, installed: bool = False) -> tuple[Trial, State]:
    """Run the contender once.

    Args:
        contender: who.
        data: the file of `inputs`.
        rounds: global rounds, at least 2.
        device: "cpu" or "cuda".
        installed: whether this Python has what it needs, and not the environment of `peers`.

    Returns:
        What it took, without the accuracy, and its global model after the last round.

    Raises:
        TrialError: it failed.
    """
    # Ray's sockets must lie under a short path, so not in the checkout.
    with tempfile.TemporaryDirectory(prefix="hcfl-") as name:
        folder = Path(name)
        options = dict(contender.options.get(device, {}))
        job = Job(contender.module, data, rounds, device, folder / "told", folder / "state", options, contender.busy)
        job.write(folder / "job")
        python = peers.PYTHON if contender.library and not installed else Path(sys.executable)
        began, peak = _play(contender, folder, python)
        try:
            lines = [json.loads(line) for line in job.told.read_text(encoding="utf-8").splitlines()]
            state = load_state(job.state.read_bytes())
            begins, ends = (_only(lines, what) for what in ("begins", "ends"))
        except (OSError, ValueError) as error:
            raise TrialError(f"{contender.title} did not finish: {_said(folder)}") from error
        played = [line for line in lines if line["what"] == "round"]
        trial = Trial(
            contender.name,
            tuple(line["at"] - began for line in played),
            peak,
            tuple(line["steps"] for line in played),
            begins["initial"],
            ends["split"],
            begins["threads"],
        )
        return trial, state


def _only(lines: list[dict[str, Any]], what: str) -> dict[str, Any]:
    (line,) = (line for line in lines if line["what"] == what)
    return line


def _said(folder: Path) -> str:
    return (folder / "said").read_text(encoding="utf-8", errors="replace").strip()[-1_500:]


def _play(contender: Contender, folder: Path, python: Path) -> tuple[float, int]:
    """Start the process, wait till it ends; returns when it started and its peak memory."""
    command = [str(python), "-m", "analysis.benchmarks.training.contenders", str(folder / "job")]
    environment = {
        **os.environ,
        "PYTHONPATH": str(peers.ROOT),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "FLWR_HOME": str(folder / "flower"),
        "FLWR_TELEMETRY_ENABLED": "0",
    }
    with (folder / "said").open("wb") as said:
        began = time.time()
        process = subprocess.Popen(
            command, cwd=peers.ROOT, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        with Watch(process.pid) as watch:
            try:
                process.wait(TIMEOUT)
            except BaseException as error:
                end(process)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise TrialError(f"{contender.title} was not through after {TIMEOUT} s") from None
                raise
    if process.returncode:
        raise TrialError(f"{contender.title} ends with {process.returncode}: {_said(folder)}")
    return began, watch.peak
