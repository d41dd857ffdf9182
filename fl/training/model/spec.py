"""Models by name, or by the dotted path of a factory of one's own.

A factory takes the shape of an image (channels, height, width) and the number of classes, and returns a module from
float32 [n, channels, height, width] in [−1, 1] to logits [n, classes]. To add a model here, name it in `MODELS`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias

from fl.faults import line_of
from fl.training.errors import ModelError
from fl.training.seeds import Stream, derive_seed

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fl.training.data.dataset import ImageShape
    from fl.training.model.parameters import State

Factory: TypeAlias = "Callable[[ImageShape, int], nn.Module]"


# Pooled first and rectified then, which gives the same bits as the other way round, on a quarter of the numbers.


def small_cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """One pooled 3×3 convolution (32), two dense layers: for images about 8×8, where it has 34,000 parameters."""
    from torch import nn

    channels, height, width = image_shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * (height // 2) * (width // 2), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def cnn(image_shape: ImageShape, classes: int) -> nn.Module:
    """Two pooled 5×5 convolutions (32 and 64), two dense layers (McMahan et al. 2017); 2.2 M at 32×32."""
    from torch import nn

    from fl.training.model.blocked import Blocked

    channels, height, width = image_shape
    return Blocked(
        nn.Conv2d(channels, 32, 5, padding=2),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 512),
        nn.ReLU(),
        nn.Linear(512, classes),
    )


_GROUPS = 32
"""Groups of each group normalisation (Wu and He 2018)."""


def resnet(depth: int, image_shape: ImageShape, classes: int) -> nn.Module:
    """ResNet of torchvision for small images: a 3×3 stem of stride 1 without pooling (He et al. 2016, section 4.2).

    Groups are normalised instead of batches: batch statistics of clients that differ do not average (Hsieh et al.
    2020), and what a client sends is then its parameters only.
    """
    from torch import nn
    from torchvision.models import resnet18, resnet50

    build = {18: resnet18, 50: resnet50}[depth]
    module: nn.Module = build(num_classes=classes, norm_layer=partial(nn.GroupNorm, _GROUPS))
    module.conv1 = nn.Conv2d(image_shape[0], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(module.conv1.weight, mode="fan_out", nonlinearity="relu")
    module.maxpool = nn.Identity()
    return module


MODELS: Mapping[str, Factory] = {
    "small-cnn": small_cnn,
    "cnn": cnn,
    "resnet18": partial(resnet, 18),
    "resnet50": partial(resnet, 50),
}

SMALLEST_IMAGE = 4
"""Height and width, in pixels, that two poolings by 2 leave something of."""


def check_name(name: str) -> None:
    """Look a model up; imports nothing.

    Raises:
        ModelError: the name is unknown, and no path of a factory.
    """
    if name not in MODELS and not _is_own(name):
        raise ModelError(
            f"unknown model {name!r}: choose one of {', '.join(MODELS)}, or give the dotted path of a factory"
        )


def _is_own(name: str) -> bool:
    return name not in MODELS and any(mark in name for mark in ".:")


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model again: it travels with every artefact.

    Attributes:
        name: in `MODELS`, or the dotted path of a factory: `package.module:factory` or `package.module.factory`.
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
        check_name(self.name)
        if not self.is_own and min(self.image_shape[1:]) < SMALLEST_IMAGE:
            raise ModelError(f"model {self.name} needs images of at least {SMALLEST_IMAGE}×{SMALLEST_IMAGE} pixels")
        if self.classes < 2:
            raise ModelError(f"a model tells at least two target labels apart, not {self.classes}")

    def __str__(self) -> str:
        channels, height, width = self.image_shape
        return f"{self.name} of {self.classes} classes for images {channels}×{height}×{width}"

    @property
    def is_own(self) -> bool:
        """Whether the name is the path of a factory outside this package, which building imports and calls."""
        return _is_own(self.name)

    def build(self, seed: int = 0, device: str | torch.device | None = "cpu") -> nn.Module:
        """The module with parameters drawn by the seed; torch's own random state is left as it was.

        The parameters are drawn on the CPU, the same for every device. The weights lie in memory channels last: a
        third off the time of a convolution on a CPU.

        Args:
            seed: of the parameters.
            device: where to put the module; None: leave it where it was built.

        Raises:
            ModelError: the factory cannot be found or does not return a module.
        """
        import torch

        factory = _import_factory(self.name) if self.is_own else MODELS[self.name]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                module = factory(self.image_shape, self.classes)
            except Exception as error:  # the factory may be anybody's
                what = f"for images {self.image_shape} and {self.classes} classes"
                raise ModelError(f"model {self.name} cannot be built {what}: {_said(error)}") from error
        if not isinstance(module, torch.nn.Module):
            raise ModelError(f"model {self.name} is no torch.nn.Module but {type(module).__name__}")
        if lazy := [name for name, each in _tensors_in(module) if torch.nn.parameter.is_lazy(each)]:
            raise ModelError(f"model {self.name} has a lazy layer, of no size yet ({lazy[0]}): give it its sizes")
        module.to(memory_format=torch.channels_last)
        return module if device is None else module.to(device)

    def tensors(self) -> Mapping[str, tuple[tuple[int, ...], torch.dtype]]:
        """Shape and type of each tensor of its state, by name.

        Raises:
            ModelError: it cannot be built.
        """
        import torch

        return _tensors_of(self, torch.get_default_dtype())

    def trained(self, *, tied: bool = False) -> Sequence[str]:
        """Names of its parameters, which are trained, unlike a batch normalisation's statistics.

        Args:
            tied: with every name of a parameter that stands in several places, not only the first.

        Raises:
            ModelError: it cannot be built.
        """
        return _trained_of(self, tied)

    def initial_state(self, seed: int) -> State:
        """The parameters that a run of this seed starts from: what its owner proposes."""
        return dict(self.build(derive_seed(seed, Stream.MODEL)).state_dict())

    def check(self) -> None:
        """Try the model on two blank images, judging and training, and on one.

        Raises:
            ModelError: it cannot be built, does not take such images, its output is not logits [2, classes], or
                nothing in it can be trained.
        """
        import torch

        from fl.training.config import StationConfig
        from fl.training.model.runtime import reproducible
        from fl.training.model.steps import Batch, Steps

        module = self.build().eval()
        try:
            with torch.inference_mode():
                outputs = module(torch.zeros(2, *self.image_shape))
        except Exception as error:
            raise ModelError(f"model {self.name} does not take images {self.image_shape}: {_said(error)}") from error
        shape = tuple(getattr(outputs, "shape", ()))
        if shape != (2, self.classes):
            raise ModelError(f"model {self.name} gives outputs {shape} for 2 images, not (2, {self.classes})")
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ModelError(f"model {self.name} has no parameter that is trained")
        with reproducible(0, torch.device("cpu")):
            steps = Steps(module.train(), StationConfig())
            for count in (2, 1):
                images = torch.zeros(count, *self.image_shape, dtype=torch.uint8)
                steps.take(Batch(images, torch.zeros(count, dtype=torch.int64)))


def check_state(spec: ModelSpec, state: Mapping[str, torch.Tensor]) -> None:
    """Check that these are the tensors of a model, without building it.

    Raises:
        ModelError: a name, a shape or a type is not the model's.
    """
    expected = spec.tensors()
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()}
    for name in (*expected, *found):
        if found.get(name) != expected.get(name):
            raise ModelError(
                f"these parameters are of another model: {name} is {found.get(name, 'missing')}, "
                f"{spec} has {expected.get(name, 'none')}"
            )


@lru_cache(maxsize=16)
def _tensors_of(spec: ModelSpec, default: torch.dtype) -> Mapping[str, tuple[tuple[int, ...], torch.dtype]]:
    return {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in _outline(spec).state_dict().items()}


@lru_cache(maxsize=16)
def _trained_of(spec: ModelSpec, tied: bool) -> Sequence[str]:
    return tuple(name for name, _ in _outline(spec).named_parameters(remove_duplicate=not tied))


def _said(error: BaseException) -> str:
    plain = isinstance(error, ImportError | AttributeError | TypeError | ValueError | RuntimeError) and str(error)
    return line_of(error) if plain else f"{type(error).__name__}: {line_of(error)}"


def _tensors_in(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _outline(spec: ModelSpec) -> nn.Module:
    import torch

    with torch.device("cpu" if spec.is_own else "meta"):  # the meta device takes no memory and draws nothing
        return spec.build(device=None)


def _import_factory(path: str) -> Factory:
    try:
        factory = pkgutil.resolve_name(path)
    except (Exception, SystemExit) as error:  # its module may do anything
        raise ModelError(
            f"the factory {path} cannot be imported ({_said(error)}): give package.module:factory, findable from here"
        ) from error
    if not callable(factory):
        raise ModelError(f"the factory {path} cannot be called")
    return factory  # type: ignore[no-any-return]
