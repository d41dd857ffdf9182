"""Models by name, and their bytes as artefacts."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.artefacts import ArtefactStore, CorruptArtefact
from fl.training.edge import Update, load_update, save_update
from fl.training.errors import ModelError
from fl.training.models import MODELS, ModelSpec
from fl.training.state import load_metadata, load_model, load_state, put_state, save_model, save_state

SPEC = ModelSpec("small-cnn", (1, 8, 8), 3)

shapes = st.tuples(st.sampled_from([1, 3]), st.integers(4, 33), st.integers(4, 33))


@settings(max_examples=30)
@given(st.sampled_from(sorted(MODELS)), shapes, st.integers(2, 12))
def test_build__any_model_shape_and_classes__gives_logits(name: str, shape: tuple[int, int, int], classes: int) -> None:
    module = ModelSpec(name, shape, classes).build()
    assert module(torch.zeros(2, *shape)).shape == (2, classes)


def test_build__cnn_for_cifar10__has_the_size_of_the_literature() -> None:
    module = ModelSpec("cnn", (3, 32, 32), 10).build()
    assert sum(parameter.numel() for parameter in module.parameters()) == 2_156_490


def test_initial_state__by_seed__is_drawn_apart_from_torchs_own_random_state() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (SPEC.initial_state(seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])


def test_save_state__and_load__gives_the_same_tensors() -> None:
    state = {"b": torch.randn(3, 4), "a": torch.arange(3), "c": torch.randn(2, 3, 4, 5)[:, :, ::2]}
    loaded = load_state(save_state(state))
    assert {name: tensor.dtype for name, tensor in loaded.items()} == {
        "a": torch.int64,
        "b": torch.float32,
        "c": torch.float32,
    }
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_save_state__order_layout_and_metadata_order__do_not_change_the_bytes() -> None:
    weights, bias = torch.randn(4, 3, 2, 2), torch.randn(4)
    one = save_state({"weight": weights, "bias": bias}, {"epoch": 1, "model": "cnn", "x": [1, 2]})
    other = save_state(
        {"bias": bias, "weight": weights.to(memory_format=torch.channels_last)},
        {"x": [1, 2], "model": "cnn", "epoch": 1},
    )
    assert one == other
    assert load_metadata(one) == {"epoch": 1, "model": "cnn", "x": [1, 2]}


def test_save_model__in_another_process__has_the_same_digest() -> None:
    """What safetensors would write in random order, several metadata entries, is not left to it."""
    script = (
        "import hashlib; from fl.training.models import ModelSpec; from fl.training.state import save_model;"
        "spec = ModelSpec('small-cnn', (1, 8, 8), 3);"
        "print(hashlib.sha256(save_model(spec, spec.initial_state(4), epoch=2, station=1, n=9)).hexdigest())"
    )
    here = hashlib.sha256(save_model(SPEC, SPEC.initial_state(4), epoch=2, station=1, n=9)).hexdigest()
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == here


def test_load_model__saved__knows_what_it_is() -> None:
    state = SPEC.initial_state(0)
    spec, loaded = load_model(save_model(SPEC, state))
    assert spec == SPEC
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_load_update__saved__is_the_same() -> None:
    update = Update(SPEC, 3, 1, SPEC.initial_state(0), 120)
    loaded = load_update(save_update(update))
    assert (loaded.model, loaded.station, loaded.epoch, loaded.samples) == (SPEC, 3, 1, 120)
    assert all(torch.equal(loaded.state[name], update.state[name]) for name in update.state)


def test_artefact__flipped_bit_in_a_stored_model__is_detected(tmp_path) -> None:
    store = ArtefactStore(tmp_path)
    digest = store.put(save_model(SPEC, SPEC.initial_state(0)))
    data = bytearray(store.path(digest).read_bytes())
    data[-1] ^= 1
    store.path(digest).write_bytes(data)
    with pytest.raises(CorruptArtefact):
        load_model(store.get(digest))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: ModelSpec("resnet-18", (3, 32, 32), 10),
            "unknown model 'resnet-18': choose one of small-cnn, cnn",
        ),
        (lambda: ModelSpec("cnn", (3, 3, 8), 10), "model cnn needs images of at least 4×4 pixels"),
        (lambda: ModelSpec("cnn", (3, 8, 8), 1), "at least two target labels apart, not 1"),
        (
            lambda: put_state(SPEC.build(), ModelSpec("cnn", (1, 8, 8), 3).initial_state(0)),
            "of another model",
        ),
        (lambda: load_state(b"no safetensors file"), "not a safetensors file"),
        (lambda: load_state(b""), "not a safetensors file"),
        (lambda: load_metadata(b"\x02\0\0\0\0\0\0\0[]"), "not a safetensors file with metadata"),
        (lambda: load_model(save_state(SPEC.initial_state(0))), "does not say which model it holds"),
        (
            lambda: load_model(save_model(ModelSpec("cnn", (1, 8, 8), 3), SPEC.initial_state(0))),
            "another model",
        ),
        (
            lambda: load_update(save_model(SPEC, SPEC.initial_state(0))),
            "a model but not a base station's update",
        ),
    ],
)
def test_model__bad_input__says_what(call, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        call()
