"""Parameters of a model: tensors by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from fl.training.errors import ModelError

State: TypeAlias = dict[str, torch.Tensor]
"""Tensors by name: a module's state_dict."""


def on_gpu(tensor: torch.Tensor) -> bool:
    """Whether each operation is a launch, which costs more than its numbers; a CPU rather keeps these in its cache."""
    return tensor.is_cuda


def is_finite(state: Mapping[str, torch.Tensor]) -> bool:
    """Whether every parameter is a number."""
    return all(map(math.isfinite, magnitudes(floats_of(state)).tolist()))


def floats_of(state: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tensors that may hold something that is no finite number."""
    return [tensor for tensor in state.values() if tensor.is_floating_point() and tensor.numel()]


def magnitudes(tensors: Collection[torch.Tensor]) -> torch.Tensor:
    """The largest magnitude in each tensor, 0 in an empty one; not finite where the tensor is not.

    All are worked out where the tensors are, and can be read at once: each read waits for the GPU.

    Args:
        tensors: of real numbers, on one device.

    Returns:
        Double precision, [number of tensors].
    """
    if tensors and all(on_gpu(each) and each.is_floating_point() and each.numel() for each in tensors):
        return torch.stack(torch._foreach_norm(list(tensors), math.inf)).double()  # a few launches; on a CPU it is slow
    ends = [
        torch.stack(torch.aminmax(tensor)).double() if tensor.numel() else tensor.new_zeros(2, dtype=torch.float64)
        for tensor in tensors
    ]
    return torch.stack(ends).abs().amax(dim=1) if ends else torch.zeros(0, dtype=torch.float64)


def size_of(state: Mapping[str, torch.Tensor]) -> int:
    """Bytes of the tensors: what a model costs to send."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


_FRESH: WeakKeyDictionary[nn.Module, list[tuple[str, str, torch.Tensor | None]]] = WeakKeyDictionary()
"""Of each module what its buffers beside the state held when its first state was put: part, name, value."""

_PLAIN: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""Of each module whether to load a state is to copy its tensors."""


def put_state(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy the tensors into the module, and give its buffers beside the state the values that they began with.

    So one module serves many clients, and none finds what another left in a buffer that is not part of the state.

    Raises:
        ModelError: names or shapes are not the module's.
    """
    try:
        if not _copied(module, state):
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


def _copied(module: nn.Module, state: Mapping[str, torch.Tensor]) -> bool:
    """Copy the tensors at once, where that is what `load_state_dict` would do one by one; whether it was done."""
    if module not in _PLAIN:
        _PLAIN[module] = _loads_plainly(module)
    if not _PLAIN[module]:
        return False
    held = module.state_dict(keep_vars=True)
    if not held or held.keys() != state.keys() or any(held[name].shape != each.shape for name, each in state.items()):
        return False
    # two names of one tensor: the later one's value, as one launch writes in no order
    pairs = {_place_of(each): (each, state[name]) for name, each in held.items()}
    if len({memory for memory, *_ in pairs}) < len(pairs):  # tensors that may overlap: in order then
        return False
    with torch.no_grad():
        torch._foreach_copy_([each for each, _ in pairs.values()], [value for _, value in pairs.values()])
    return True


def _place_of(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Its memory, and where in that and how the tensor lies; of one without memory, the tensor."""
    if not tensor.numel():
        return (id(tensor),)
    return tensor.untyped_storage().data_ptr(), tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _loads_plainly(module: nn.Module) -> bool:
    """Whether no part of the module has a way of its own to save or load."""
    methods = ("state_dict", "load_state_dict", "_save_to_state_dict", "get_extra_state", "set_extra_state")
    hooks = ("_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks")
    loading = (nn.Module._load_from_state_dict, _NormBase._load_from_state_dict)  # which adds what old states lack
    return all(
        getattr(part._load_from_state_dict, "__func__", None) in loading
        and all(getattr(getattr(part, name), "__func__", None) is getattr(nn.Module, name) for name in methods)
        and not any(getattr(part, name) for name in hooks)
        for part in module.modules()
    )


def _beside_state(module: nn.Module) -> Iterator[tuple[str, str, torch.Tensor | None]]:
    """The buffers that are not part of the state (registered with `persistent=False`): part, name, tensor."""
    for path, part in module.named_modules():
        for name in sorted(part._non_persistent_buffers_set):
            yield path, name, part._buffers.get(name)


def view_state(module: nn.Module) -> State:
    """The module's tensors themselves, which later steps change."""
    state = module.state_dict()
    return {name: tensor.detach() if tensor.requires_grad else tensor for name, tensor in state.items()}
