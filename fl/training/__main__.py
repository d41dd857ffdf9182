"""`python -m fl.training`: trains a hierarchical model and shows how it gets on."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from fl.artefacts import ArtefactStore, digest_of
from fl.training.config import DEFAULTS, StationConfig, TrainingConfig
from fl.training.contribution import contribution_points, total_margins
from fl.training.errors import TrainingError
from fl.training.models import MODELS


def parse(arguments: list[str] | None = None) -> tuple[TrainingConfig, Path | None]:
    """The configuration that the command line asks for, and the folder for artefacts if it names one."""
    parser = argparse.ArgumentParser(
        prog="python -m fl.training",
        description="Hierarchical federated averaging: clients, base stations, global model.",
        epilog="What is not given suits the data set. Example: python -m fl.training --targets 3,5 --seed 1",
    )
    add, base = parser.add_argument, TrainingConfig()
    add("--dataset", choices=list(DEFAULTS), default=base.dataset, help=f"what to train on ({base.dataset})")
    add(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="cifar10 from a folder: train/<label>/*.jpg and test/<label>/*.jpg",
    )
    add("--targets", type=_labels, metavar="A,B,…", help="target labels, comma-separated (all)")
    add("--train-images", type=int, metavar="N", help="use only N training images")
    add("--test-images", type=int, metavar="N", help="judge by only N test images")
    add("--model", choices=list(MODELS), help="the data set's own if not given")
    add("--stations", type=int, metavar="N", help=f"base stations ({base.stations})")
    add("--clients", type=int, metavar="N", help=f"clients of each base station ({base.clients})")
    add("--alpha", type=float, metavar="A", help="split by Dirichlet(A); IID if not given")
    add("--rounds", type=int, metavar="N", help=f"global rounds ({base.rounds})")
    add("--seed", type=int, metavar="N", help=f"same seed, same digests ({base.seed})")
    add("--local-epochs", type=int, metavar="N", help="κ1, local epochs between two edge aggregations")
    add("--edge-aggregations", type=int, metavar="N", help="κ2, edge aggregations in a global round")
    add("--batch-size", type=int, metavar="N", help="images in a step of the clients' SGD")
    add("--learning-rate", type=float, metavar="R", help="of the clients' SGD")
    add("--momentum", type=float, metavar="M", help="of the clients' SGD")
    add("--threads", type=int, metavar="N", help="torch's threads (1)")
    add("--out", type=Path, metavar="DIR", help="store the global models in this folder, by SHA-256")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    out = given.pop("out", None)
    names = {setting.name for setting in fields(StationConfig)}
    station = replace(DEFAULTS[given["dataset"]].station, **{name: given.pop(name) for name in names & given.keys()})
    return TrainingConfig(station=station, **given), out


def _labels(text: str) -> tuple[str, ...]:
    return tuple(label.strip() for label in text.split(","))


def run(config: TrainingConfig, out: Path | None, console: Console) -> None:
    """Train, showing progress, then show a table of rounds and one of base stations."""
    from fl.training.cloud import train
    from fl.training.federation import build_federation
    from fl.training.state import save_model

    with console.status(f"loading {config.dataset}"):
        federation = build_federation(config)
    rounds = Table("global round", "accuracy", "loss", "global model")
    margins = []
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("updates"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("training", total=config.rounds * config.stations)
        for done in train(federation, on_update=lambda update: progress.advance(task)):
            artefact = save_model(federation.model, done.state, epoch=done.epoch)
            digest = digest_of(artefact) if out is None else ArtefactStore(out).put(artefact)
            accuracy, loss = f"{done.evaluation.accuracy:.2%}", f"{done.evaluation.loss:.4f}"
            rounds.add_row(str(done.epoch), accuracy, loss, digest[:18] + "…")
            margins.append(done.margins)
    console.print(rounds)

    totals = total_margins(margins)
    points = contribution_points(list(totals.values())) if len(totals) > 1 else [None]
    stations = Table("base station", "clients", "images", "margin in accuracy", "contribution points")
    for station, point in zip(federation.stations, points, strict=True):
        share = "" if point is None else f"{point:,}"
        counts = (str(len(station.clients)), f"{station.samples:,}")
        stations.add_row(str(station.index), *counts, f"{float(totals[station.index]):.4f}", share)
    console.print(stations)
    labels = ", ".join(federation.dataset.label_names)
    console.print(f"{federation.model.name} on {config.dataset}, target labels {labels}; last global model {digest}")


def main() -> int:
    """Run the command; bad input ends it with one line."""
    console = Console()
    try:
        run(*parse(), console)
    except TrainingError as error:
        Console(stderr=True).print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
