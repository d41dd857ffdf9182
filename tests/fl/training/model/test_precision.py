"""Clients that compute in bfloat16: emulated where the processor has no instructions for it, so slow but the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from fl.training.client import train_client
from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews.pool import Pool
from fl.training.data.dataset import Dataset
from fl.training.errors import TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.parameters import view_state
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import copy_state, equal, train, with_station

CreateFederation = Callable[..., Federation]
SPEC = ModelSpec("small-cnn", (1, 8, 8), 10)


def moved(digits: Dataset, precision: str) -> torch.Tensor:
    """By how much a client's parameters change in one epoch, as one vector."""
    module = SPEC.build(seed=1)
    before = copy_state(module)
    samples = digits.train.take(digits.train.labels.numpy()[:64].argsort())
    train_client(module, samples, StationConfig(1, 1, batch_size=16, precision=precision), seed=0)
    after = view_state(module)
    assert {tensor.dtype for tensor in after.values()} == {torch.float32}
    return torch.cat([(after[name] - before[name]).reshape(-1) for name in after])


def test_client__in_bfloat16__goes_nearly_where_float32_goes(digits: Dataset) -> None:
    """Eight bits of mantissa an operation: near, and not the same."""
    exact, rough = moved(digits, "float32"), moved(digits, "bfloat16")
    assert not torch.equal(exact, rough)
    assert torch.nn.functional.cosine_similarity(exact, rough, dim=0) > 0.99
    assert 0.9 < rough.norm() / exact.norm() < 1.1


def test_train__in_bfloat16__learns_as_well(create_federation: CreateFederation) -> None:
    federation = create_federation(local_epochs=3)
    *_, exact = train(federation)
    *_, rough = train(with_station(federation, precision="bfloat16"))
    assert exact.evaluation.accuracy > 0.9
    assert rough.evaluation.accuracy == pytest.approx(exact.evaluation.accuracy, abs=0.05)


def test_train__in_bfloat16_by_workers__is_what_one_process_does(create_federation: CreateFederation) -> None:
    federation = with_station(create_federation(), precision="bfloat16")
    *_, expected = train(federation)
    with Pool(federation, 2) as crew:
        *_, found = train(federation, crew=crew)
    assert equal(found.state, expected.state)


@pytest.mark.parametrize(("avx512", "amx"), [(False, False), (True, False), (False, True)])
def test_build__bfloat16__needs_the_instructions(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    config = TrainingConfig(station=replace(StationConfig(), precision="bfloat16"))
    if avx512 or amx:
        assert build_federation(config, digits).stations[0].config.precision == "bfloat16"
    else:
        with pytest.raises(TrainingError, match="this CPU has no instructions for bfloat16: use float32"):
            build_federation(config, digits)


def test_build__tf32__is_for_a_gpu(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="this CPU has no instructions for tf32: use float32"):
        build_federation(TrainingConfig(station=StationConfig(precision="tf32")), digits)


def test_station_config__unknown_precision__says_what_there_is() -> None:
    with pytest.raises(TrainingError, match="unknown precision 'float8': choose one of float32, tf32, bfloat16"):
        StationConfig(precision="float8")
