"""Models by name, or by the dotted path of a factory of one's own.

A factory takes the shape of an input, such as (channels, height, width), and the number of classes, and returns a
module from inputs [n, *shape] to logits [n, classes]; images of bytes come as float32 in [−1, 1], other inputs as they
are (`fl.training.data.dataset.to_input`). To add a model here, name it in `MODELS`.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeAlias

from fl.training.errors import ModelError
from fl.training.named import asking, is_path, resolve
from fl.training.seeds import Stream, derive_seed

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fl.training.config import StationConfig
    from fl.training.data.dataset import Samples, Shape
    from fl.training.model.parameters import State

Factory: TypeAlias = "Callable[[Shape, int], nn.Module]"


# Pooled first and rectified then, which gives the same bits as the other way round, on a quarter of the numbers.


def linear(input_shape: Shape, classes: int) -> nn.Module:
    """Softmax regression: one dense layer on an input of any shape."""
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), classes))


def mlp(input_shape: Shape, classes: int) -> nn.Module:
    """Two dense layers of 200 and one for the classes, on an input of any shape (McMahan et al. 2017's 2NN)."""
    from torch import nn

    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(math.prod(input_shape), 200),
        nn.ReLU(),
        nn.Linear(200, 200),
        nn.ReLU(),
        nn.Linear(200, classes),
    )


def small_cnn(input_shape: Shape, classes: int) -> nn.Module:
    """One pooled 3×3 convolution (32), two dense layers: for images about 8×8, where it has 34,000 parameters."""
    from torch import nn

    channels, height, width = input_shape
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * (height // 2) * (width // 2), 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def cnn(input_shape: Shape, classes: int) -> nn.Module:
    """Two pooled 5×5 convolutions (32 and 64), two dense layers (McMahan et al. 2017); 2.2 M at 32×32."""
    from torch import nn

    from fl.training.model.blocked import Blocked

    channels, height, width = input_shape
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


def resnet(depth: int, input_shape: Shape, classes: int) -> nn.Module:
    """ResNet of torchvision for small images: a 3×3 stem of stride 1 without pooling (He et al. 2016, section 4.2).

    Groups are normalised instead of batches: batch statistics of clients that differ do not average (Hsieh et al.
    2020), and what a client sends is then its parameters only.
    """
    from torch import nn
    from torchvision.models import resnet18, resnet50

    from fl.training.model.normalisation import GroupNorm

    build = {18: resnet18, 50: resnet50}[depth]
    module: nn.Module = build(num_classes=classes, norm_layer=partial(GroupNorm, _GROUPS))
    module.conv1 = nn.Conv2d(input_shape[0], 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(module.conv1.weight, mode="fan_out", nonlinearity="relu")
    module.maxpool = nn.Identity()
    return module


MODELS: Mapping[str, Factory] = {
    "small-cnn": small_cnn,
    "cnn": cnn,
    "resnet18": partial(resnet, 18),
    "resnet50": partial(resnet, 50),
    "linear": linear,
    "mlp": mlp,
}

_OF_ANY_SHAPE = ("linear", "mlp")
"""Models whose inputs are not only images."""

SMALLEST_IMAGE = 4
"""Height and width, in pixels, that two poolings by 2 leave something of."""


def _check_name(name: str) -> None:
    """Look a model up; imports nothing.

    Raises:
        ModelError: the name is unknown, and no path of a factory.
    """
    if name not in MODELS and not _is_own(name):
        raise ModelError(
            f"unknown model {name!r}: choose one of {', '.join(MODELS)}, or give the dotted path of a factory"
        )


def _is_own(name: str) -> bool:
    return name not in MODELS and is_path(name)


@dataclass(frozen=True)
class ModelSpec:
    """All that is needed to build a model again: it travels with every artefact.

    Attributes:
        name: in `MODELS`, or the dotted path of a factory: `package.module:factory` or `package.module.factory`,
            with arguments if need be (`fl.training.named`).
        input_shape: of its input; of images channels, height, width. A batch is [n, *input_shape].
        classes: number of target labels; the output is logits [n, classes]. Of other data, the numbers to predict.

    Raises:
        ModelError: the name is unknown, the inputs are no images or too small ones for it, or it has no output.
    """

    name: str
    input_shape: Shape
    classes: int

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.name in MODELS and self.name not in _OF_ANY_SHAPE:
            if not self.has_images:
                raise ModelError(f"model {self.name} takes images [channels, height, width], not {self._inputs}")
            if min(self.input_shape[1:]) < SMALLEST_IMAGE:
                least = f"{SMALLEST_IMAGE}×{SMALLEST_IMAGE} pixels"
                raise ModelError(
                    f"model {self.name} takes images [channels, height, width] of at least {least}, not {self._inputs}"
                )
        if self.classes < 1:
            raise ModelError(f"a model has at least one output, not {self.classes}")

    def __str__(self) -> str:
        return f"{self.name} of {self.classes} classes for {self._inputs}"

    @property
    def has_images(self) -> bool:
        """Whether its inputs have channels, height and width."""
        return len(self.input_shape) == len(("channels", "height", "width"))

    @property
    def _inputs(self) -> str:
        return f"{self._kind} {'×'.join(map(str, self.input_shape))}"

    @property
    def _kind(self) -> str:
        return "images" if self.has_images else "inputs"

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
            what = f"model {self.name} cannot be built for {self._kind} {self.input_shape} and {self.classes} classes"
            with asking(what, ModelError):
                module = factory(self.input_shape, self.classes)
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

    def check(self, like: Samples | None = None, config: StationConfig | None = None) -> None:
        """Try the model on two inputs, judging and training, and on one; twice, from the same parameters.

        Args:
            like: samples of what it is for, at least one, of which the first and the last are tried: a model of words
                may refuse nothing but padding; None: two black images.
            config: of the steps that train it; None: the default.

        Raises:
            ModelError: it cannot be built, does not take such inputs, its output is not logits [2, classes], nothing in
                it can be trained, or it keeps something beside its state that what it computes depends on.
            TrainingError: what the steps are to be taken with fails.
        """
        import torch

        from fl.training.config import StationConfig
        from fl.training.data.dataset import Samples

        if like is None:
            like = Samples(torch.zeros(1, *self.input_shape, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64))
        two = Samples(like.inputs[[0, -1]], like.labels[[0, -1]])
        module = self.build()
        if not any(parameter.requires_grad for parameter in module.parameters()):
            raise ModelError(f"model {self.name} has no parameter that is trained")
        start = copy.deepcopy(dict(module.state_dict()))
        first, again = (self._tried(module, start, two, config or StationConfig()) for _ in range(2))
        if not all(torch.equal(one.nan_to_num(), other.nan_to_num()) for one, other in zip(first, again, strict=True)):
            raise ModelError(
                f"model {self.name}, or its loss, computes something else the second time: it keeps what it has seen "
                "where the next client finds it (register_buffer is the place), or draws from a generator of its own"
            )

    def _tried(self, module: nn.Module, start: State, two: Samples, config: StationConfig) -> Sequence[torch.Tensor]:
        """What judging two samples gives, and then the tensors after two steps."""
        import torch

        from fl.training.data.dataset import to_input
        from fl.training.model.objective import check_loss
        from fl.training.model.parameters import put_state
        from fl.training.model.runtime import reproducible, use_threads
        from fl.training.model.steps import Batch, Steps

        put_state(module.eval(), start)
        with use_threads(1), reproducible(0, torch.device("cpu")), warnings.catch_warnings(action="ignore"):
            what = f"model {self.name} does not take {self._kind} {self.input_shape} of {two.inputs.dtype}"
            with torch.inference_mode(), asking(what, ModelError):
                outputs = module(to_input(two.inputs))
            shape = tuple(getattr(outputs, "shape", ()))
            if shape != (2, self.classes):
                raise ModelError(f"model {self.name} gives outputs {shape} for 2 {self._kind}, not (2, {self.classes})")
            check_loss(config.loss, outputs.to(torch.get_default_dtype()), two.labels)
            steps = Steps(module.train(), config)
            for count in (2, 1):
                steps.take(Batch(two.inputs[:count], two.labels[:count]))
        return [outputs, *(tensor.clone() for tensor in module.state_dict().values())]


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


def _tensors_in(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _outline(spec: ModelSpec) -> nn.Module:
    import torch

    with torch.device("cpu" if spec.is_own else "meta"):  # the meta device takes no memory and draws nothing
        return spec.build(device=None)


def _import_factory(path: str) -> Factory:
    with asking("", ModelError):
        return resolve(path, "factory")
