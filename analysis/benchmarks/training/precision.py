"""`python -m analysis.benchmarks.training.precision`: what bfloat16 changes beside the time of a round.

The same runs in float32 and in bfloat16: the accuracy, and the order of the base stations by their contributions, by
which a round shares stakes out. A third run is float32 as oneDNN computes it without AVX-512: how far rounding alone
takes the same figures. Base stations differ much, by a Dirichlet split, so that there is an order to keep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isnan
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table
from scipy.stats import kendalltau

from fl.training.errors import TrainingError
from fl.training.model.runtime import check_precision, pick_device

FLOAT32, OTHER, BF16 = "float32", "float32 without AVX-512", "bfloat16"
VARIANTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    FLOAT32: ("float32", {}),
    OTHER: ("float32", {"ONEDNN_MAX_CPU_ISA": "AVX2"}),
    BF16: ("bfloat16", {}),
}
"""Each with the precision and what is set in the environment."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        accuracy: of the last global model, 0 … 1.
        contributions: of the base stations in each global round, in their order.
    """

    accuracy: float
    contributions: Sequence[Sequence[Fraction]]


def play(variant: str, seed: int, options: Sequence[str]) -> Outcome:
    """A run of `python -m fl.training` in a process of its own.

    Raises:
        ClickException: it fails; what it said has been shown.
    """
    precision, environment = VARIANTS[variant]
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "fl.training", "--seed", str(seed), "--precision", precision, "--out", folder]
        ended = subprocess.run([*command, *options], env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
        if ended.returncode:
            raise click.ClickException(f"the run in {variant} with seed {seed} fails")
        lines = (Path(folder) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    orders = [[Fraction(value) for value in record["contribution"].values()] for record in records]
    return Outcome(records[-1]["accuracy"], orders)


def agreement(one: Sequence[Outcome], other: Sequence[Outcome]) -> float | None:
    """Kendall's τ-b between the contributions of the same base stations in the same global rounds, on average.

    1 is the same order, −1 the reverse; a round in which one side values all alike has no order and is left out, and
    None where that is so in every round.
    """
    found = [
        float(kendalltau([float(value) for value in mine], [float(value) for value in theirs]).statistic)
        for first, second in zip(one, other, strict=True)
        for mine, theirs in zip(first.contributions, second.contributions, strict=True)
    ]
    ordered = [each for each in found if not isnan(each)]
    return fmean(ordered) if ordered else None


@click.command()
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False, exists=True), help="CIFAR-10.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(1), help="Global rounds of each run.")
@click.option("--images", default=5_000, show_default=True, type=click.IntRange(500), help="Trained on.")
@click.option("--test-images", default=2_000, show_default=True, type=click.IntRange(100), help="Judged by.")
@click.option("--dataset", default="cifar10", show_default=True, type=click.Choice(["cifar10", "digits"]))
def main(data_dir: Path | None, seeds: int, rounds: int, images: int, test_images: int, dataset: str) -> None:
    """Accuracy and order of contributions in bfloat16, beside float32 and what rounding alone does to it."""
    try:
        check_precision("bfloat16", pick_device("cpu"))
    except TrainingError as error:
        raise click.ClickException(str(error)) from None
    options = ["--dataset", dataset, "--train-images", str(images), "--rounds", str(rounds), "--alpha", "0.3"]
    options += ["--stations", "8", "--clients", "1", "--contribution", "leave-one-out", "--local-epochs", "2"]
    options += ["--test-images", str(test_images)]
    if data_dir is not None:
        options += ["--data-dir", str(data_dir)]
    outcomes = {variant: [play(variant, seed, options) for seed in range(seeds)] for variant in VARIANTS}
    table = Table(
        "clients compute in", "accuracy, mean", "least to most", "τ of the order of contributions with float32"
    )
    for variant, found in outcomes.items():
        accuracies = [outcome.accuracy for outcome in found]
        spread = f"{min(accuracies):.4f} to {max(accuracies):.4f}"
        order = agreement(outcomes[FLOAT32], found)
        table.add_row(variant, f"{fmean(accuracies):.4f}", spread, "-" if order is None else f"{order:.2f}")
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    main()
