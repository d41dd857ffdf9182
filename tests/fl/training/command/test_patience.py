"""Runs that end once they get no better, and keep their best model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fl.store.artefacts import ArtefactStore
from fl.store.files import Files
from fl.training.cloud import rounds_since_best
from fl.training.command.checkpoint import best_of
from fl.training.config import StationConfig, TrainingConfig
from fl.training.errors import CheckpointError, TrainingError
from fl.training.federation import Federation
from fl.training.model.artefact import load_model
from tests.fl.training.support import train, train_in

CreateFederation = Callable[..., Federation]


@pytest.fixture
def federation(create_federation: CreateFederation) -> Federation:
    """Learns what there is to learn in some rounds of more than it takes."""
    station = StationConfig(1, 1, learning_rate=0.05)
    return create_federation(
        train_images=30, test_images=30, rounds=12, patience=2, contribution="none", station=station
    )


def test_rounds_since_best__of_several_equal__counts_from_the_first() -> None:
    assert [rounds_since_best(each) for each in ([0.5], [0.5, 0.6], [0.5, 0.6, 0.6, 0.6], [0.9, 0.1])] == [0, 0, 2, 1]


def test_train__accuracy_that_gets_no_better__ends_after_patience(federation: Federation) -> None:
    whole = [done.evaluation.accuracy for done in train(replace(federation, config=endless(federation)))]
    found = [done.evaluation.accuracy for done in train(federation)]
    assert len(whole) == 12 > len(found) > 3
    assert found == whole[: len(found)] and rounds_since_best(found) == 2
    assert all(rounds_since_best(found[:end]) < 2 for end in range(1, len(found)))


def endless(federation: Federation) -> TrainingConfig:
    return replace(federation.config, patience=None)


def test_run__with_patience__keeps_the_best_model_and_ends_alike_when_stopped(
    federation: Federation, tmp_path: Path
) -> None:
    records = train_in(tmp_path / "whole", federation)
    best = best_of(records)
    assert best is records[-3] and best["accuracy"] == max(record["accuracy"] for record in records)
    names = {path.name for path in (tmp_path / "whole" / "models").iterdir()}
    assert names == {record["model"][2:] for record in (best, *records[-2:])}
    _, state = load_model(ArtefactStore(Files(tmp_path / "whole" / "models")).get(best["model"]), federation.model)
    assert federation.evaluate(state).accuracy == best["accuracy"]
    for rounds in (2, len(records) - 1, 12, 12):
        stopped = replace(federation, config=replace(federation.config, rounds=rounds))
        again = train_in(tmp_path / "parts", stopped)
    assert [record["model"] for record in again] == [record["model"] for record in records]
    assert {path.name for path in (tmp_path / "parts" / "models").iterdir()} == names
    with pytest.raises(CheckpointError, match="holds another run: patience is 2 there, None here"):
        train_in(tmp_path / "whole", replace(federation, config=endless(federation)))


def test_command__with_patience__says_which_is_the_best(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.fl.training.command.test_command import run

    few: tuple[Any, ...] = ("--targets", "0,1", "--train-images", "40", "--test-images", "40", "--stations", "2")
    assert run(monkeypatch, *few, "--rounds", "9", "--patience", "1", "--contribution", "none") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert re.search(r"last global model 0x\w+, best that of global round \d, 0x\w{64}", shown)


def test_config__patience_of_no_round__is_refused() -> None:
    with pytest.raises(TrainingError, match="patience must be at least 1, not 0"):
        TrainingConfig(patience=0)
