"""Parameters of a model: tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

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


def put_state(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy the tensors into the module.

    Raises:
        ModelError: names or shapes are not the module's.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"these parameters are of another model: {error}") from error


def view_state(module: nn.Module) -> State:
    """The module's tensors themselves, which later steps change."""
    return {name: tensor.detach() for name, tensor in module.state_dict().items()}
