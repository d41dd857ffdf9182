"""Steps of a client's SGD: taken one operation at a time, or recorded as a CUDA graph and replayed.

A step of a small model is hundreds of operations of microseconds, and a large GPU waits for Python to launch each.
A recorded step is one launch: its operations are captured once for each size of batch, on tensors that stay where they
are, and replayed for every later step of every client.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.sgd import sgd

from fl.training.config import StationConfig
from fl.training.data.augment import Views, augment
from fl.training.data.dataset import to_input
from fl.training.errors import ModelError, TrainingError
from fl.training.model.objective import mean_loss
from fl.training.model.optimizers import Optimizer
from fl.training.model.runtime import autocast
from fl.training.named import said


@dataclass(frozen=True, eq=False)
class Batch:
    """What a step is taken on.

    Attributes:
        inputs: as `fl.training.data.dataset.Samples` has them.
        labels: the same.
        views: how each image is seen; None: as it is.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    views: Views | None = None

    def tensors(self) -> list[torch.Tensor]:
        """All of it."""
        views = self.views
        return [self.inputs, self.labels, *([views.top, views.left, views.mirrored] if views else [])]

    @classmethod
    def of(cls, tensors: Sequence[torch.Tensor]) -> Batch:
        """The batch of these `tensors()`."""
        inputs, labels, *views = tensors
        return cls(inputs, labels, Views(*views) if views else None)


class Steps:
    """Steps of SGD on a module, from its parameters and at rest, and what they carry from one to the next.

    Args:
        module: trained in place, on the device of the batches.
        config: optimizer, loss, FedProx's μ, precision.
        rate: learning rate; None: the configuration's.
        correction: what is added to each step's gradient, by parameter; None: nothing.

    Attributes:
        total: loss summed over the samples since it was last set to zero, without FedProx's term.

    Raises:
        TrainingError: the optimizer cannot be made.
    """

    def __init__(
        self,
        module: nn.Module,
        config: StationConfig,
        rate: float | None = None,
        correction: Mapping[str, torch.Tensor] | None = None,
    ):
        self._module = module
        self._config = config
        self._rate = config.learning_rate if rate is None else rate
        named = {name: each for name, each in module.named_parameters() if each.requires_grad}
        self._parameters: list[torch.Tensor] = list(named.values())
        plain = config.optimizer == "SGD"
        self._velocities = [torch.empty_like(each) for each in self._parameters] if plain else []
        self._optimizer = None if plain else Optimizer(config, self._parameters, self._rate)
        self._start = [torch.empty_like(each) for each in self._parameters] if config.proximal else []
        self._correction: list[torch.Tensor] = []
        if correction:
            self._correction = [
                correction[name].to(each) if name in correction else torch.zeros_like(each)
                for name, each in named.items()
            ]
        self._normalisations = [each for each in module.modules() if isinstance(each, _BatchNorm)]
        self.total = torch.zeros((), device=self._parameters[0].device)
        self.begin()

    def begin(self) -> None:
        """Start anew at the module's parameters, at rest."""
        with torch.no_grad():
            if self._velocities:
                torch._foreach_zero_(self._velocities)
            if self._start:
                torch._foreach_copy_(self._start, self._parameters)

    def take(self, batch: Batch) -> None:
        """One step.

        Raises:
            ModelError: the module does not take these inputs.
            TrainingError: the loss or the optimizer fails.
        """
        inputs = batch.inputs if batch.views is None else augment(batch.inputs, batch.views)
        with autocast(self._config.precision, inputs.device), normalised_alone(self._normalisations, len(batch.labels)):
            try:
                outputs = self._module(to_input(inputs))
            except torch.OutOfMemoryError:
                raise
            except (Exception, SystemExit) as error:  # the module may be anybody's
                raise ModelError(f"the model fails on a batch of {len(batch.labels)} samples: {said(error)}") from error
        loss = mean_loss(self._config.loss, outputs.to(torch.get_default_dtype()), batch.labels)
        gradients = gradients_of(loss, self._parameters)
        if self._start:
            with torch.no_grad():
                away = torch._foreach_sub(self._parameters, self._start)
                torch._foreach_add_(gradients, away, alpha=self._config.proximal)
        if self._correction:
            with torch.no_grad():
                torch._foreach_add_(gradients, self._correction)
        if self._config.gradient_clip is not None:
            clip(gradients, self._config.gradient_clip)
        if self._optimizer is not None:
            self._optimizer.step(gradients)
        else:
            decay, momentum = self._config.weight_decay, self._config.momentum
            descend(self._parameters, gradients, self._velocities, self._rate, momentum, decay)
        self.total += loss.detach() * len(batch.labels)


@contextmanager
def normalised_alone(normalisations: Sequence[nn.Module], samples: int) -> Iterator[None]:
    """Let batch normalisations that get a single value for each channel use the statistics that they have.

    One value has no variance. So where a client's last batch is one sample, which PyTorch refuses to train on, that
    sample is normalised as a test sample is, and trained on like every other; the statistics stay as they are.
    """
    if samples > 1 or not normalisations:
        yield
        return

    def choose(part: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        part.training = inputs[0].numel() > inputs[0].shape[1]

    before = [part.training for part in normalisations]
    hooks = [part.register_forward_pre_hook(choose) for part in normalisations if part.training]
    try:
        yield
    finally:
        for part, training in zip(normalisations, before, strict=True):
            part.training = training
        for hook in hooks:
            hook.remove()


def gradients_of(loss: torch.Tensor, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients that lie in memory as their parameters do."""
    return laid_like(parameters, torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


def laid_like(parameters: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The gradients in their parameters' order of memory, which `autograd.grad` does not promise; sparse ones in full.

    The fused step takes both as rows of numbers, and would give a parameter the gradient of another without a word.
    """
    return [
        gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient.to_dense())
        for gradient, parameter in zip(gradients, parameters, strict=True)
    ]


def clip(gradients: list[torch.Tensor], most: float) -> None:
    """Scale gradients in place so that their norm, over all of them together, is at most so much."""
    with torch.no_grad():
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        # min, not clamp: a norm that is no number stays one, and the loss says so
        torch._foreach_mul_(gradients, torch.minimum(most / norm, torch.ones_like(norm)))


def descend(
    parameters: list[torch.Tensor],
    gradients: list[torch.Tensor],
    velocities: list[torch.Tensor],
    rate: float,
    momentum: float,
    weight_decay: float = 0.0,
) -> None:
    """A step of SGD in place, one pass over all three."""
    # torch.optim.SGD is this function behind a class whose constructor spends 1.4 s on importing torch's compiler
    sgd(
        parameters,
        gradients,
        list(velocities),
        fused=True,
        weight_decay=weight_decay,
        momentum=momentum,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
    )


class RecordedSteps(Steps):
    """Steps that are recorded at the first batch of each size, and replayed from then on.

    Args:
        module: as for `Steps`. Its tensors must stay where they are for good; their values may change.
        config: as for `Steps`.
    """

    def __init__(self, module: nn.Module, config: StationConfig):
        # a proxy, so that the module can be freed, and its recorded steps with it
        super().__init__(cast("nn.Module", weakref.proxy(module)), config)
        self._recorded: dict[int, Recording] = {}

    def take(self, batch: Batch) -> None:
        """One step; every one is a replay, also the first of its size, so that all are computed alike.

        Raises:
            TrainingError: the step cannot be recorded.
        """
        self.record(batch)
        self._recorded[len(batch.labels)].replay(batch.tensors())

    def record(self, batch: Batch) -> None:
        """Record a step on batches of this one's size, if none is yet; nothing that is trained changes.

        Raises:
            TrainingError: the step cannot be recorded.
        """
        if len(batch.labels) not in self._recorded:
            self._recorded[len(batch.labels)] = self._record_on(batch)

    def _record_on(self, batch: Batch) -> Recording:
        buffers = dict(self._module.named_buffers())  # also those beside the state, which are a client's own
        changed = [*self._module.parameters(), *buffers.values(), *self._velocities, self.total]
        before = [tensor.detach().clone() for tensor in changed]
        device = batch.labels.device
        try:
            with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
                recording = Recording(lambda inputs: super(RecordedSteps, self).take(Batch.of(inputs)), batch.tensors())
            for name, buffer in self._module.named_buffers():
                if buffer is not buffers.get(name):
                    raise ModelError(f"its buffer {name} is replaced, where it should be changed in place")
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError) as error:
            what = str(error).partition("\n")[0] or type(error).__name__  # CUDA's own go on for a page
            raise TrainingError(f"a step of this model cannot be recorded ({what}): use --no-graphs") from error
        finally:
            with torch.no_grad():
                for tensor, value in zip(changed, before, strict=True):
                    tensor.copy_(value)
        return recording


class Recording:
    """A computation recorded on tensors of its own, and replayed on the values of others.

    Args:
        compute: what to record; it is run a few times on the tensors first.
        inputs: what to record it on, on one device; they are copied.
    """

    def __init__(self, compute: Callable[[Sequence[torch.Tensor]], None], inputs: Sequence[torch.Tensor]):
        self._inputs = own = [tensor.clone() for tensor in inputs]
        self._replay = record_graph(lambda: compute(own), own[0].device)

    def replay(self, inputs: Sequence[torch.Tensor]) -> None:
        """Replay it on inputs of the same shapes."""
        for mine, given in zip(self._inputs, inputs, strict=True):
            mine.copy_(given)
        self._replay()


_WARM_UPS = 3
"""Times that a computation is run before it is captured: libraries choose algorithms and allocate at the first."""


class _Place:
    """Where graphs are captured: a stream, and a pool of memory for what they compute in between.

    What a graph leaves lies in tensors from before it, and the graphs of one stream are replayed one after the other,
    so all of those can compute in the same memory. The pool ends with its last graph, and cannot be used again.
    """

    def __init__(self, device: torch.device):
        self.stream = torch.cuda.Stream(device)
        self.pool = torch.cuda.graph_pool_handle()


_PLACES: WeakValueDictionary[torch.cuda.Stream, _Place] = WeakValueDictionary()
"""By the stream that graphs are replayed on."""


@dataclass(frozen=True, eq=False)
class _Graph:
    """A captured graph, which keeps its place."""

    graph: torch.cuda.CUDAGraph
    place: _Place

    def __call__(self) -> None:
        self.graph.replay()


def record_graph(compute: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Capture as a CUDA graph, to be replayed on the stream that is current now.

    Args:
        compute: what it computes lies in tensors that are there before.
        device: where.

    Raises:
        RuntimeError: an operation cannot be captured.
    """
    current = torch.cuda.current_stream(device)
    if (place := _PLACES.get(current)) is None:
        place = _PLACES[current] = _Place(device)
    graph = torch.cuda.CUDAGraph()
    place.stream.wait_stream(current)
    with torch.cuda.stream(place.stream):
        try:
            for _ in range(_WARM_UPS):
                compute()
        finally:  # after an error too: what the stream still writes to is restored or freed then
            torch.cuda.synchronize(device)
        torch.cuda.empty_cache()  # of the warm-ups: the graph computes in memory of its own
        graph.capture_begin(pool=place.pool)
        try:
            compute()
        except BaseException:
            with suppress(RuntimeError):  # that the capture is broken, which says nothing of why
                graph.capture_end()
            raise
        graph.capture_end()
    current.wait_stream(place.stream)
    return _Graph(graph, place)


_RECORDED: WeakKeyDictionary[nn.Module, dict[StationConfig, RecordedSteps]] = WeakKeyDictionary()


def steps_on(
    module: nn.Module,
    config: StationConfig,
    rate: float | None = None,
    correction: Mapping[str, torch.Tensor] | None = None,
) -> Steps:
    """Steps on a module, at its parameters and at rest; recorded ones are kept with the module.

    Args:
        module: trained in place.
        config: as for `Steps`.
        rate: learning rate; None: the configuration's, at which steps are recorded.
        correction: as for `Steps`; none where steps are recorded.
    """
    if config.graphs:
        assert not correction  # which a base station refuses
        kept = _RECORDED.setdefault(module, {})
        if config in kept:
            kept[config].begin()
        else:
            kept[config] = RecordedSteps(module, config)
        return kept[config]
    return Steps(module, config, rate, correction)
