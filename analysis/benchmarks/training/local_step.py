"""What makes a client's step of SGD faster on one core: CPU time of each variant, taken in turn in one process.

    python -m analysis.benchmarks.training.local_step

One thread, the `cnn` model, batches of 50 images of random pixels. CPU time rather than the clock's, and the variants
in turn, so that what else the machine does falls on all alike. `fl/training/speed.md` says what came of it.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from operator import truediv
from statistics import median

import click
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional

from analysis.benchmarks.training.inputs import as_usual
from fl.training.config import StationConfig
from fl.training.crews.worker import keep_memory
from fl.training.data.dataset import to_input
from fl.training.errors import TrainingError
from fl.training.model.runtime import check_precision, use_threads
from fl.training.model.spec import MODELS, ModelSpec
from fl.training.model.steps import Batch, Steps

SPEC = ModelSpec("cnn", (3, 32, 32), 10)
BATCH, RATE, MOMENTUM = 50, 0.01, 0.9

Step = Callable[[torch.Tensor, torch.Tensor], None]


def layers() -> nn.Sequential:
    """The model as its factory gives it, pooled first and rectified then."""
    return MODELS[SPEC.name](SPEC.input_shape, SPEC.classes)  # type: ignore[return-value]


def plain_step(module: nn.Module) -> Step:
    """As PyTorch's tutorials do it."""
    optimizer = torch.optim.SGD(module.parameters(), lr=RATE, momentum=MOMENTUM)

    def step(images: torch.Tensor, labels: torch.Tensor) -> None:
        optimizer.zero_grad()
        functional.cross_entropy(module(to_input(images)), labels).backward()
        optimizer.step()

    return step


def fused_step(module: nn.Module, precision: str = "float32") -> Step:
    """As `fl.training` does it."""
    steps = Steps(module, StationConfig(learning_rate=RATE, momentum=MOMENTUM, precision=precision))
    return lambda images, labels: steps.take(Batch(images, labels))


def return_memory() -> None:
    """Undo `keep_memory`: glibc's own thresholds."""
    mallopt = ctypes.CDLL(None).mallopt
    for what, value in ((-3, 128 << 10), (-1, 128 << 10), (-2, 128 << 10)):
        mallopt(what, value)
    ctypes.CDLL(None).malloc_trim(0)


def variants() -> dict[str, tuple[Callable[[], None], Step]]:
    """Each with the setting of the allocator that it runs under; each adds one thing to the one before."""
    usual = as_usual(layers())
    last = as_usual(layers()).to(memory_format=torch.channels_last)
    pooled = nn.Sequential(*layers()).to(memory_format=torch.channels_last)
    found = {
        "plain": (return_memory, plain_step(usual)),
        "memory kept": (keep_memory, plain_step(usual)),
        "and channels last": (keep_memory, plain_step(last)),
        "and pooled before rectified": (keep_memory, plain_step(pooled)),
        "and activations in oneDNN's blocks": (keep_memory, plain_step(SPEC.build())),
        "and fused SGD: what a worker does": (keep_memory, fused_step(SPEC.build())),
    }
    with suppress(TrainingError):
        check_precision("bfloat16", torch.device("cpu"))
        found["and bfloat16"] = (keep_memory, fused_step(SPEC.build(), "bfloat16"))
    return found


def rates() -> dict[str, tuple[float, Callable[[], object]]]:
    """What the second convolution, two thirds of a step, does beside a large matrix product: operations, and itself."""
    side = 1024
    square = torch.randn(side, side)
    values, kernel = torch.randn(BATCH, 32, 16, 16).to_mkldnn(), torch.randn(64, 32, 5, 5)
    slopes = torch.randn(BATCH, 64, 16, 16).to_mkldnn()
    multiplied = 2.0 * BATCH * 16 * 16 * 64 * 32 * 5 * 5

    def backward(of_inputs: bool) -> object:
        settings = ([1, 1], [2, 2], [1, 1], False, [0, 0], 1, [of_inputs, not of_inputs, False])
        return torch.ops.aten.convolution_backward(slopes, values, kernel, [0], *settings)

    return {
        "a matrix product of 1,024 × 1,024": (2.0 * side**3, lambda: square @ square),
        "second convolution, forward": (multiplied, lambda: torch.conv2d(values, kernel, padding=2)),
        "its gradient by its inputs": (multiplied, lambda: backward(True)),
        "its gradient by its weights": (multiplied, lambda: backward(False)),
    }


def _cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True, help="Three steps of each a round.")
def main(rounds: int) -> None:
    """CPU time of a step, by what makes it faster, and how near the processor's peak what is left of it is."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, *SPEC.input_shape), dtype=torch.uint8, generator=random)
    labels = torch.randint(0, SPEC.classes, (BATCH,), generator=random)
    chosen = variants()
    taken: dict[str, list[float]] = {name: [] for name in chosen}
    bare = rates()
    alone: dict[str, list[float]] = {name: [] for name in bare}
    with use_threads(1):
        for _ in range(rounds):
            for name, (allocator, step) in chosen.items():
                allocator()
                step(images, labels)
                taken[name].append(median(_cpu_seconds(partial(step, images, labels)) for _ in range(3)))
            for name, (_, work) in bare.items():
                work()
                alone[name].append(median(_cpu_seconds(work) for _ in range(3)))
    table = Table("step", "ms of CPU time (median)", "× plain (median over the rounds)")
    for name, times in taken.items():
        table.add_row(name, f"{median(times) * 1e3:.1f}", f"{median(map(truediv, taken['plain'], times)):.2f}")
    Console().print(table)
    table = Table("by itself, in float32", "ms of CPU time (median)", "GFLOP/s")
    for name, times in alone.items():
        table.add_row(name, f"{median(times) * 1e3:.1f}", f"{bare[name][0] / median(times) / 1e9:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
