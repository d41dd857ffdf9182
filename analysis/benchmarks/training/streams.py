"""What base stations beside each other on streams of a GPU save: global rounds, by precision and number of streams.

    python -m analysis.benchmarks.training streams --data-dir cifar10 --out streams.json

All in one process, in turn; each run starts anew. The sum of the parameters at the end is the same for every number of
streams, as the models are.
"""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

from analysis.benchmarks.training import record
from analysis.benchmarks.training.workload import WORKLOADS
from analysis.provenance import check_writable, write_document
from fl.faults import line_of
from fl.training.cloud import train
from fl.training.crews.pool import open_crew
from fl.training.data.dataset import Dataset, load_dataset
from fl.training.errors import TrainingError
from fl.training.federation import build_federation
from fl.training.model.runtime import pick_device

ROUNDS = 3
RUNS = (
    ("10x10", "tf32", 10),
    ("resnet50", "bfloat16", 10),
    ("10x10", "bfloat16", 10),
    ("10x10", "bfloat16", 0),
    ("resnet50", "bfloat16", 0),
    ("10x10", "tf32", 0),
    ("resnet50", "tf32", 10),
    ("resnet50", "tf32", 0),
    ("10x10", "float32", 10),
    ("10x10", "float32", 0),
    ("10x10", "bfloat16", 4),
)
"""Workload, precision, streams; in the order of their worth."""


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        workload: of `workload.WORKLOADS`.
        precision: of the clients' passes.
        streams: at most; 0: the base stations one after the other.
        opened: seconds until all steps were recorded.
        rounds: seconds of each global round.
        accuracy: at the end.
        gigabytes: of the GPU's memory, at the most.
        parameters: their sum at the end.
    """

    workload: str
    precision: str
    streams: int
    opened: float
    rounds: tuple[float, ...]
    accuracy: float
    gigabytes: float
    parameters: float


def measure(name: str, precision: str, streams: int, dataset: Dataset, device: torch.device) -> Run:
    """A few global rounds of a workload."""
    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats(device)
    config = WORKLOADS[name].config(ROUNDS, device.type)
    assert config.station is not None
    federation = build_federation(replace(config, station=replace(config.station, precision=precision)), dataset)
    start = time.perf_counter()
    with open_crew(federation, streams) as crew:
        opened, took = time.perf_counter() - start, []
        start = time.perf_counter()
        for done in train(federation.config, federation.model, crew):
            if gpu:
                torch.cuda.synchronize(device)
            took.append(round(time.perf_counter() - start, 3))
            state, accuracy = done.state, done.evaluation.accuracy
            start = time.perf_counter()
    parameters = float(sum(tensor.double().sum() for tensor in state.values()))
    gigabytes = torch.cuda.max_memory_allocated(device) / 1e9 if gpu else 0.0
    return Run(name, precision, streams, round(opened, 2), tuple(took), accuracy, round(gigabytes, 1), parameters)


@click.command("streams")
@click.option("--data-dir", type=click.Path(path_type=Path), help="CIFAR-10; without, it is downloaded.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--tiny", is_flag=True, help="Try it out: digits, in two worker processes where there is no GPU.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="Written after each run.")
def streams(data_dir: Path | None, device: str, tiny: bool, out: Path) -> None:
    """Global rounds with base stations one after the other, and beside each other."""
    console = Console()
    try:
        where = pick_device(device)
        if where.type != "cuda" and not tiny:
            raise TrainingError("streams are of a GPU, and there is none here: --tiny tries the command out")
        check_writable(out)
        dataset = (
            load_dataset("digits")
            if tiny
            else load_dataset("cifar10", data_dir, train_images=10_000, test_images=1_000)
        )
        machine, versions, sources = record.here(where.type)
        command = shlex.join(["python", "-m", "analysis.benchmarks.training", *sys.argv[1:]])
        runs: list[Run] = []
        for name, precision, count in [("digits", "float32", 0), ("digits", "float32", 2)] if tiny else RUNS:
            runs.append(measure(name, precision, count, dataset, where))
            head = {"command": command, **sources, "machine": machine, "versions": versions}
            write_document(out, {**head, "runs": [asdict(run) for run in runs]})
    except (TrainingError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    table = Table("workload", "precision", "streams", "s a round", "until recorded, s", "GB", "accuracy")
    for run in runs:
        figures = (f"{run.rounds[-1]:.3f}", f"{run.opened:.1f}", f"{run.gigabytes:.1f}", f"{run.accuracy:.4f}")
        table.add_row(run.workload, run.precision, str(run.streams), *figures)
    console.print(table)
    console.print(f"Written: {out}", highlight=False, soft_wrap=True)
