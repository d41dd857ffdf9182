"""`python -m analysis.benchmarks.training`: the comparison, and the paper's run."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from analysis.benchmarks.training import peers, record, tables
from analysis.benchmarks.training.compare import compare
from analysis.benchmarks.training.fairness import UnfairError
from analysis.benchmarks.training.gpu_day import gpu_day, subset
from analysis.benchmarks.training.lineup import CONTENDERS, unable, usual
from analysis.benchmarks.training.measures import ROUNDS
from analysis.benchmarks.training.paper_run import paper_run
from analysis.benchmarks.training.record import Measured, Pass, Record, RecordError
from analysis.benchmarks.training.streams import streams
from analysis.benchmarks.training.trial import Trial, TrialError
from analysis.benchmarks.training.workload import ON_CPU, ON_GPU, WORKLOADS
from analysis.provenance import check_writable, write_document
from fl.faults import line_of
from fl.training.errors import TrainingError
from fl.training.model.runtime import pick_device

FILE_WIDTH = 140


@click.group()
def main() -> None:
    """Speed of hierarchical training beside others."""


@main.command("compare")
@click.option("--data-dir", type=click.Path(path_type=Path), help="CIFAR-10; without, it is downloaded.")
@click.option("--workload", "workloads", multiple=True, type=click.Choice(list(WORKLOADS)), help="Default: by device.")
@click.option("--contender", "names", multiple=True, type=click.Choice(list(CONTENDERS)), help="Default: all.")
@click.option("--passes", default=2, show_default=True, type=click.IntRange(1), help="How often each is run.")
@click.option("--rounds", default=ROUNDS, show_default=True, type=click.IntRange(2), help="Global rounds of each run.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--installed", is_flag=True, help="Of other libraries measure what this Python has; install nothing.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File for each run as soon as it ended.")
@click.option("--write", "how", flag_value="write", help="Record the result instead of the one there is.")
@click.option("--add", "how", flag_value="add", help="Record the result behind the one there is.")
def compare_command(
    data_dir: Path | None,
    workloads: tuple[str, ...],
    names: tuple[str, ...],
    passes: int,
    rounds: int,
    device: str,
    installed: bool,
    out: Path | None,
    how: str | None,
) -> None:
    """Run every contender in fresh processes, in turn, and compare seconds per global round.

    Exits with 1 if a target is missed.
    """
    console = Console(width=None if sys.stdout.isatty() else FILE_WIDTH)
    # as Ctrl-C: what runs is ended and temporary folders are removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        kind = pick_device(device).type
        if out:
            check_writable(out)
        machine, versions, sources = record.here(kind)
        measured: dict[str, Measured] = {}
        ended: list[Trial] = []

        def say(trial: Trial) -> None:
            console.print(_line(trial), highlight=False)
            ended.append(trial)
            if out:
                rows = [asdict(each) for each in ended]
                head = {"command": _command(), **sources, "machine": machine, "versions": versions}
                write_document(out, {**head, "trials": rows})

        for name in workloads or (ON_GPU if kind == "cuda" else ON_CPU):
            console.rule(f"{name}: {WORKLOADS[name].title}", align="left")
            able = _able(console, names or usual(name, kind), kind, installed)
            measured[name] = compare(
                WORKLOADS[name],
                able,
                kind,
                data_dir=data_dir,
                passes=passes,
                rounds=rounds,
                say=say,
                provenance=lambda trials: Pass(_command(), trials=tuple(trials), **sources),
                installed=installed,
            )
        result = Record(kind, machine, versions, measured)
        path = record.path_of(result)
        if how == "add":
            result = record.added(result, path)
    except (TrainingError, TrialError, UnfairError, RecordError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    tables.to_console(console, result)
    if kind == "cpu":
        console.print("No GPU here: what the GPU workloads take is still to be measured.", highlight=False)
    if how:
        record.write(result, path)
        page = tables.write_page(record.read(path), path)  # of what is recorded, which is rounded
        console.print(f"Written: {path}, {page}", highlight=False, soft_wrap=True)
    if any(row[-1] == "missed" for row in tables.goals(result.measured, kind)):
        sys.exit(1)


def _able(console: Console, names: Sequence[str], device: str, installed: bool) -> list[str]:
    able = []
    for name in names:
        if reason := unable(CONTENDERS[name], device, installed):
            console.print(f"{CONTENDERS[name].title}: not measured: {reason}", highlight=False)
        else:
            able.append(name)
    if not installed and any(CONTENDERS[name].library for name in able):
        peers.set_up()
    return able


def _line(trial: Trial) -> str:
    rounds = ", ".join(f"{seconds:.2f}" for seconds in trial.rounds)
    accuracy = "" if trial.accuracy is None else f", accuracy {trial.accuracy:.4f}"
    return f"{CONTENDERS[trial.contender].title}: first round after {trial.ended[0]:.1f} s, then {rounds} s{accuracy}"


def _command() -> str:
    return shlex.join(["python", "-m", "analysis.benchmarks.training", *sys.argv[1:]])


for _command_of in (paper_run, streams, gpu_day, subset):
    main.add_command(_command_of)

if __name__ == "__main__":
    main(prog_name="python -m analysis.benchmarks.training")
