"""Parameters of a model: tensors by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import nn

from fl.training.errors import ModelError

State: TypeAlias = dict[str, torch.Tensor]
"""Tensors by name: a module's state_dict."""


def is_finite(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether every parameter is a number."""
    found = [torch.isfinite(tensor).all() for tensor in state.values()]
    return not found or bool(torch.stack(found).all())  # one value to read: each read waits for the GPU


def size_of(state: Mapping[str, torch.Tensor]) -> int:
    """Bytes of the tensors: what a model costs to send."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


_FRESH: WeakKeyDictionary[nn.Module, list[tuple[str, str, torch.Tensor | None]]] = WeakKeyDictionary()
"""Of each module what its buffers beside the state held when its first state was put: part, name, value."""


def put_state(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy the tensors into the module, and give its buffers beside the state the values that they began with.

    So one module serves many clients, and none finds what another left in a buffer that is not part of the state.

    Raises:
        ModelError: names or shapes are not the module's.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"these parameters are of another model: {error}") from error
    if module not in _FRESH:
        _FRESH[module] = [
            (part, name, None if buffer is None else buffer.detach().clone())
            for part, name, buffer in _beside_state(module)
        ]
    for part, name, fresh in _FRESH[module]:
        buffers = module.get_submodule(part)._buffers
        there = buffers.get(name)
        if fresh is None or there is None or there.shape != fresh.shape or there.is_inference():
            buffers[name] = None if fresh is None else fresh.clone()
        else:
            with torch.no_grad():
                there.copy_(fresh)  # in place: a recorded step knows where it lies


def _beside_state(module: nn.Module) -> Iterator[tuple[str, str, torch.Tensor | None]]:
    """The buffers that are not part of the state (registered with `persistent=False`): part, name, tensor."""
    for path, part in module.named_modules():
        for name in sorted(part._non_persistent_buffers_set):
            yield path, name, part._buffers.get(name)


def view_state(module: nn.Module) -> State:
    """The module's tensors themselves, which later steps change."""
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}
