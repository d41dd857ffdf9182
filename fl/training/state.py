"""Parameters of a model, and their bytes as an artefact.

Equal parameters give equal bytes, so that the SHA-256 of the file can stand for the model on chain:
safetensors sorts the tensors; of the metadata, which it writes in random order, there is one entry, JSON with
sorted keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from fl.training.errors import ModelError
from fl.training.models import ModelSpec

State: TypeAlias = dict[str, torch.Tensor]
"""Tensors by name: a module's state_dict."""

_ENTRY = "hcfl"


def save_state(state: Mapping[str, torch.Tensor], metadata: Mapping[str, Any] | None = None) -> bytes:
    """A safetensors file of tensors and of any metadata that JSON holds; the same bytes in every process."""
    entry = {_ENTRY: json.dumps(dict(metadata), sort_keys=True)} if metadata else None
    return save({name: state[name].detach().cpu().contiguous() for name in sorted(state)}, entry)


def load_state(data: bytes) -> State:
    """The tensors of a safetensors file.

    Raises:
        ModelError: `data` is not one.
    """
    try:
        return load(data)
    except SafetensorError as error:
        raise ModelError(f"not a safetensors file: {error}") from error


def load_metadata(data: bytes) -> dict[str, Any]:
    """The metadata given to `save_state`; empty where there was none.

    Raises:
        ModelError: `data` is not a safetensors file with such metadata.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        return dict(json.loads(header.get("__metadata__", {}).get(_ENTRY, "{}")))
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"not a safetensors file with metadata of this project: {error}") from error


def save_model(spec: ModelSpec, state: Mapping[str, torch.Tensor], **fields: Any) -> bytes:
    """A model as an artefact: its tensors, with its spec and further fields as metadata."""
    model = {"name": spec.name, "image_shape": spec.image_shape, "classes": spec.classes}
    return save_state(state, {"model": model, **fields})


def load_model(data: bytes) -> tuple[ModelSpec, State]:
    """A model saved by `save_model`.

    Raises:
        ModelError: `data` is not one, or its tensors are not those of the model that it names.
    """
    state = load_state(data)
    try:
        model = load_metadata(data)["model"]
        channels, height, width = (int(size) for size in model["image_shape"])
        spec = ModelSpec(model["name"], (channels, height, width), int(model["classes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the artefact does not say which model it holds: {error}") from error
    put_state(spec.build(), state)
    return spec, state


def put_state(module: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Copy the tensors into the module.

    Raises:
        ModelError: names or shapes are not the module's.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(f"these parameters are of another model: {error}") from error


def copy_state(module: nn.Module) -> State:
    """A copy of the module's tensors, which later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}
