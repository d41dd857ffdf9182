"""Losses and parameters that are not numbers: left out, reported, and an error where nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from fl.training.averaging.aggregate import aggregate
from fl.training.cloud import GlobalRound, train
from fl.training.config import StationConfig
from fl.training.errors import DivergedError
from fl.training.federation import Federation
from fl.training.model.spec import ModelSpec
from fl.training.station import Outcome
from fl.training.update import Update
from tests.fl.training.support import equal, without_numbers

CreateFederation = Callable[..., Federation]


def broken(federation: Federation, *stations: int, clients: tuple[int, ...] | None = None) -> Federation:
    """The federation where these clients of these base stations diverge."""
    changed = (without_numbers(each, clients) if each.index in stations else each for each in federation.stations)
    return replace(federation, stations=tuple(changed))


def test_train__one_client_diverges__is_left_out_and_reported(
    create_federation: CreateFederation, caplog: pytest.LogCaptureFixture
) -> None:
    federation = create_federation(clients=2)
    bad = broken(federation, 1, clients=(1,))
    first, _ = train(bad)
    assert "global round 0, base station 1, client 1: the loss became nan" in caplog.text
    update = next(update for update in first.updates if update.station == 1)
    assert update.samples == len(federation.stations[1].clients[0])
    assert first.stations[1].work[0][1].outcome is Outcome.DIVERGED
    assert first.evaluation.accuracy > 0.5


def test_client__only_its_last_step_overflows__is_left_out_though_its_loss_was_finite(
    create_federation: CreateFederation,
) -> None:
    federation = create_federation()
    one_step = replace(federation.stations[0], config=StationConfig(1, 1, batch_size=1000, learning_rate=1e300))
    with pytest.raises(DivergedError, match="client 0: a parameter is no finite number after the last step: lower the"):
        one_step.train_round(federation.initial_state(), 0)


def test_train__a_station_diverges__is_left_out_and_the_others_go_on(create_federation: CreateFederation) -> None:
    federation = create_federation()
    rounds = list(train(broken(federation, 2)))
    assert [sorted(done.absent) for done in rounds] == [[2], [2]]
    assert "client 0: the loss became nan" in rounds[0].absent[2]
    expected = list(train(federation, present=lambda global_round, station: station != 2))
    assert [equal(one.state, other.state) for one, other in zip(rounds, expected, strict=True)] == [True, True]


def test_train__all_diverge_in_a_later_round__keeps_the_rounds_before(create_federation: CreateFederation) -> None:
    federation = create_federation()
    finished: list[GlobalRound] = []
    with pytest.raises(DivergedError, match=r"no .* update left in global round 1; .*loss became nan"):
        for done in train(federation):
            finished.append(done)
            object.__setattr__(federation, "stations", broken(federation, 0, 1, 2).stations)
    assert [done.global_round for done in finished] == [0]


def test_aggregate__update_of_no_numbers__is_left_out_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    spec = ModelSpec("small-cnn", (1, 8, 8), 2)

    def update(station: int, value: float) -> Update:
        return Update(spec, station, 0, {"weight": torch.tensor([value])}, 1)

    assert aggregate([update(0, 1.0), update(1, float("nan")), update(2, 3.0)])["weight"].item() == 2
    assert "base station 1: a parameter is no finite number; the update is left out" in caplog.text
    with pytest.raises(DivergedError, match="no update has finite parameters"):
        aggregate([update(0, float("inf"))])
