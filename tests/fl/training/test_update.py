"""What a base station may send instead of an update: each is refused in one line, before it costs anything."""

from __future__ import annotations

import io
import json
import resource
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.training.errors import ModelError
from fl.training.model.artefact import LARGEST, load_model, most_bytes, save_model, save_state
from fl.training.model.spec import ModelSpec
from fl.training.update import Update, load_update, save_update

SPEC = ModelSpec("small-cnn", (1, 8, 8), 3)
UPDATE = Update(SPEC, 3, 1, SPEC.initial_state(0), 120)
DATA = save_update(UPDATE)
HEADER_BYTES = int.from_bytes(DATA[:8], "little")
HEADER = json.loads(DATA[8 : 8 + HEADER_BYTES])
MODEL = {"name": "small-cnn", "image_shape": [1, 8, 8], "classes": 3}
FIELDS: dict[str, Any] = {"model": MODEL, "station": 3, "global_round": 1, "samples": 120}


def with_header(header: object) -> bytes:
    """The same tensors behind another header."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + DATA[8 + HEADER_BYTES :]


def with_fields(fields: str) -> bytes:
    return with_header({**HEADER, "__metadata__": {"hcfl": fields}})


def fields(**changes: Any) -> bytes:
    return with_fields(json.dumps({**FIELDS, **changes}))


def model(**changes: Any) -> bytes:
    return fields(model={**MODEL, **changes})


def tensor(name: str = "0.bias", **changes: Any) -> bytes:
    return with_header({**HEADER, name: {**HEADER[name], **changes}})


def with_value(value: float, name: str = "0.bias") -> bytes:
    state = {each: values.clone() for each, values in UPDATE.state.items()}
    state[name].view(-1)[-1] = value
    return save_update(replace(UPDATE, state=state))


def npz() -> bytes:
    """80 MB of zeros in 80 kB."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        content = io.BytesIO()
        np.save(content, np.zeros(10_000_000))
        archive.writestr("0.bias.npy", content.getvalue())
    return file.getvalue()


def pickled() -> bytes:
    file = io.BytesIO()
    torch.save(UPDATE.state, file)
    return file.getvalue()


def test_update__honest__is_read_and_within_the_size() -> None:
    assert load_update(fields(), SPEC, 1).samples == 120
    assert load_update(DATA, SPEC, 1).samples == 120
    assert len(DATA) <= most_bytes(SPEC) < len(DATA) + 100_000


@pytest.mark.parametrize("name", ["small-cnn", "cnn", "resnet18"])
def test_most_bytes__of_each_model__is_room_for_it(name: str) -> None:
    spec = ModelSpec(name, (3, 32, 32), 10)
    state = {tensor: torch.zeros(shape, dtype=dtype) for tensor, (shape, dtype) in spec.tensors().items()}
    data = save_update(Update(spec, 2**31 - 1, 2**31 - 1, state, 2**31 - 1))
    assert len(data) <= most_bytes(spec) < len(data) + 100_000


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "not a safetensors file"),
    "garbage": (lambda: bytes(range(256)) * 4, "not a safetensors file"),
    "cut off in the header": (lambda: DATA[:100], "not a safetensors file"),
    "cut off in a tensor": (lambda: DATA[:-1], "not a safetensors file"),
    "something behind": (lambda: DATA + b"\0", "not a safetensors file"),
    "a header of 2^63 bytes": (lambda: (2**63).to_bytes(8, "little") + DATA[8:], "not a safetensors file"),
    "much larger": (lambda: DATA + bytes(200_000), "bytes, one of small-cnn of 3 classes .* at most"),
    "npz": (npz, "not a safetensors file"),
    "pickle": (pickled, "bytes, one of|not a safetensors file"),
    "a tensor missing": (lambda: save_model(SPEC, {"0.bias": UPDATE.state["0.bias"]}), "of another model"),
    "a tensor more": (lambda: save_model(SPEC, {**UPDATE.state, "x": torch.zeros(1)}), "of another model"),
    "tensors of another shape": (lambda: tensor(shape=[2, 16]), "of another model"),
    "tensors of another type": (lambda: tensor(dtype="I32"), "of another model"),
    "a type that torch has not": (lambda: tensor(dtype="F6_E2M3"), "not a safetensors file"),
    "a shape beyond all sizes": (lambda: tensor(shape=[2**40, 2**40]), "not a safetensors file"),
    "offsets backwards": (lambda: tensor(data_offsets=[128, 0]), "not a safetensors file"),
    "tensors that overlap": (lambda: tensor(data_offsets=HEADER["0.weight"]["data_offsets"]), "not a safetensors file"),
    "no metadata": (lambda: save_state(UPDATE.state), "does not say which model"),
    "metadata that is no JSON": (lambda: with_fields("{"), "metadata"),
    "metadata nested deep": (lambda: with_fields("[" * 30_000), "metadata of this project: nested deeper than 20"),
    "metadata a list": (lambda: with_fields("[1, 2]"), "metadata"),
    "no model": (lambda: with_fields("{}"), "does not say which model"),
    "model a list": (lambda: fields(model=[1]), "does not say which model"),
    "model null": (lambda: fields(model=None), "does not say which model"),
    "another model": (lambda: model(name="cnn"), "holds cnn of 3 classes"),
    "a model that nobody knows": (lambda: model(name="gpt"), "unknown model 'gpt'"),
    "a model of a long name": (lambda: model(name="a." * 10_000), "its name is no line of text"),
    "a model of two lines": (lambda: model(name="a.b\nError: all is lost"), "its name is no line of text"),
    "a model of no name": (lambda: model(name=5), "its name is no line of text"),
    "classes without end": (lambda: with_fields(json.dumps({**FIELDS, "model": {**MODEL, "classes": 1e999}})), "whole"),
    "classes a text": (lambda: model(classes="3"), "whole number"),
    "classes of 5,000 digits": (lambda: with_fields('{"model":{"classes":' + "9" * 5_000 + "}}"), "metadata"),
    "images of two sides": (lambda: model(image_shape=[8, 8]), "takes images .*, not inputs 8×8"),
    "images of nine sides": (lambda: model(image_shape=[2] * 9), "does not say which model"),
    "images of no size": (lambda: model(image_shape=None), "does not say which model"),
    "no station": (lambda: save_model(SPEC, UPDATE.state), "not a base station's update"),
    "station negative": (lambda: fields(station=-1), "whole number"),
    "samples 0": (lambda: fields(samples=0), "of no samples"),
    "samples negative": (lambda: fields(samples=-5), "whole number"),
    "samples 10^30": (lambda: fields(samples=10**30), "whole number"),
    "samples a fraction": (lambda: fields(samples=1.5), "whole number"),
    "samples true": (lambda: fields(samples=True), "whole number"),
    "samples without end": (lambda: fields(samples=float("inf")), "whole number"),
    "samples no number": (lambda: fields(samples=float("nan")), "whole number"),
    "samples a text": (lambda: fields(samples="120"), "whole number"),
    "samples a list": (lambda: fields(samples=[120]), "whole number"),
    "another global round": (lambda: fields(global_round=2), "is of global round 2, not 1"),
    "an old global round": (lambda: fields(global_round=0), "is of global round 0, not 1"),
    "weights nan": (lambda: with_value(float("nan")), "0.bias is no number, or larger than 1e"),
    "weights infinite": (lambda: with_value(float("inf")), "no number, or larger"),
    "weights -infinite": (lambda: with_value(float("-inf"), "0.weight"), "0.weight is no number, or larger"),
    "weights of 3e38": (lambda: with_value(3e38), "no number, or larger"),
    "weights of -3e38": (lambda: with_value(-3e38), "no number, or larger"),
    "weights beyond what is believed": (lambda: with_value(1.01 * LARGEST), "no number, or larger"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_update__that_is_none__refused_in_one_line(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(ModelError, match=said) as refused:
        load_update(make(), SPEC, 1)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 500


def test_update__of_the_largest_parameters__is_read() -> None:
    load_update(with_value(-LARGEST), SPEC, 1)


def test_load_model__of_ones_own__may_hold_any_number() -> None:
    """A run that diverges is told so by its trainer, whose checkpoints are not refused."""
    load_model(with_value(float("nan")), SPEC, own=True)


@settings(max_examples=60)
@given(st.binary(max_size=200))
def test_update__any_bytes__refused_in_one_line(data: bytes) -> None:
    for each in (data, len(data).to_bytes(8, "little") + data):
        with pytest.raises(ModelError) as refused:
            load_update(each, SPEC, 1)
        assert "\n" not in str(refused.value)


@settings(max_examples=150)
@given(at=st.integers(0, 8 + HEADER_BYTES - 1), byte=st.integers(0, 255))
def test_update__any_byte_of_the_header_changed__is_an_update_or_refused(at: int, byte: int) -> None:
    data = bytearray(DATA)
    data[at] = byte
    try:
        load_update(bytes(data), SPEC, 1)
    except ModelError as error:
        assert "\n" not in str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150)
@given(st.data())
def test_update__any_value_in_any_field__is_an_update_or_refused(data: st.DataObject) -> None:
    value = data.draw(JSON)
    where = data.draw(st.sampled_from(("fields", "model", "tensor", "header")))
    match where:
        case "fields":
            artefact = fields(**{data.draw(st.sampled_from(sorted(FIELDS))): value})
        case "model":
            artefact = model(**{data.draw(st.sampled_from(sorted(MODEL))): value})
        case "tensor":
            artefact = tensor(**{data.draw(st.sampled_from(("dtype", "shape", "data_offsets"))): value})
        case _:
            artefact = with_header({**HEADER, data.draw(st.sampled_from(sorted(HEADER))): value})
    try:
        update = load_update(artefact, SPEC, 1)
    except ModelError as error:
        assert "\n" not in str(error) and len(str(error)) < 500
    else:
        assert update.samples > 0 and update.state.keys() == UPDATE.state.keys()


def test_update__that_claims_to_unfold__takes_no_memory() -> None:
    bombs = [npz(), tensor(shape=[2**40, 2**40]), (2**62).to_bytes(8, "little") + DATA[8:]]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in bombs:
        with pytest.raises(ModelError):
            load_update(bomb, SPEC, 1)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kB
