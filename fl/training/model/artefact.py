"""A model's parameters as an artefact, whose SHA-256 can stand for the model on chain.

Equal parameters give equal bytes. safetensors sorts the tensors, but writes metadata in random order: so there is one
entry of it, JSON with sorted keys.

Whoever loads one may trust nobody: whatever the bytes are, there comes a model or one kind of error, nothing runs, and
no more memory is taken than a few times their size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from fl.shallow_json import shallow_json
from fl.training.errors import ModelError
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec, check_state

LARGEST = 1e6
"""Of a parameter that is believed: no model that works has one, and much larger ones overflow in its first layers."""

_ENTRY = "hcfl"
_METADATA_BYTES = 2**16
_MOST_NAME = 200
_MOST_SIDES = 8


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
        raise ModelError(f"not a safetensors file: {_cut(error)}") from error
    except Exception as error:  # torch has no such type, or no such shape
        raise ModelError(f"not a safetensors file of tensors that torch has: {_cut(error)}") from error


def load_metadata(data: bytes) -> dict[str, Any]:
    """The metadata given to `save_state`; empty where there was none.

    Raises:
        ModelError: `data` is not a safetensors file with such metadata.
    """
    try:
        length = int.from_bytes(data[:8], "little")
        header = shallow_json(data[8 : 8 + length])
        return dict(shallow_json(header.get("__metadata__", {}).get(_ENTRY, "{}").encode()))
    except (ValueError, AttributeError, TypeError) as error:
        raise ModelError(f"not a safetensors file with metadata of this project: {_cut(error)}") from error


def save_model(spec: ModelSpec, state: Mapping[str, torch.Tensor], **fields: Any) -> bytes:
    """A model as an artefact: its tensors, with its spec and further fields as metadata."""
    model = {"name": spec.name, "image_shape": spec.input_shape, "classes": spec.classes}
    return save_state(state, {"model": model, **fields})


def most_bytes(spec: ModelSpec) -> int:
    """Bytes that an artefact of a model has at most: what to read of one that somebody else stored.

    Raises:
        ModelError: the model cannot be built.
    """
    tensors = spec.tensors()
    content = sum(math.prod(shape) * dtype.itemsize for shape, dtype in tensors.values())
    header = sum(256 + 6 * len(name) + 24 * len(shape) for name, (shape, _) in tensors.items())
    return content + header + _METADATA_BYTES


def load_model(data: bytes, expected: ModelSpec | None = None, *, own: bool = False) -> tuple[ModelSpec, State]:
    """A model saved by `save_model`.

    Whoever made the artefact chose the name in it. So a factory outside this package is imported only where
    `expected` names it: give it wherever it is known.

    Args:
        data: the artefact.
        expected: the model that it must hold; None: any of `fl.training.model.spec.MODELS`.
        own: this program has stored it itself: its size and the magnitudes of its parameters are not looked at.

    Raises:
        ModelError: `data` is not one or larger than one, it holds another model than expected, its tensors are not
            those of the model that it names, or a parameter is no number or too large.
    """
    if not own and expected is not None and len(data) > (most := most_bytes(expected)):
        raise ModelError(f"the artefact has {len(data):,} bytes, one of {expected} at most {most:,}")
    state = load_state(data)
    try:
        model = load_metadata(data)["model"]
        sizes = model["image_shape"]  # so named since there were only images
        if not isinstance(sizes, list) or len(sizes) > _MOST_SIDES:
            raise ValueError("the shape of its inputs is none")
        shape = tuple(whole_number(size) for size in sizes)
        name, classes = model["name"], whole_number(model["classes"])
        if not isinstance(name, str) or not name.isprintable() or len(name) > _MOST_NAME:
            raise ValueError("its name is no line of text")
    except ModelError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the artefact does not say which model it holds: {_cut(error)}") from error
    spec = ModelSpec(name, shape, classes)
    if expected is not None and spec != expected:
        raise ModelError(f"the artefact holds {spec}, not {expected}")
    if expected is None and spec.is_own:
        raise ModelError(f"the artefact names the factory {spec.name}, which is not imported unless it is expected")
    check_state(spec, state)
    if not own:
        check_magnitudes(state)
    return spec, state


def whole_number(value: object) -> int:
    """A whole number of an artefact's metadata, 0 … 2^31 − 1.

    Raises:
        ValueError: it is none.
    """
    if type(value) is not int or not 0 <= value < 2**31:
        raise ValueError(f"{str(value)[:40]!r} is no whole number below 2^31")
    return value


def check_magnitudes(state: State) -> None:
    """Refuse a model that nobody would load from somebody else.

    Raises:
        ModelError: a parameter is no number or too large.
    """
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.numel() and not tensor.abs().amax() <= LARGEST:  # not: or nan
            raise ModelError(f"a parameter in {name} is no number, or larger than {LARGEST:g}")


def _cut(error: Exception) -> str:
    """What an error says, in one line of some length: parts of it may be the artefact's."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}…"
