"""`python -m fl.training`: trains a hierarchical model and shows how it gets on."""

from __future__ import annotations

import logging
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, redirect_stderr
from dataclasses import replace
from io import StringIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fl.faults import Fault, line_of
from fl.training.command.options import Options, parse
from fl.training.contribution.points import contribution_points, total_margins
from fl.training.data.dataset import listed
from fl.training.errors import is_out_of_memory

if TYPE_CHECKING:
    from fl.training.crews.ranks import Group
    from fl.training.federation import Federation


def show(options: Options, console: Console) -> None:
    """Train, showing progress, then show a table of rounds and one of base stations; of several ranks, the first."""
    from fl.training.crews.ranks import join

    with join() as group:
        _show(options, console if group.leads else Console(quiet=True), group)


def _show(options: Options, console: Console, group: Group) -> None:
    from fl.training.command.checkpoint import best_of
    from fl.training.command.metrics import contributions_of
    from fl.training.command.run import evaluations_of, run
    from fl.training.crews.ranks import own_device
    from fl.training.federation import build_federation
    from fl.training.model.evaluation import MOST_LABELS

    config = replace(options.config, device=own_device(options.config.device))
    with console.status(f"loading {config.dataset}"):
        federation = group.together(lambda: build_federation(config))
    records: list[Mapping[str, Any]] = []
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=config.rounds * config.stations, unit="base station rounds")
        each = evaluations_of(federation)
        measuring = progress.add_task("contributions", total=config.rounds * each, unit="evaluations", visible=each > 0)

        def estimate(evaluations: int, seconds: float) -> None:
            if seconds > _LONG:
                samples = len(federation.dataset.test)
                progress.console.print(
                    f"contributions ({config.contribution}) take up to {evaluations:,} evaluations on {samples:,} test "
                    f"samples, about {_duration(seconds)}: --contribution margin takes {config.stations} in a "
                    "global round, and fewer --test-images take less"
                )

        for record in run(
            federation,
            options,
            lambda played: progress.advance(task),
            group,
            on_evaluated=lambda: progress.advance(measuring),
            on_estimate=estimate,
        ):
            records.append(record)
            done = len(records)
            accuracy = f"training, accuracy {record['accuracy']:.1%}"
            progress.update(task, completed=done * config.stations, description=accuracy)
            progress.update(measuring, completed=done * each)
    console.print(_rounds(records))
    if config.contribution != "none":
        console.print(_stations(federation, [contributions_of(record) for record in records]))
    names = federation.dataset.label_names
    labels = listed(names) if len(names) <= MOST_LABELS else f"{len(names):,}"
    last = f"last global model {records[-1]['model']}"
    if config.patience is not None:
        best = best_of(records)
        last += f", best that of global round {best['global_round']}, {best['model']}"
    # in a label, brackets are no markup
    console.print(f"{federation.model.name} on {config.dataset}, target labels {labels}; {last}", markup=False)


_LONG = 60.0
"""Seconds of measuring contributions from which on the command says so before it starts."""


def _duration(seconds: float) -> str:
    """Hours or minutes, for people."""
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{max(1, round(seconds / 60))} minutes"


def _rounds(records: Sequence[Mapping[str, Any]]) -> Table:
    simulated = any("simulated_seconds" in record for record in records)
    private = any("epsilon" in record for record in records)
    further = ["simulated s"] * simulated + ["ε"] * private
    table = Table("global round", "accuracy", "loss", "absent", "MB sent", *further, "global model")
    for record in records:
        tiers = record["traffic"].values()
        sent = sum(tier["down_bytes"] + tier["up_bytes"] for tier in tiers) / 1e6
        seconds = [f"{record['simulated_seconds']:.2f}" if "simulated_seconds" in record else ""] * simulated
        epsilon = [f"{max(record['epsilon'].values()):.2f}" if "epsilon" in record else ""] * private
        measured = (f"{record['accuracy']:.2%}", f"{record['loss']:.4f}", ", ".join(record["absent"]), f"{sent:,.1f}")
        model = "as it was" if "unchanged" in record else record["model"][:18] + "…"
        table.add_row(str(record["global_round"]), *measured, *seconds, *epsilon, model)
    return table


def _stations(federation: Federation, contributions: Sequence[Mapping[int, Any]]) -> Table:
    totals = total_margins(contributions)
    points = dict(zip(totals, contribution_points(list(totals.values())), strict=True)) if len(totals) > 1 else {}
    method = federation.config.contribution
    table = Table("base station", "clients", "samples", f"contribution ({method})", "contribution points")
    for station in federation.stations:
        counts = (str(len(station.clients)), f"{station.samples:,}")
        total = f"{float(totals[station.index]):.4f}" if station.index in totals else "absent"
        table.add_row(str(station.index), *counts, total, f"{points.get(station.index, ''):,}" if points else "")
    return table


class _Stopped(KeyboardInterrupt):
    """By a signal, SIGINT (Ctrl-C) or SIGTERM."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


_PATIENCE = 2.0
"""Seconds that a stop takes at most. Until then more Ctrl-C does not disturb it; then it stops again."""


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end a run in order, as Ctrl-C does, however often either comes."""
    if threading.current_thread() is not threading.main_thread():  # where Python takes no handlers
        yield
        return
    last = [-math.inf]

    def stop(number: int, frame: object) -> None:
        if time.monotonic() - last[0] > _PATIENCE:
            last[0] = time.monotonic()
            raise _Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main() -> int:
    """Run the command; bad input ends it with one line."""
    for stream in (sys.stdout, sys.stderr):  # a name of any bytes is shown, on a terminal of any encoding
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with _stoppable():
        return _main()


def _main() -> int:
    # What all ranks have to say is said once: results by the first, errors by the first of each machine.
    says_errors = os.environ.get("LOCAL_RANK", "0") == "0"
    console, errors = Console(), Console(stderr=True, quiet=not says_errors)
    handler = RichHandler(logging.WARNING, Console(stderr=True), show_path=False)
    if os.environ.get("RANK", "0") != "0":
        # the other ranks say only what no other knows: what became of the base stations that they play
        handler.addFilter(logging.Filter("fl.training.station"))
    package = logging.getLogger("fl.training")
    package.addHandler(handler)
    options = None
    try:
        if sys.argv[1:2] in (["plot"], ["export"]):
            from fl.training.command.results import main as results

            console.print(results(sys.argv[1:]), soft_wrap=True, markup=False)
            return 0
        with nullcontext() if says_errors else redirect_stderr(StringIO()):
            options = parse()
        show(options, console)
    except (Fault, OSError, MemoryError, RuntimeError) as error:
        text = line_of(error) or "there is not enough memory"
        if is_out_of_memory(error):  # whose text goes on for a page
            text = "the GPU has not enough memory: fewer --workers or a smaller --batch-size need less"
        elif not isinstance(error, Fault | OSError | MemoryError):
            raise
        errors.print(Text.assemble(("error: ", "red"), text), soft_wrap=True)
        return 1
    except KeyboardInterrupt as error:
        again = "" if options is None or options.out is None else ": the same command goes on from the last checkpoint"
        errors.print(f"stopped{again}")
        return 128 + (error.number if isinstance(error, _Stopped) else signal.SIGINT)
    finally:
        package.removeHandler(handler)
    return 0
