"""The paper's training run (section V-B, figure 4): its accuracy by global round, and how long it takes."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console

from analysis.benchmarks.training import record
from analysis.provenance import check_writable, write_document
from fl.faults import line_of
from fl.training.cloud import train
from fl.training.config import PRECISIONS, StationConfig, TrainingConfig
from fl.training.crews.pool import open_crew
from fl.training.errors import TrainingError
from fl.training.federation import build_federation
from fl.training.model.runtime import pick_device
from fl.training.model.spec import MODELS

STATION = StationConfig(
    local_epochs=2, edge_aggregations=1, batch_size=32, learning_rate=0.02, momentum=0.9, augment=True
)
"""The paper gives the local epochs only; the rest is ours."""


@click.command("paper-run")
@click.option("--data-dir", type=click.Path(path_type=Path), help="CIFAR-10; without, it is downloaded.")
@click.option("--model", default="resnet50", show_default=True, type=click.Choice(list(MODELS)))
@click.option("--rounds", default=50, show_default=True, type=click.IntRange(1), help="Global rounds.")
@click.option("--stations", default=10, show_default=True, type=click.IntRange(1), help="Base stations, a client each.")
@click.option("--train-images", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--test-images", default=10_000, show_default=True, type=click.IntRange(1))
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--precision", default="float32", show_default=True, type=click.Choice(PRECISIONS))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--out",
    default=record.RESULTS / "paper_run.json",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the curve.",
)
def paper_run(
    data_dir: Path | None,
    model: str,
    rounds: int,
    stations: int,
    train_images: int,
    test_images: int,
    device: str,
    precision: str,
    seed: int,
    out: Path,
) -> None:
    """Train ResNet-50 as the paper does and write the accuracy, after each global round anew."""
    console = Console()
    config = TrainingConfig(
        dataset="cifar10",
        data_dir=data_dir,
        train_images=train_images,
        test_images=test_images,
        model=model,
        stations=stations,
        clients=1,
        rounds=rounds,
        seed=seed,
        station=replace(STATION, precision=precision),
        contribution="none",
        device=device,
    )
    began = time.perf_counter()
    curve: list[dict[str, float]] = []
    try:
        kind = pick_device(device).type
        check_writable(out)
        federation = build_federation(config)
        loaded = time.perf_counter() - began
        machine, versions, sources = record.here(kind)
        document = {
            "command": shlex.join(["python", "-m", "analysis.benchmarks.training", *sys.argv[1:]]),
            **sources,
            "machine": machine,
            "versions": {name: versions[name] for name in ("python", "torch", "numpy")},
            "config": {**asdict(config), "data_dir": None},
            "unit": "seconds since the command began, the loading of the images included",
            "seconds_to_load": round(loaded, 2),
            "rounds": curve,
        }
        with open_crew(federation) as crew:
            for done in train(federation.config, federation.model, crew):
                seconds = round(time.perf_counter() - began, 2)
                accuracy, loss = done.evaluation.accuracy, done.evaluation.loss
                curve.append({"round": done.global_round + 1, "seconds": seconds, "accuracy": accuracy, "loss": loss})
                console.print(
                    f"round {done.global_round + 1}: {seconds:.1f} s, accuracy {accuracy:.4f}", highlight=False
                )
                write_document(out, document)
    except (TrainingError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    console.print(f"Written: {out}", highlight=False, soft_wrap=True)
