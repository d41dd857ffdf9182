"""What makes the steps of several clients faster on one device: variants of the same steps, taken in turn.

    python -m analysis.benchmarks.training.device_step --device cuda
    python -m analysis.benchmarks.training.device_step --device cuda --model resnet50 --batch 32 --out step.json

Every client has a model of its own and takes a step on a batch of its own; a variant's time is that of all clients'
steps, divided by their number. On a CPU it tries the variants out that need no GPU, and says nothing about one.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from operator import truediv
from pathlib import Path
from statistics import median

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from analysis.benchmarks.training import record
from analysis.benchmarks.training.inputs import as_usual
from analysis.benchmarks.training.local_step import MOMENTUM, RATE, plain_step
from analysis.provenance import check_writable, write_document
from fl.faults import line_of
from fl.training.config import StationConfig
from fl.training.errors import TrainingError
from fl.training.model.runtime import check_precision, exactly, pick_device
from fl.training.model.spec import MODELS, ModelSpec
from fl.training.model.steps import Batch, RecordedSteps, Recording, Steps

CONFIG = StationConfig(learning_rate=RATE, momentum=MOMENTUM)

Take = Callable[[Sequence[Batch]], None]
"""A step of every client, each on its batch."""


def one_by_one(modules: Sequence[nn.Module], config: StationConfig) -> Take:
    """As `fl.training` does it."""
    kind = RecordedSteps if config.graphs else Steps
    clients = [(module, kind(module, config)) for module in modules]  # recorded steps do not keep their module

    def take(batches: Sequence[Batch]) -> None:
        for (_, steps), batch in zip(clients, batches, strict=True):
            steps.take(batch)

    return take


def plain(modules: Sequence[nn.Module], _config: StationConfig) -> Take:
    """As PyTorch's tutorials do it."""
    clients = [plain_step(module) for module in modules]

    def take(batches: Sequence[Batch]) -> None:
        for step, batch in zip(clients, batches, strict=True):
            step(batch.inputs, batch.labels)

    return take


def on_streams(modules: Sequence[nn.Module], config: StationConfig) -> Take:
    """One graph in which every client has a branch, so that their operations can overlap."""
    clients = [Steps(module, config) for module in modules]
    streams = [torch.cuda.Stream() for _ in modules]

    def compute(inputs: Sequence[torch.Tensor]) -> None:
        trunk = torch.cuda.current_stream()
        for steps, stream, images, labels in zip(clients, streams, inputs[::2], inputs[1::2], strict=True):
            stream.wait_stream(trunk)
            with torch.cuda.stream(stream):
                steps.take(Batch(images, labels))
        for stream in streams:
            trunk.wait_stream(stream)

    step = recorded(compute)
    return lambda batches: step([tensor for batch in batches for tensor in batch.tensors()])


def recorded(compute: Callable[[Sequence[torch.Tensor]], None]) -> Callable[[Sequence[torch.Tensor]], None]:
    """The computation, recorded at its first inputs."""
    made: list[Recording] = []

    def step(inputs: Sequence[torch.Tensor]) -> None:
        if not made:
            made.append(Recording(compute, inputs))
        made[0].replay(inputs)

    return step


def compiled(modules: Sequence[nn.Module], config: StationConfig) -> Take:
    """`torch.compile` for each client's model."""
    return one_by_one([torch.compile(module) for module in modules], config)  # type: ignore[misc]


@dataclass(frozen=True)
class Variant:
    """A way to take the steps.

    Attributes:
        name: for people.
        make: of the clients' modules.
        usual: whether the model is as it is usually written, not as the engine has it.
        precision: of the passes.
        graphs: whether it records CUDA graphs.
        exact: whether it computes `exactly`, as the engine does; otherwise as PyTorch does unless told.
    """

    name: str
    make: Callable[[Sequence[nn.Module], StationConfig], Take]
    usual: bool = False
    precision: str = "float32"
    graphs: bool = False
    exact: bool = True

    def exactly(self, device: torch.device) -> AbstractContextManager[None]:
        """In which its steps are made and taken."""
        return exactly(device, self.precision) if self.exact else nullcontext()


PLAIN, ENGINE, COMPILED = "plain: as usually written", "the engine's", "compiled"
VARIANTS = (
    Variant(PLAIN, plain, usual=True, exact=False),
    Variant(ENGINE, one_by_one),
    Variant("the engine's, bf16", one_by_one, precision="bfloat16"),
    Variant(COMPILED, compiled, usual=True, exact=False),
    Variant("CUDA graphs", one_by_one, graphs=True),
    Variant("CUDA graphs, tf32", one_by_one, precision="tf32", graphs=True),
    Variant("CUDA graphs, bf16", one_by_one, precision="bfloat16", graphs=True),
    Variant("one graph, one stream per client", on_streams, graphs=True),
    Variant("one graph, one stream per client, tf32", on_streams, precision="tf32", graphs=True),
    Variant("one graph, one stream per client, bf16", on_streams, precision="bfloat16", graphs=True),
)


def modules_for(variant: Variant, spec: ModelSpec, clients: int, device: torch.device) -> list[nn.Module]:
    """A model for each client, as the variant has it, in training mode."""
    modules = [spec.build(seed=client, device=device) for client in range(clients)]
    return [(as_usual(module) if variant.usual else module).train() for module in modules]


def random_batch(spec: ModelSpec, size: int, device: torch.device, random: torch.Generator) -> Batch:
    """Images of random pixels with random labels."""
    images = torch.randint(0, 256, (size, *spec.input_shape), dtype=torch.uint8, generator=random)
    labels = torch.randint(0, spec.classes, (size,), generator=random)
    return Batch(images.to(device), labels.to(device))


def measure(
    variants: Sequence[Variant], spec: ModelSpec, clients: int, batch: int, device: torch.device, rounds: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds per step of a client, by variant and round; and why others could not be measured."""
    random = torch.Generator().manual_seed(0)
    batches = [random_batch(spec, batch, device, random) for _ in range(clients)]
    ready: dict[Variant, Take] = {}
    unable: dict[str, str] = {}
    for variant in variants:
        config = replace(CONFIG, precision=variant.precision, graphs=variant.graphs)
        try:
            if variant.graphs and device.type != "cuda":
                raise TrainingError("needs a GPU")
            check_precision(variant.precision, device)
            with variant.exactly(device):
                take = variant.make(modules_for(variant, spec, clients, device), config)
                take(batches)
                _wait(device)
            ready[variant] = take
        except (TrainingError, RuntimeError) as error:  # not everything can be compiled or captured everywhere
            unable[variant.name] = str(error).splitlines()[0]
    taken: dict[str, list[float]] = {variant.name: [] for variant in ready}
    for _ in range(rounds):
        for variant, take in ready.items():
            with variant.exactly(device):
                take(batches)
                _wait(device)
                start = time.perf_counter()
                take(batches)
                _wait(device)
                taken[variant.name].append((time.perf_counter() - start) / clients)
    return taken, unable


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@click.command()
@click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--model", default="cnn", show_default=True, type=click.Choice(list(MODELS)))
@click.option("--batch", default=50, show_default=True, type=click.IntRange(1), help="Images in one step.")
@click.option("--clients", default=10, show_default=True, type=click.IntRange(1))
@click.option("--rounds", default=30, show_default=True, type=click.IntRange(1), help="A step of every client each.")
@click.option(
    "--variant", "names", multiple=True, type=click.Choice([each.name for each in VARIANTS]), help="Default: all."
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File for the figures.")
def main(
    device: str, model: str, batch: int, clients: int, rounds: int, names: tuple[str, ...], out: Path | None
) -> None:
    """Time of a client's step, by what makes it faster."""
    console = Console()
    try:
        where = pick_device(device)
        if out:
            check_writable(out)
    except (TrainingError, OSError) as error:
        raise click.ClickException(line_of(error)) from None
    variants = [each for each in VARIANTS if not names or each.name in names]
    taken, unable = measure(variants, ModelSpec(model, (3, 32, 32), 10), clients, batch, where, rounds)
    first = variants[0].name
    base = taken.get(first)  # None: the device cannot do it
    table = Table("step", "ms (median)", f"× {first} (median over the rounds)")
    for name, seconds in taken.items():
        ratio = f"{median(map(truediv, base, seconds)):.2f}" if base else "-"
        table.add_row(name, f"{median(seconds) * 1e3:.3f}", ratio)
    for name, reason in unable.items():
        table.add_row(name, "-", reason)
    console.print(table)
    if out:
        machine, versions, sources = record.here(where.type)
        document = {
            "command": shlex.join(["python", "-m", "analysis.benchmarks.training.device_step", *sys.argv[1:]]),
            **sources,
            "machine": machine,
            "versions": {name: versions[name] for name in ("python", "torch")},
            "seconds": taken,
            "unable": unable,
        }
        write_document(out, document)
        console.print(f"Written: {out}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
