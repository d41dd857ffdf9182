"""`python -m analysis.benchmarks.training.memory`: peak memory of 10, 100 and 1,000 simulated clients with equal data.

Each case is a process of its own, forked before anything is trained. Counted is what the system says that the process
held at its peak (VmHWM), less what it held before the federation was built (VmRSS): the images, which are there
before, are the same for all. Linux only.
"""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

from fl.training.cloud import train
from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import Dataset, Samples
from fl.training.federation import build_federation
from fl.training.model.parameters import size_of

STATIONS = 10
MIB = 2**20


@dataclass(frozen=True)
class Peak:
    """What a global round held at its peak.

    Attributes:
        clients: of all base stations together.
        held: bytes at the peak beyond what the process held before.
        model: bytes of a model.
        images: bytes of the images, once.
    """

    clients: int
    held: int
    model: int
    images: int


def random_images(count: int) -> Dataset:
    """Images of CIFAR-10's shape; their pixels are random, for memory does not depend on what they show."""
    random = torch.Generator().manual_seed(0)

    def samples(number: int) -> Samples:
        images = torch.randint(0, 256, (number, 3, 32, 32), dtype=torch.uint8, generator=random)
        return Samples(images, torch.arange(number) % 10)

    return Dataset("cifar10", tuple(map(str, range(10))), samples(count), samples(10))


def measure(dataset: Dataset, clients: int, stations: int = STATIONS) -> Peak:
    """Play a global round of the small CNN in a forked process.

    Args:
        dataset: split over the clients.
        clients: of all base stations together.
        stations: number of base stations, which divides that of clients.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_play, args=(dataset, clients, stations, there))
    process.start()
    there.close()
    found: Peak = here.recv()
    process.join()
    return found


def _play(dataset: Dataset, clients: int, stations: int, there: Connection) -> None:
    torch.set_num_threads(1)
    before = _status("VmRSS")
    config = TrainingConfig(
        dataset="cifar10",
        stations=stations,
        clients=clients // stations,
        rounds=1,
        contribution="none",
        station=StationConfig(local_epochs=1, edge_aggregations=1, batch_size=50, learning_rate=0.01),
    )
    federation = build_federation(config, dataset)
    (done,) = train(federation.config, federation.model, InProcess(federation))
    assert not done.absent
    there.send(Peak(clients, _status("VmHWM") - before, size_of(done.state), dataset.train.inputs.nbytes))


def _status(name: str) -> int:
    """A line of what the system says about this process, bytes."""
    found = re.search(rf"^{name}:\s*(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def show(peaks: Sequence[Peak]) -> Table:
    """Beside each peak what it would be at least if every client kept a model of its own."""
    table = Table("clients", "peak, MiB", "against the first", "one model per client would take, MiB")
    for peak in peaks:
        ratio = f"{peak.held / peaks[0].held:.2f} ×"
        table.add_row(f"{peak.clients:,}", f"{peak.held / MIB:,.0f}", ratio, f"{peak.clients * peak.model / MIB:,.0f}")
    return table


@click.command()
@click.option("--images", default=10_000, show_default=True, type=click.IntRange(1_000), help="Split over the clients.")
def main(images: int) -> None:
    """Peak memory of a global round with 10, 100 and 1,000 clients of 10 base stations, the same images for each."""
    dataset, console = random_images(images), Console()
    peaks = [measure(dataset, clients) for clients in (10, 100, 1_000)]
    console.print(show(peaks))
    model, data = peaks[0].model / MIB, peaks[0].images / MIB
    console.print(
        f"{images:,} images are {data:,.0f} MiB, a model is {model:.1f} MiB, 10 base stations' updates ten times"
    )


if __name__ == "__main__":
    main()
