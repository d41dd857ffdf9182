"""Losses and parameters that are not numbers: left out, reported, and an error where nothing is left."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from fl.training.averaging.aggregate import aggregate
from fl.training.cloud import GlobalRound
from fl.training.command.metrics import record_of
from fl.training.config import Rule, StationConfig
from fl.training.errors import DivergedError
from fl.training.federation import Federation
from fl.training.model.spec import ModelSpec
from fl.training.station import Outcome
from fl.training.update import Update
from tests.fl.training.support import equal, train, with_station, without_numbers

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


@pytest.mark.parametrize("rule", [Rule("trimmed-mean", 1), Rule("multi-krum", 1)])
def test_train__one_station_diverges_under_a_robust_rule__learns_from_the_others(
    create_federation: CreateFederation, rule: Rule
) -> None:
    """As many base stations as the rule needs: the one that is left out is the wrong one that it tolerates."""
    federation = create_federation(train_images=None, stations=rule.least, clients=1, rule=rule, rounds=3)
    *_, last = train(broken(federation, 1))
    assert last.evaluation.accuracy > 0.85 and not last.unchanged and sorted(last.absent) == [1]


def test_train__more_stations_diverge_than_the_rule_tolerates__is_an_error(create_federation: CreateFederation) -> None:
    federation = create_federation(train_images=60, stations=5, clients=1, rule=Rule("trimmed-mean", 1))
    text = r"global round 0: 2 of 5 models are no finite numbers, .* withstands: .*station 1, client 0: the loss became"
    with pytest.raises(DivergedError, match=text):
        next(train(broken(federation, 1, 4)))


def test_station__clients_diverge_under_a_robust_rule__count_among_those_it_tolerates(
    create_federation: CreateFederation,
) -> None:
    federation = with_station(create_federation(stations=1, clients=3), rule=Rule("trimmed-mean", 1))
    start = federation.initial_state()
    played = broken(federation, 0, clients=(1,)).stations[0].play(start, 0)
    assert played.update is not None and not equal(played.update.state, start)
    played = broken(federation, 0, clients=(0, 1)).stations[0].play(start, 0)
    assert played.update is None and played.diverged
    assert "edge aggregation 0: 2 of 3 models are no finite numbers" in played.reason


def test_train__too_few_stations_for_the_rule__says_that_the_model_stays(create_federation: CreateFederation) -> None:
    federation = create_federation(train_images=60, stations=3, clients=1, rule=Rule("trimmed-mean", 1), rounds=1)
    (done,) = train(federation, present=lambda global_round, station: station != 2)
    assert equal(done.state, federation.initial_state())
    assert done.unchanged == "trimmed-mean tolerating 1 needs at least 3 models, not 2"
    assert record_of(federation, done, "0x", 0.0)["unchanged"] == done.unchanged


def test_aggregate__robustly__counts_an_update_of_no_numbers_among_those_it_tolerates(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = ModelSpec("small-cnn", (1, 8, 8), 2)
    updates = [Update(spec, station, 0, {"weight": torch.tensor([v])}, 1) for station, v in enumerate((1, math.nan, 3))]
    assert aggregate(updates, Rule("trimmed-mean", 1))["weight"].item() == 2
    assert "1 updates that are left out count against trimmed-mean tolerating 1" in caplog.text
    with pytest.raises(DivergedError, match="2 of 4 models are no finite numbers"):
        aggregate(updates, Rule("trimmed-mean", 1), dropped=1)


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
