"""Run the contenders one after the other, several times, and see that they did the same work."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click

from analysis.benchmarks.training import fairness, inputs
from analysis.benchmarks.training.lineup import CONTENDERS, FLOOR
from analysis.benchmarks.training.record import Measured, Pass
from analysis.benchmarks.training.trial import Trial, TrialError, run
from analysis.benchmarks.training.workload import Workload
from fl.training.model.evaluation import evaluate
from fl.training.model.runtime import pick_device


def compare(
    workload: Workload,
    contenders: Sequence[str],
    device: str,
    *,
    data_dir: Path | None,
    passes: int,
    rounds: int,
    say: Callable[[Trial], None],
    provenance: Callable[[Sequence[Trial]], Pass],
    installed: bool = False,
) -> Measured:
    """Run every contender in each pass, in turn from the first to the last and from the last to the first.

    So a machine that grows slower or faster meanwhile slows or speeds all alike.

    Args:
        workload: what to do.
        contenders: names in `lineup.CONTENDERS`.
        device: "cpu" or "cuda".
        data_dir: of the data set.
        passes: how many.
        rounds: global rounds of each run.
        say: hears of each run.
        provenance: makes a pass of its trials.
        installed: see `trial.run`.

    Raises:
        DataError: the data set cannot be had.
        TrialError: a contender failed, other than a library that is taken as it is installed.
        UnfairError: contenders did not do the same work.
    """
    with tempfile.TemporaryDirectory(prefix="hcfl-") as folder:
        data = Path(folder) / "inputs"
        test = inputs.prepare(workload, data_dir, data)
        setting = inputs.read(data)
        sizes = [len(samples) for samples in setting.clients]
        where = pick_device(device)
        module, test = setting.module().to(where), test.to(where)
        done: list[Pass] = []
        for number in range(passes):
            trials: list[Trial] = []
            for name in in_turn(contenders, number):
                try:
                    trial, state = run(CONTENDERS[name], data, rounds, device, installed)
                except TrialError as error:
                    if not (installed and CONTENDERS[name].library):
                        raise
                    click.echo(f"Not measured: {error}", err=True)  # of whatever version it is here
                    continue
                if CONTENDERS[name].module != FLOOR:
                    trial = replace(trial, accuracy=evaluate(module, state, test).accuracy)
                trials.append(trial)
                say(trial)
                fairness.check(trials, workload, sizes, len(test))
            done.append(provenance(trials))
    return Measured(workload, len(test), tuple(done))


def in_turn(contenders: Sequence[str], number: int) -> list[str]:
    """The order of a pass: that of the lineup in the first, backwards in the second, and so on."""
    return list(contenders if number % 2 == 0 else reversed(contenders))
