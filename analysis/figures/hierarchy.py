"""`python -m analysis.figures.hierarchy`: hierarchical against flat averaging, by accuracy, simulated time and traffic.

As HierFL's users compare (Liu et al. 2020, section IV): every schedule gives each client the same number of local
epochs in all, κ1 · κ2 · global rounds; what differs is how often models are averaged at base stations and at the cloud.
Flat averaging (FedAvg) has no base stations: each client's model crosses its own link and then the link to the cloud.
Computing time is given, so that the table is the same on every machine of one kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from fl.training.cloud import train
from fl.training.config import DEFAULTS, TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import Dataset, load_dataset
from fl.training.errors import TrainingError
from fl.training.federation import build_federation
from fl.training.model.parameters import size_of
from fl.training.network import Link, Links, Tiers, count_traffic, simulate_round

DIRECT = Link(math.inf, 0.0)
"""A link that takes no time."""


@dataclass(frozen=True)
class Schedule:
    """How often models are averaged.

    Attributes:
        local_epochs: κ1.
        edge_aggregations: κ2; None: flat, no base stations.
        rounds: averages at the cloud.
    """

    local_epochs: int
    edge_aggregations: int | None
    rounds: int

    def __str__(self) -> str:
        kind = "flat" if self.edge_aggregations is None else f"κ2 = {self.edge_aggregations}"
        return f"κ1 = {self.local_epochs}, {kind}"


@dataclass(frozen=True)
class Outcome:
    """What came of a schedule.

    Attributes:
        schedule: which.
        accuracies: after each global round.
        seconds: simulated, from the start to the end of each global round.
        client_bytes: over the clients' links, in all.
        cloud_bytes: over the links to the cloud, in all.
    """

    schedule: Schedule
    accuracies: tuple[float, ...]
    seconds: tuple[float, ...]
    client_bytes: int
    cloud_bytes: int

    def seconds_to(self, accuracy: float) -> float | None:
        """When the global model first was so accurate; None: it never was."""
        pairs = zip(self.seconds, self.accuracies, strict=True)
        return next((seconds for seconds, reached in pairs if reached >= accuracy), None)


def schedules(epochs: int) -> Iterator[Schedule]:
    """Powers of two for κ1 and κ2 whose product divides the local epochs of each client, flat ones first."""
    powers = [1 << shift for shift in range(epochs.bit_length()) if epochs % (1 << shift) == 0]
    for local_epochs in powers:
        yield Schedule(local_epochs, None, epochs // local_epochs)
    for local_epochs in powers:
        for edge_aggregations in powers[1:]:
            if epochs % (local_epochs * edge_aggregations) == 0:
                yield Schedule(local_epochs, edge_aggregations, epochs // (local_epochs * edge_aggregations))


def play(schedule: Schedule, config: TrainingConfig, links: Links, dataset: Dataset) -> Outcome:
    """Train by a schedule; the clients and their images are the same for every schedule.

    Args:
        schedule: κ1, κ2 and the number of global rounds, instead of the configuration's.
        config: of the hierarchical run.
        links: of its clients and base stations; a flat client uses both, one after the other.
        dataset: the whole of it.
    """
    flat = schedule.edge_aggregations is None
    station = config.station or DEFAULTS[config.dataset].station
    station = replace(station, local_epochs=schedule.local_epochs, edge_aggregations=schedule.edge_aggregations or 1)
    config = replace(config, station=station, rounds=schedule.rounds, contribution="none")
    if flat:
        config = replace(config, stations=1, clients=config.stations * config.clients)
        path = Link(min(links.client.bandwidth, links.cloud.bandwidth), links.client.latency + links.cloud.latency)
        links = replace(links, client=path, cloud=DIRECT)
    federation = build_federation(config, dataset)
    accuracies: list[float] = []
    seconds: list[float] = []
    total = Tiers()
    for done in train(federation.config, federation.model, InProcess(federation)):
        size = size_of(done.state)
        accuracies.append(done.evaluation.accuracy)
        epochs = dict.fromkeys(range(config.stations), schedule.local_epochs)
        took = simulate_round(done.stations, size, links, epochs)
        seconds.append(took + (seconds[-1] if seconds else 0.0))
        total += count_traffic(done.stations, size)
    clients = total.clients.down_bytes + total.clients.up_bytes
    cloud = clients if flat else total.cloud.down_bytes + total.cloud.up_bytes
    return Outcome(schedule, tuple(accuracies), tuple(seconds), clients, cloud)


def show(outcomes: Sequence[Outcome], target: float) -> Table:
    """One row per schedule."""
    names = ("schedule", "global rounds", "accuracy", "simulated s", f"s to {target:.0%}", "MB clients", "MB cloud")
    table = Table(*names)
    for each in outcomes:
        reached = each.seconds_to(target)
        table.add_row(
            str(each.schedule),
            str(each.schedule.rounds),
            f"{each.accuracies[-1]:.2%}",
            f"{each.seconds[-1]:,.1f}",
            "never" if reached is None else f"{reached:,.1f}",
            f"{each.client_bytes / 1e6:,.1f}",
            f"{each.cloud_bytes / 1e6:,.1f}",
        )
    return table


LINK = (click.FLOAT, click.FLOAT)


@click.command()
@click.option("--dataset", default="digits", show_default=True, type=click.Choice(list(DEFAULTS)))
@click.option("--data-dir", type=click.Path(path_type=Path), help="CIFAR-10 from a folder.")
@click.option("--train-images", type=click.IntRange(1), help="Use only so many training images.")
@click.option("--stations", default=5, show_default=True, type=click.IntRange(1))
@click.option("--clients", default=4, show_default=True, type=click.IntRange(1), help="Of each base station.")
@click.option(
    "--shards",
    type=click.IntRange(1),
    help="Split by label into so many shards per client; without it the split is IID.",
)
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1), help="Local epochs of each client.")
@click.option("--client-link", default=(10.0, 5.0), show_default=True, type=LINK, help="Mbit/s and ms.")
@click.option("--cloud-link", default=(10.0, 100.0), show_default=True, type=LINK, help="Mbit/s and ms.")
@click.option("--seconds-per-image", default=0.001, show_default=True, help="A client's computing time.")
@click.option("--target", default=0.9, show_default=True, type=click.FloatRange(0, 1), help="Accuracy to reach.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def main(
    dataset: str,
    data_dir: Path | None,
    train_images: int | None,
    stations: int,
    clients: int,
    shards: int | None,
    epochs: int,
    client_link: tuple[float, float],
    cloud_link: tuple[float, float],
    seconds_per_image: float,
    target: float,
    seed: int,
) -> None:
    """Hierarchical against flat averaging: accuracy, simulated time and traffic for κ1 and κ2."""
    console = Console()
    try:
        config = TrainingConfig(
            dataset, data_dir, train_images=train_images, stations=stations, clients=clients, shards=shards, seed=seed
        )
        client, cloud = (Link(bandwidth * 1e6, ms / 1e3) for bandwidth, ms in (client_link, cloud_link))
        links = Links(client, cloud, seconds_per_image)
        loaded = load_dataset(dataset, data_dir)
        outcomes = []
        for schedule in schedules(epochs):
            with console.status(str(schedule)):
                outcomes.append(play(schedule, config, links, loaded))
    except TrainingError as error:
        raise click.ClickException(str(error)) from error
    console.print(show(outcomes, target))


if __name__ == "__main__":
    main()
