"""The training that a text names: settings become a text and back the same; what is not offered is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.members.training import NAMED, named_by, settings_of
from fl.store.errors import ViewError
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.offered import OFFERED
from tests.fl.store.test_texts import NAMED as SOME
from tests.fl.store.test_texts import STATIONS
from tests.fl.training.test_offered import named

numbers = st.floats(0.001, 10).map(lambda value: round(value, 6))
settings = st.builds(
    StationConfig,
    local_epochs=st.integers(1, 9),
    edge_aggregations=st.integers(1, 9),
    batch_size=st.integers(1, 99),
    learning_rate=numbers,
    momentum=st.sampled_from((0.0, 0.9)),
    optimizer=named("optimizer"),
    schedule=st.none() | named("schedule"),
    weight_decay=st.just(0.0) | numbers,
    gradient_clip=st.none() | numbers,
    loss=named("loss"),
    proximal=st.just(0.0) | numbers,
    augment=st.booleans(),
    precision=st.sampled_from(sorted(OFFERED["precision"])),
    client_bits=st.none() | st.integers(2, 16),
    rule=st.sampled_from((Rule(), Rule("median"), Rule("trimmed-mean", 2))),
)


@given(settings, named("strategy"), st.integers(1, 256), st.integers(0, 2**64))
def test_settings__any_that_are_offered__become_a_text_and_back_the_same(
    station: StationConfig, strategy: str, rounds: int, seed: int
) -> None:
    whole = TrainingConfig(
        dataset="digits", model="cnn", stations=1, rounds=rounds, seed=seed, strategy=strategy, station=station
    )
    text = replace(STATIONS, dataset="digits", model="cnn", **named_by(whole, station))
    assert settings_of(type(text).from_bytes(text.to_bytes())) == whole


def test_named__each_setting__is_a_texts_and_what_is_not_is_the_base_stations_own() -> None:
    own = {
        *("threads", "transform", "client_fraction", "client_dropout", "stragglers", "drop_stragglers", "graphs"),
        *("station_bits", "privacy"),
    }
    assert {each.name for each in fields(StationConfig)} - set(NAMED) == own | {"rule"}
    assert set(NAMED) <= {each.name for each in fields(STATIONS)}


@pytest.mark.parametrize("name", SOME)
def test_settings__each_thing_that_a_text_names__is_another_training(name: str) -> None:
    """A field that a text has and training does not ask for would be a promise that nobody keeps."""
    assert settings_of(replace(STATIONS, **{name: SOME[name]})) != settings_of(STATIONS)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model": "os:system"}, "the model 'os:system' is not written as Name .*, and code that another names is not"),
        ({"model": "vgg"}, "the model 'vgg' is not offered here: choose one of small-cnn, cnn"),
        ({"rule": "best"}, "unknown aggregation rule"),
        ({"edge_rule": "trimmed-mean", "edge_tolerate": 0}, "must tolerate at least 1 wrong model"),
        ({"learning_rate": "0"}, "learning_rate must be positive"),
        ({"local_epochs": 2**53}, "local_epochs must be at most"),
        ({"optimizer": "trap:make"}, "code that another names is not imported"),
        ({"schedule": "LambdaLR"}, "the schedule 'LambdaLR' is not offered here"),
        ({"loss": "mse_loss"}, "the loss 'mse_loss' is not offered here"),
        ({"strategy": "SCAFFOLD"}, "signed updates do not bring that"),
        (
            {"precision": "tf32"},
            r"the precision 'tf32' is not offered here \(it is of GPUs, and members train on CPUs\)",
        ),
        ({"precision": "float16"}, "unknown precision"),
        ({"precision": "x" * 60_000}, "unknown precision"),
        ({"rule": "x" * 60_000}, "unknown aggregation rule"),
        ({"client_bits": 1}, "client_bits must be at least 2"),
        ({"gradient_clip": "9" * 40}, "gradient_clip must be in"),
    ],
)
def test_settings__that_are_not_offered__are_refused_in_one_line(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ViewError, match=said) as refused:
        settings_of(replace(STATIONS, **changes))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


def test_settings__followed_or_not__is_known_without_torch() -> None:
    code = "import sys, fl.members.training, fl.members.configuration; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
