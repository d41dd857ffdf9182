"""Models by name, and their bytes as artefacts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.store.artefacts import ArtefactStore
from fl.store.errors import Corrupt
from fl.store.files import Files
from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data.dataset import Dataset
from fl.training.errors import ModelError
from fl.training.model.artefact import load_metadata, load_model, load_state, save_model, save_state
from fl.training.model.parameters import put_state
from fl.training.model.spec import ModelSpec
from fl.training.update import Update, load_update, save_update

SPEC = ModelSpec("small-cnn", (1, 8, 8), 3)

shapes = st.tuples(st.sampled_from([1, 3]), st.integers(4, 33), st.integers(4, 33))


@settings(max_examples=30)
@given(st.sampled_from(["small-cnn", "cnn"]), shapes, st.integers(2, 12))
def test_build__any_model_shape_and_classes__gives_logits(name: str, shape: tuple[int, int, int], classes: int) -> None:
    module = ModelSpec(name, shape, classes).build()
    assert module(torch.zeros(2, *shape)).shape == (2, classes)


def test_build__cnn_for_cifar10__has_the_size_of_the_literature() -> None:
    module = ModelSpec("cnn", (3, 32, 32), 10).build()
    assert sum(parameter.numel() for parameter in module.parameters()) == 2_156_490


@pytest.mark.parametrize(("name", "parameters"), [("resnet18", 11_173_962), ("resnet50", 23_520_842)])
def test_build__resnet__is_torchvisions_with_a_stem_for_small_images_and_group_norm(name: str, parameters: int) -> None:
    """Torchvision's own have 11,181,642 and 23,528,522 at 10 classes: the 3×3 stem saves 7,680."""
    spec = ModelSpec(name, (3, 32, 32), 10)
    assert sum(math.prod(shape) for shape, _ in spec.tensors().values()) == parameters
    with torch.device("meta"):
        module = spec.build(device=None)
        features = module.layer1(module.maxpool(module.relu(module.bn1(module.conv1(torch.zeros(1, 3, 32, 32))))))
    assert features.shape[2:] == (32, 32)
    assert not [part for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)]
    assert list(module.buffers()) == []


def test_build__resnet18__is_trained_by_a_client(digits: Dataset) -> None:
    module = ModelSpec("resnet18", (1, 8, 8), 10).build(seed=1)
    assert float(module.conv1.weight.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.15)  # He et al. 2015
    samples = digits.train.take(np.arange(16))
    config = StationConfig(local_epochs=4, batch_size=8, learning_rate=0.005, momentum=0.0)
    first = train_client(module, samples, config, seed=0, epochs=1)
    assert train_client(module, samples, config, seed=0) < first / 2


# Factories of one's own


def linear(input_shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(math.prod(input_shape), classes))


def two_outputs(input_shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    return linear(input_shape, 2)


def frozen(input_shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    return linear(input_shape, classes).requires_grad_(False)


def grey_only(input_shape: tuple[int, int, int], classes: int) -> torch.nn.Module:
    return linear((1, *input_shape[1:]), classes)


def no_module(input_shape: tuple[int, int, int], classes: int) -> list[int]:
    return [classes]


OWN = f"{__name__}:linear"


@pytest.mark.parametrize("path", [OWN, OWN.replace(":", ".")])
def test_build__dotted_path__is_the_factorys_module(path: str) -> None:
    spec = ModelSpec(path, (1, 8, 8), 3)
    spec.check()
    assert {name: shape for name, (shape, _) in spec.tensors().items()} == {"1.weight": (3, 64), "1.bias": (3,)}
    assert torch.equal(spec.initial_state(4)["1.weight"], spec.initial_state(4)["1.weight"])
    assert load_model(save_model(spec, spec.initial_state(0)), spec)[0] == spec


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere.at_all:model", r"nowhere.at_all:model cannot be imported \(No module named 'nowhere'\)"),
        ("math:nothing", r"math:nothing cannot be imported \(module 'math' has no attribute 'nothing'\)"),
        ("math:pi", "the factory math:pi cannot be called"),
        ("math:sqrt", r"math:sqrt cannot be built for images \(3, 8, 8\) and 3 classes: math.sqrt\(\) takes exactly"),
        (f"{__name__}:no_module", "is no torch.nn.Module but list"),
        (f"{__name__}:two_outputs", r"gives outputs \(2, 2\) for 2 images, not \(2, 3\)"),
        (f"{__name__}:frozen", "frozen has no parameter that is trained"),
        (f"{__name__}:grey_only", r"does not take images \(3, 8, 8\)"),
    ],
)
def test_check__bad_factory__says_what(path: str, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        ModelSpec(path, (3, 8, 8), 3).check()


def test_load_model__artefact_that_names_a_factory__imports_nothing_unless_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made the artefact chose the name: loading it must not run code of theirs."""
    (tmp_path / "trap.py").write_text("import pathlib; pathlib.Path(__file__).with_name('sprung').touch()")
    monkeypatch.syspath_prepend(tmp_path)
    data = save_model(ModelSpec("trap:model", (1, 8, 8), 3), SPEC.initial_state(0))
    with pytest.raises(ModelError, match="names the factory trap:model, which is not imported unless it is expected"):
        load_model(data)
    with pytest.raises(ModelError, match="holds trap:model of 3 classes for images 1×8×8, not small-cnn of 3"):
        load_model(data, SPEC)
    assert not (tmp_path / "sprung").exists()


def test_load_model__artefact_that_claims_a_gigantic_model__takes_no_memory_for_it() -> None:
    for shape, classes in (((3, 10**6, 10**6), 10), ((1, 8, 8), 10**12), ((1, 8, 8), 10**30)):
        data = save_model(ModelSpec("cnn", shape, classes), SPEC.initial_state(0))
        with pytest.raises(ModelError):
            load_model(data)


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
    one = save_state({"weight": weights, "bias": bias}, {"global_round": 1, "model": "cnn", "x": [1, 2]})
    other = save_state(
        {"bias": bias, "weight": weights.to(memory_format=torch.channels_last)},
        {"x": [1, 2], "model": "cnn", "global_round": 1},
    )
    assert one == other
    assert load_metadata(one) == {"global_round": 1, "model": "cnn", "x": [1, 2]}


def test_load_model__saved__knows_what_it_is() -> None:
    state = SPEC.initial_state(0)
    spec, loaded = load_model(save_model(SPEC, state))
    assert spec == SPEC
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_load_update__saved__is_the_same() -> None:
    update = Update(SPEC, 3, 1, SPEC.initial_state(0), 120)
    loaded = load_update(save_update(update))
    assert (loaded.model, loaded.station, loaded.global_round, loaded.samples) == (SPEC, 3, 1, 120)
    assert all(torch.equal(loaded.state[name], update.state[name]) for name in update.state)


def test_artefact__flipped_bit_in_a_stored_model__is_detected(tmp_path) -> None:
    store = ArtefactStore(Files(tmp_path))
    digest = store.put(save_model(SPEC, SPEC.initial_state(0)))
    path = tmp_path / store.name(digest)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(Corrupt):
        load_model(store.get(digest))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: ModelSpec("resnet-18", (3, 32, 32), 10),
            "unknown model 'resnet-18': choose one of small-cnn, cnn, resnet18, resnet50, linear, mlp, or give the",
        ),
        (lambda: ModelSpec("cnn", (3, 3, 8), 10), r"takes images .* of at least 4×4 pixels, not images 3×3×8"),
        (lambda: ModelSpec("cnn", (3, 8, 8), 0), "a model has at least one output, not 0"),
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
            lambda: load_model(save_model(SPEC, SPEC.initial_state(0)), ModelSpec("cnn", (1, 8, 8), 3)),
            "the artefact holds small-cnn of 3 classes for images 1×8×8, not cnn of 3 classes",
        ),
        (
            lambda: load_model(save_model(SPEC, {n: t.double() for n, t in SPEC.initial_state(0).items()})),
            "of another model: 0.weight is .*float64.*, small-cnn of 3 classes .*float32",
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
