"""How far apart two trainings end that compute the same in another order, or with other instructions.

Both round differently at every step. In units of the way from the initial model to the trained one, that makes 3 to 60
times the precision of the type within the first hundred steps of either small network, whatever the instruction set and
the number of threads:

    python -m tests.support.drift       # prints it for this process; `make portable` for all kinds of CPU

A fault of the arithmetic is far larger: a learning rate that is 1 % off makes 5e-3 and more. But now and then rounding
decides on which side of 0 an activation lies; then a gradient jumps, and trainings part by 1e-3 to 1e-1. In float32
that happens once in some ten million activations, in float64 in no test's life. So trainings are compared in float64
where the code under test computes in it (`in_float64`), and by one number of the whole model: a single element tells of
its own rounding alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from fl.training.data.dataset import load_dataset, to_input
from fl.training.model.spec import ModelSpec

STEPS = 100
"""As many steps of one client can be compared."""

LIMIT = 1000
"""In units of the type's precision: over ten times what rounding was seen to do within `STEPS`. In float32 that is
1e-4, a fiftieth of what a rate does that is 1 % off."""

State = Mapping[str, torch.Tensor]


def drift(found: State, expected: State, start: State) -> float:
    """‖found − expected‖ / ‖expected − start‖ over all parameters, in float64."""
    assert found.keys() == expected.keys() == start.keys()
    return _distance(found, expected) / _distance(expected, start)


def assert_trained_alike(found: State, expected: State, start: State) -> None:
    """Both are the same training of `start`, but for rounding; at most `STEPS` steps of a client."""
    apart, limit = drift(found, expected, start), limit_of(start)
    # compared so that what is no number fails
    assert apart <= limit, f"{apart:.1e} of the way trained apart, rounding makes less than {limit:.0e}"


def limit_of(state: State) -> float:
    """How far apart trainings of tensors of this type may end."""
    return LIMIT * max(torch.finfo(tensor.dtype).eps for tensor in state.values() if tensor.is_floating_point())


@contextmanager
def in_float64() -> Iterator[None]:
    """What is built or loaded inside computes in float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _distance(one: State, other: State) -> float:
    return sum(float((one[name].double() - other[name].double()).square().sum()) for name in one) ** 0.5


@dataclass(frozen=True)
class Setting:
    """A training to be measured: one client on digits."""

    model: str
    rate: float
    momentum: float
    batch: int = 16
    images: int = 400


SETTINGS = tuple(
    Setting(model, rate, momentum) for model in ("small-cnn", "cnn") for rate, momentum in ((0.1, 0.8), (0.05, 0.9))
)


def trained(setting: Setting, steps: int, dtype: torch.dtype = torch.float32) -> Iterator[tuple[State, State]]:
    """The initial model and the model after each step, by the plain loop of PyTorch's tutorials."""
    images = load_dataset("digits").train
    built = ModelSpec(setting.model, (1, 8, 8), 10).build(seed=1)
    assert isinstance(built, nn.Sequential)
    module = nn.Sequential(*built).to(dtype)
    start = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    optimiser = torch.optim.SGD(module.parameters(), lr=setting.rate, momentum=setting.momentum)
    random = torch.Generator().manual_seed(0)
    taken = 0
    while True:
        for part in torch.randperm(setting.images, generator=random).split(setting.batch):
            if taken == steps:
                return
            optimiser.zero_grad()
            outputs = module(to_input(images.inputs[part]).to(dtype))
            nn.functional.cross_entropy(outputs, images.labels[part]).backward()
            optimiser.step()
            taken += 1
            yield start, module.state_dict()


def drifts(setting: Setting, steps: int) -> list[float]:
    """After each step, of float32 against float64."""
    both = zip(trained(setting, steps), trained(setting, steps, torch.float64), strict=True)
    return [drift(found, expected, start) for (_, found), (start, expected) in both]


def main() -> None:
    """Print what rounding does here."""
    isa = os.environ.get("ONEDNN_MAX_CPU_ISA", "as it likes")
    print(f"PyTorch {torch.backends.cpu.get_cpu_capability()}, oneDNN {isa}, {torch.get_num_threads()} threads")
    precision = torch.finfo(torch.float32).eps
    for setting in SETTINGS:
        largest = max(drifts(setting, STEPS)) / precision
        print(f"  {setting.model:9} rate {setting.rate:<4}  at most {largest:.0f} times the precision of float32")
        assert largest <= LIMIT / 5, "the limit is too near to what rounding does"


if __name__ == "__main__":
    main()
