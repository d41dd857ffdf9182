"""Pilots forecast accuracy: about what the federation reaches, the same for the same seed, and trained once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fl.training import pilot
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.federation import Federation, build_federation
from fl.training.pilot import forecast, forecast_once
from tests.fl.training.support import train


def federation_of(*targets: str, seed: int = 1) -> Federation:
    return build_federation(
        TrainingConfig(targets=targets, stations=3, clients=2, rounds=2, seed=seed, station=StationConfig(1, 1))
    )


@pytest.fixture(scope="module")
def federation() -> Federation:
    return federation_of("0", "1", "7")


def test_forecast__of_a_part__within_a_tenth_of_what_is_reached(federation: Federation) -> None:
    *_, last = train(federation)
    assert forecast(federation, 0.4).accuracy == pytest.approx(last.evaluation.accuracy, abs=0.1)


def test_forecast__more_images__is_better_than_of_next_to_none(federation: Federation) -> None:
    assert forecast(federation, 0.5).correct > forecast(federation, 0.001).correct


def test_forecast__same_seed__same_and_another_seed_another_part(federation: Federation) -> None:
    assert forecast(federation, 0.1) == forecast(federation, 0.1)
    other = replace(federation, config=replace(federation.config, seed=2))
    assert forecast(other, 0.1).loss != forecast(federation, 0.1).loss


def test_forecast__rules_and_settings_of_single_base_stations__are_not_a_pilots(federation: Federation) -> None:
    """A robust rule would have too few models, and leave the first as it is."""
    rule, own = Rule("trimmed-mean", 1), {2: StationConfig(3, 1)}
    stations = tuple(replace(each, config=replace(each.config, rule=rule)) for each in federation.stations)
    config = replace(federation.config, rule=rule, per_station=own)
    assert forecast(replace(federation, config=config, stations=stations), 0.1) == forecast(federation, 0.1)
    assert hash(config) == hash(replace(config)) and config != federation.config


def test_forecast_once__again__is_read_not_trained(
    federation: Federation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = forecast_once(federation, 0.1, tmp_path / "pilots")
    monkeypatch.setattr(pilot, "forecast", lambda *_: pytest.fail("it was trained again"))
    assert forecast_once(federation, 0.1, tmp_path / "pilots") == first
    (kept,) = (tmp_path / "pilots").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8"))["correct"] == first.correct


def test_forecast_once__anything_it_hangs_on__trains_anew(federation: Federation, tmp_path: Path) -> None:
    data, test, train = federation.dataset, federation.dataset.test, federation.dataset.train
    fewer = replace(federation, dataset=replace(data, test=test.cut([9, len(test) - 9])[0]))
    wrong = replace(federation, dataset=replace(data, train=replace(train, labels=train.labels.flip(0))))
    for each, part in (
        (federation, 0.1),
        (federation, 0.2),
        (fewer, 0.1),
        (wrong, 0.1),
        (replace(federation, config=replace(federation.config, rounds=1)), 0.1),
    ):
        forecast_once(each, part, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5
