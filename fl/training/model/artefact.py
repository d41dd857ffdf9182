"""A model's parameters as an artefact, whose SHA-256 can stand for the model on chain.

Equal parameters give equal bytes. safetensors sorts the tensors, but writes metadata in random order: so there is one
entry of it, JSON with sorted keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from fl.training.errors import ModelError
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec, check_state

_ENTRY = "hcfl"
_MOST_BRACKETS = 100


def save_state(state: Mapping[str, torch.Tensor], metadata: Mapping[str, Any] | None = None) -> bytes:
    """A safetensors file of tensors and of any metadata that JSON holds; the same bytes in every process.

    Tensors that share memory, such as tied weights, are stored under each of their names.
    """
    entry = {_ENTRY: json.dumps(dict(metadata), sort_keys=True)} if metadata else None
    tensors: State = {}
    taken: set[int] = set()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        tensors[name] = tensor.clone() if place in taken else tensor
        taken.add(place)
    return save(tensors, entry)


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
        entry = header.get("__metadata__", {}).get(_ENTRY, "{}")
        # Whoever made the artefact wrote this. JSON that is nested deep ends Python's reader, or the process.
        if entry.count("[") + entry.count("{") > _MOST_BRACKETS:
            raise ValueError(f"more than {_MOST_BRACKETS} brackets")
        return dict(json.loads(entry))
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"not a safetensors file with metadata of this project: {error}") from error


def save_model(spec: ModelSpec, state: Mapping[str, torch.Tensor], **fields: Any) -> bytes:
    """A model as an artefact: its tensors, with its spec and further fields as metadata."""
    model = {"name": spec.name, "image_shape": spec.image_shape, "classes": spec.classes}
    return save_state(state, {"model": model, **fields})


def load_model(data: bytes, expected: ModelSpec | None = None) -> tuple[ModelSpec, State]:
    """A model saved by `save_model`.

    Whoever made the artefact chose the name in it. So a factory outside this package is imported only where
    `expected` names it: give it wherever it is known.

    Args:
        data: the artefact.
        expected: the model that it must hold; None: any of `fl.training.model.spec.MODELS`.

    Raises:
        ModelError: `data` is not one, it holds another model than expected, or its tensors are not those of the
            model that it names.
    """
    state = load_state(data)
    try:
        model = load_metadata(data)["model"]
        channels, height, width = (int(size) for size in model["image_shape"])
        spec = ModelSpec(str(model["name"]), (channels, height, width), int(model["classes"]))
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"the artefact does not say which model it holds: {error}") from error
    if expected is not None and spec != expected:
        raise ModelError(f"the artefact holds {spec}, not {expected}")
    if expected is None and spec.is_own:
        raise ModelError(f"the artefact names the factory {spec.name}, which is not imported unless it is expected")
    check_state(spec, state)
    return spec, state
