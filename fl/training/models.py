"""Models by name. To add one, write its factory here and name it in `MODELS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fl.training.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

    from fl.training.state import State

ImageShape: TypeAlias = tuple[int, int, int]
"""Channels, height, width."""


def small_cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """One pooled 3×3 convolution (32), two dense layers: for images about 8×8, where it has 34,000 parameters."""
    from torch import nn

    channels, height, width = image_shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (height // 2) * (width // 2), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """Two pooled 5×5 convolutions (32 and 64), two dense layers (McMahan et al. 2017); 2.2 M at 32×32."""
    from torch import nn

    channels, height, width = image_shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 512),
        nn.ReLU(),
        nn.Linear(512, classes),
    )


MODELS: Mapping[str, Callable[[ImageShape, int], nn.Module]] = {"small-cnn": small_cnn, "cnn": cnn}

SMALLEST_IMAGE = 4
"""Height and width, in pixels, that two poolings by 2 leave something of."""


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model again: it travels with every artefact.

    Attributes:
        name: in `MODELS`.
        image_shape: of its input: channels, height, width. A batch is float32 [n, channels, height, width] in
            [−1, 1].
        classes: number of target labels; the output is logits [n, classes].

    Raises:
        ModelError: the name is unknown, the image too small, or there are fewer than two classes.
    """

    name: str
    image_shape: ImageShape
    classes: int

    def __post_init__(self) -> None:
        if self.name not in MODELS:
            raise ModelError(f"unknown model {self.name!r}: choose one of {', '.join(MODELS)}")
        if min(self.image_shape[1:]) < SMALLEST_IMAGE:
            raise ModelError(f"model {self.name} needs images of at least {SMALLEST_IMAGE}×{SMALLEST_IMAGE} pixels")
        if self.classes < 2:
            raise ModelError(f"a model tells at least two target labels apart, not {self.classes}")

    def build(self, seed: int = 0) -> nn.Module:
        """The module with parameters drawn by the seed; torch's own random state is left as it was.

        Its weights lie in memory channels last: a third off the time of a convolution on a CPU.
        """
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module = MODELS[self.name](self.image_shape, self.classes)
        return module.to(memory_format=torch.channels_last)

    def initial_state(self, seed: int) -> State:
        """The parameters that training starts from."""
        return dict(self.build(seed).state_dict())
