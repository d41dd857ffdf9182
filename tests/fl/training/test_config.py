"""Configurations that make no sense are refused with what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from fl.training.config import Privacy, StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset
from fl.training.errors import TrainingError
from fl.training.federation import _recorded, build_federation, objective_of
from fl.training.model.objective import CLASSIFY
from fl.training.model.spec import ModelSpec
from fl.training.station import Station
from fl.training.strategies import SCAFFOLD, FedAvg
from fl.training.strategy import Strategy


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"stations": 0}, "stations must be at least 1, not 0"),
        ({"clients": 0}, "clients must be at least 1, not 0"),
        ({"rounds": 0}, "rounds must be at least 1, not 0"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
        ({"train_images": 0}, "train_images must be at least 1, not 0"),
        ({"test_images": 0}, "test_images must be at least 1, not 0"),
        ({"alpha": 0.0}, "alpha must be positive, not 0.0"),
        ({"dataset": "mnist"}, "unknown data set 'mnist'"),
        ({"model": "transformer"}, "unknown model 'transformer'"),
        ({"targets": ("0", "ten")}, "unknown target labels ten"),
        ({"train_images": 7}, "7 training samples cannot be split over 8 clients"),
    ],
)
def test_build__bad_configuration__says_what(settings: dict, text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        build_federation(TrainingConfig(**settings))


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"local_epochs": 0}, "local_epochs must be at least 1, not 0"),
        ({"edge_aggregations": 0}, "edge_aggregations must be at least 1, not 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, not 0"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"learning_rate": 0.0}, "learning_rate must be positive, not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be positive, not nan"),
        ({"momentum": 1.0}, r"momentum must be in \[0, 1\), not 1.0"),
    ],
)
def test_station_config__bad_setting__says_what(settings: dict, text: str) -> None:
    with pytest.raises(TrainingError, match=text):
        StationConfig(**settings)


def test_config__numbers_of_numpy__are_pythons_which_json_holds() -> None:
    station = StationConfig(np.int32(3), learning_rate=np.float32(0.5), gradient_clip=np.float64(2))
    config = TrainingConfig(stations=np.int64(5), seed=np.uint8(7), alpha=np.float32(0.25), station=station)
    assert config == TrainingConfig(
        stations=5, seed=7, alpha=0.25, station=StationConfig(3, gradient_clip=2.0, learning_rate=0.5)
    )
    assert json.loads(json.dumps(asdict(config)))["station"]["learning_rate"] == 0.5


def test_privacy__noise_beyond_floats__is_refused() -> None:
    with pytest.raises(TrainingError, match=r"clipping_norm times noise_multiplier must be at most 1e\+38, not 1"):
        Privacy(1e30, 1e30)


def test_station__of_the_default_configuration__is_what_suits_the_data_set(digits: Dataset) -> None:
    federation = build_federation(TrainingConfig(), digits)
    assert all(isinstance(station, Station) for station in federation.stations)
    assert (len(federation.stations), federation.model.name) == (4, "small-cnn")
    assert federation.stations[0].config == StationConfig()
    assert sum(station.samples for station in federation.stations) == 1437


def test_build__numbers_of_parties_and_samples__are_what_it_has(digits: Dataset) -> None:
    config = TrainingConfig(model="linear", stations=3, clients=4, train_images=100, test_images=60)
    federation = build_federation(config, digits)
    assert federation.model.name == "linear"
    assert [len(station.clients) for station in federation.stations] == [4, 4, 4]
    assert sum(station.samples for station in federation.stations) == 100
    assert federation.evaluate(federation.initial_state()).samples == 60


def test_build__momentum_beside_another_optimizer__is_said_to_be_ignored(
    digits: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    """On the command line it is refused; from Python nobody knows which settings were left as they were."""
    sgd = StationConfig(momentum=0.6)
    config = TrainingConfig(train_images=60, station=sgd, per_station={1: replace(sgd, optimizer="Adam")})
    build_federation(config, digits)
    assert ["momentum 0.6 is of plain SGD, and Adam does not get it" in each for each in caplog.messages] == [True]
    caplog.clear()
    for momentum in (StationConfig().momentum, 0.0):
        adam = StationConfig(momentum=momentum, optimizer="Adam")
        build_federation(TrainingConfig(train_images=60, station=adam), digits)
    assert not caplog.messages


def test_build__device_that_is_not_there__is_refused(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="device cuda:99 is not there"):
        build_federation(TrainingConfig(device="cuda:99"), digits)


GPU, CPU = torch.device("cuda"), torch.device("cpu")
MODEL = ModelSpec("small-cnn", (1, 8, 8), 10)


def test_recorded__left_open__is_so_on_a_gpu_and_not_with_code_of_others(caplog: pytest.LogCaptureFixture) -> None:
    """What that does besides operations would be done once, when a step is recorded, and never again."""

    def found(config: StationConfig, model: ModelSpec = MODEL, strategy: Strategy | None = None) -> bool:
        caplog.clear()
        one, other = _recorded([config, config], model, strategy or FedAvg(), GPU)
        assert one == other
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == (config.graphs is None and not one.graphs), "once, and not who has what was asked for"
        assert all(text.startswith("clients' steps are not recorded (") for text in told)
        return bool(one.graphs)

    open_ = StationConfig()
    assert found(open_) and not _recorded([open_], MODEL, FedAvg(), CPU)[0].graphs
    assert not found(replace(open_, graphs=False))
    assert found(StationConfig(graphs=True, transform="a.b:c")), "whoever asks for it has it"
    for config in (
        StationConfig(optimizer="Adam"),
        StationConfig(schedule="StepLR(step_size=2)"),
        StationConfig(loss="a.b:c"),
        StationConfig(transform="a.b:c"),
    ):
        assert not found(config)
    assert not found(open_, replace(MODEL, name="a.b:c"))
    assert not found(open_, strategy=SCAFFOLD())


def test_objective_of__clients_in_less_than_float32__are_judged_in_tf32() -> None:
    for precision, judged in (("float32", "float32"), ("tf32", "tf32"), ("bfloat16", "tf32")):
        assert objective_of(TrainingConfig(station=StationConfig(precision=precision))).precision == judged
    assert objective_of(TrainingConfig()) == CLASSIFY
