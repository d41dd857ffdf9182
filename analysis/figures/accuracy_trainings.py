"""The trainings of figure `accuracy` in its full setting, market by market, for as long as there is a GPU.

What the contract selects by labels alone depends on the seed, not on any training: it is read from the figure's data
of the setting for CPUs, so that no chain is needed where the GPU is. Forecasts would take a pilot of every proposal.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import torch
from rich.console import Console

from analysis.figures import accuracy, record
from analysis.figures.figure import FigureError, Request, Setting
from analysis.figures.trainings import train_all
from analysis.provenance import machine, write_document
from fl.training.errors import TrainingError
from fl.training.model.runtime import pick_device

STRATEGIES = ("auction", "random")


@click.command()
@click.option("--data-dir", required=True, type=click.Path(path_type=Path), help="CIFAR-10, as a folder.")
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--train-images", type=click.IntRange(1), help="Of each model, where there are fewer than it takes.")
@click.option("--tiny", is_flag=True, help="Try it out with one market and a small model.")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False))
def main(data_dir: Path, device: str, train_images: int | None, tiny: bool, out: Path) -> None:
    """Train what the contract selected and a random proposal, the first market of each panel first."""
    console = Console()
    plan = accuracy.PLANS[Setting.FULL]
    if train_images is not None:
        plan = replace(plan, train_images=train_images)
    if tiny:
        plan = replace(plan, model="small-cnn", train_images=20, rounds=1, test_images=2)
    done = []
    try:
        markets = record.read("accuracy", Setting.CPU)["data"]["markets"]
        ordered = [
            (panel, market)
            for together in zip(*markets.values(), strict=True)
            for panel, market in zip(markets, together, strict=True)
        ]
        gpu = torch.cuda.get_device_name() if pick_device(device).type == "cuda" else None
        head = {"machine": machine(record.WATCHED), "gpu": gpu, "torch": torch.__version__, "settings": plan.as_json()}
        request = Request(False, data_dir=str(data_dir), device=device)
        for panel, market in ordered[: 1 if tiny else None]:
            trainings = [accuracy.training_of(market, strategy) for strategy in STRATEGIES]
            found = train_all(plan, trainings, request)
            curves = {strategy: found[each] for strategy, each in zip(STRATEGIES, trainings, strict=True)}
            done.append({"panel": panel, "seed": market["seed"], "accuracy": curves})
            write_document(out, {**head, "markets": done})
            console.print(f"{panel}, seed {market['seed']}: done", highlight=False)
    except (FigureError, TrainingError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main()
