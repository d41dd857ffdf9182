"""Margins, leave-one-out and Shapley values: by their axioms, by what they cost, and on planted base stations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.training.cloud import GlobalRound
from fl.training.command.options import Options
from fl.training.command.run import run
from fl.training.config import METHODS, StationConfig, TrainingConfig
from fl.training.contribution.measure import coalition_worth, measure_contributions
from fl.training.contribution.methods import (
    EXACT_STATIONS,
    Contributions,
    Worth,
    count_evaluations,
    exact_shapley,
    leave_one_out,
    measure_margins,
    truncated_shapley,
)
from fl.training.crews.crew import InProcess
from fl.training.data.dataset import Dataset, Samples
from fl.training.errors import TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.evaluation import Evaluation
from fl.training.model.spec import ModelSpec
from fl.training.update import Update
from tests.fl.training.support import train


@st.composite
def games(draw: st.DrawFn, most: int = 5) -> tuple[list[int], Worth]:
    """Any worth of every set of base stations."""
    stations = draw(st.lists(st.integers(0, 50), min_size=1, max_size=most, unique=True))
    worths = draw(st.lists(st.fractions(-1, 1, max_denominator=360), min_size=2**most, max_size=2**most))
    return stations, lambda some: worths[sum(1 << i for i, station in enumerate(stations) if station in some)]


def most_evaluations(method: str, stations: int) -> int:
    """The most models that one global round's contributions take to evaluate (the table of `methods`)."""
    if method == "margin":
        return stations
    if method == "leave-one-out":
        return stations + 1 if stations > 1 else stations
    if method == "shapley":
        if stations <= EXACT_STATIONS:
            return int(2**stations) - 1
        return 1 + 3 * stations * (stations - 1)
    return 0


# Axioms


@settings(max_examples=15)
@given(games())
def test_exact_shapley__any_game__adds_up_to_what_everybody_gains(game: tuple[list[int], Worth]) -> None:
    stations, worth = game
    assert sum(exact_shapley(stations, worth).values.values()) == worth(frozenset(stations)) - worth(frozenset())


@settings(max_examples=15)
@given(games(most=4))
def test_exact_shapley__any_game__is_the_mean_gain_over_all_orders(game: tuple[list[int], Worth]) -> None:
    stations, worth = game
    gains = {station: Fraction(0) for station in stations}
    orders = list(permutations(stations))
    for order in orders:
        for place, station in enumerate(order):
            gains[station] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    expected = {station: gain / len(orders) for station, gain in gains.items()}
    assert exact_shapley(stations, worth).values == expected


@settings(max_examples=15)
@given(games(most=4), st.fractions(-1, 1, max_denominator=360))
def test_exact_shapley__station_that_always_adds_the_same__gets_just_that(
    game: tuple[list[int], Worth], adds: Fraction
) -> None:
    stations, worth = game

    def with_another(some: frozenset[int]) -> Fraction:
        return worth(some - {99}) + (adds if 99 in some else 0)

    assert exact_shapley([*stations, 99], with_another).values[99] == adds


def test_exact_shapley__gloves__equals_hand_computation() -> None:
    """One left glove (0), two right ones (1, 2), a pair is worth 1: 2/3, 1/6, 1/6 (Shapley and Shubik 1969)."""
    worth = lambda some: Fraction(int(0 in some and len(some) > 1))  # noqa: E731
    assert exact_shapley([0, 1, 2], worth).values == {0: Fraction(2, 3), 1: Fraction(1, 6), 2: Fraction(1, 6)}
    assert leave_one_out([0, 1, 2], worth).values == {0: 1, 1: 0, 2: 0}


def test_truncated_shapley__additive_game__is_exact_but_for_what_it_truncates() -> None:
    adds = {station: Fraction(station, 100) for station in range(13)}
    worth = lambda some: sum((adds[station] for station in some), Fraction(0))  # noqa: E731
    assert truncated_shapley(list(adds), worth, tolerance=Fraction(0)).values == adds
    cut = truncated_shapley(list(adds), worth, tolerance=Fraction(1, 10))
    missing = sum(adds.values()) - sum(cut.values.values())
    assert 0 < missing <= Fraction(1, 10)
    assert cut.evaluations < truncated_shapley(list(adds), worth, tolerance=Fraction(0)).evaluations


def test_truncated_shapley__many_orders__nears_the_exact_value() -> None:
    worth = lambda some: Fraction(len(some & {0, 1, 2}) * max(some, default=0), 30)  # noqa: E731
    stations = list(range(8))
    exact = exact_shapley(stations, worth).values
    errors = []
    for orders in (10, 1000):
        measured = truncated_shapley(stations, worth, permutations=orders, tolerance=Fraction(0), seed=1).values
        errors.append(max(abs(measured[station] - exact[station]) for station in stations))
    assert errors[1] < Fraction(1, 25) and errors[1] < errors[0] / 2


def test_truncated_shapley__same_seed__is_the_same() -> None:
    worth = lambda some: Fraction(len(some) ** 2, 200)  # noqa: E731
    first, again, other = (
        truncated_shapley(range(12), lambda some: worth(some) + Fraction(max(some, default=0), 99), seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again != other


# Costs


@pytest.mark.parametrize("stations", [1, 2, 5, 10])
def test_evaluations__of_exact_methods__are_as_stated(stations: int) -> None:
    calls = 0

    def worth(some: frozenset[int]) -> Fraction:
        nonlocal calls
        calls += bool(some)
        return Fraction(len(some), 100)

    for method, measure in (("leave-one-out", leave_one_out), ("shapley", exact_shapley)):
        calls = 0
        assert measure(range(stations), worth).evaluations == calls == most_evaluations(method, stations)


@pytest.mark.parametrize("stations", [11, 20])
def test_evaluations__of_random_orders__are_at_most_as_stated(stations: int) -> None:
    measured = truncated_shapley(range(stations), lambda some: Fraction(len(some), 20))
    assert stations < measured.evaluations <= most_evaluations("shapley", stations) < 2**stations


@pytest.mark.parametrize("method", METHODS)
def test_count_evaluations__of_any_number_of_stations__is_as_stated(method: str) -> None:
    assert [count_evaluations(method, stations) for stations in range(1, 20)] == [
        most_evaluations(method, stations) for stations in range(1, 20)
    ]
    assert count_evaluations(method, 0) == 0


@pytest.mark.parametrize("method", METHODS)
def test_run__measuring__is_estimated_before_and_tells_of_every_evaluation(
    create_federation: Callable[..., Federation], method: str
) -> None:
    """So that the bar moves while contributions are measured, and is full at their end."""
    federation = create_federation(train_images=30, contribution=method)
    told: list[object] = []
    records = run(
        federation,
        Options(federation.config),
        on_station=lambda played: told.append("trained"),
        on_evaluated=lambda: told.append("evaluated"),
        on_estimate=lambda evaluations, seconds: told.append((evaluations, seconds > 0)),
    )
    counts = [record["evaluations"] for record in records]
    expected = [entry for count in counts for entry in ["trained"] * 3 + ["evaluated"] * count]
    assert told == ([] if method == "none" else [(sum(counts), True)]) + expected


def test_exact_shapley__too_many_stations__says_so() -> None:
    with pytest.raises(TrainingError, match="for 10 base stations at most, not 11"):
        exact_shapley(range(EXACT_STATIONS + 1), lambda some: Fraction(0))


# Margins and coalitions of updates


def test_margins__of_a_round__are_accuracy_after_less_before() -> None:
    spec = ModelSpec("small-cnn", (1, 8, 8), 2)
    correct = {0: 70, 2: 50, 3: 40}
    updates = [Update(spec, station, 0, {"station": station}, 1) for station in correct]  # type: ignore[dict-item]
    start = Evaluation(50, 100, 1.0)
    measured = measure_margins(start, updates, lambda state: Evaluation(correct[state["station"]], 100, 1.0))  # type: ignore[index]
    assert measured == {0: Fraction(1, 5), 2: 0, 3: Fraction(-1, 10)}


def test_coalition__of_updates__is_worth_the_accuracy_of_their_weighted_average() -> None:
    spec = ModelSpec("small-cnn", (1, 8, 8), 2)
    updates = [Update(spec, s, 0, {"w": torch.tensor([value])}, n) for s, value, n in ((3, 10.0, 1), (5, 50.0, 3))]
    judge = lambda state: Evaluation(int(state["w"].item()), 100, 1.0)  # noqa: E731
    worth = coalition_worth(Evaluation(7, 100, 1.0), updates, judge)
    expected = {(): 7, (3,): 10, (5,): 50, (3, 5): 40}
    assert {some: worth(frozenset(some)) * 100 for some in expected} == expected


def test_measure_contributions__update_that_is_no_number__classifies_nothing(create_federation: Callable) -> None:
    federation = create_federation()
    (first,) = train(replace(federation, config=replace(federation.config, rounds=1)))
    start = federation.evaluate(federation.initial_state())
    bad = replace(first.updates[1], state={n: t * float("nan") for n, t in first.updates[1].state.items()})
    for method in METHODS[1:]:
        config = replace(federation.config, contribution=method)
        measured = measure_contributions(config, 0, start, [first.updates[0], bad], InProcess(federation).evaluate)
        assert measured.values[1] < min(Fraction(0), measured.values[0])


# Planted base stations


USELESS, FLIPPED = 1, 3


def planted(digits: Dataset, stations: int, rounds: int, local_epochs: int) -> tuple[Federation, list[GlobalRound]]:
    """A run in which one base station has noise for images and another each label n as 9 − n."""
    station = StationConfig(local_epochs, 1)
    config = TrainingConfig(
        stations=stations, clients=1, rounds=rounds, train_images=1400, contribution="none", station=station
    )
    federation = build_federation(config, digits)
    random = torch.Generator().manual_seed(0)
    (useless,), (flipped,) = (federation.stations[index].clients for index in (USELESS, FLIPPED))
    noise = torch.randint(0, 256, useless.inputs.shape, generator=random, dtype=torch.uint8)
    bad = {USELESS: Samples(noise, useless.labels), FLIPPED: Samples(flipped.inputs, 9 - flipped.labels)}
    stationed = tuple(
        replace(each, clients=(bad[each.index],)) if each.index in bad else each for each in federation.stations
    )
    federation = replace(federation, stations=stationed)
    return federation, list(train(federation))


def ranked(federation: Federation, rounds: list[GlobalRound], method: str) -> tuple[list[int], list[Contributions]]:
    """Base stations by their contributions over the rounds, the least first."""
    config, crew = replace(federation.config, contribution=method), InProcess(federation)
    found, before = [], crew.evaluate(federation.initial_state())
    for done in rounds:
        found.append(measure_contributions(config, done.global_round, before, done.updates, crew.evaluate))
        before = done.evaluation
    sums = {each.index: sum(measured.values[each.index] for measured in found) for each in federation.stations}
    return sorted(sums, key=sums.__getitem__), found


def test_contribution__useless_and_label_flipping_station_of_six__are_last_by_each_method(digits: Dataset) -> None:
    federation, rounds = planted(digits, 6, rounds=2, local_epochs=4)
    for method in METHODS[1:]:
        ranking, found = ranked(federation, rounds, method)
        assert set(ranking[:2]) == {USELESS, FLIPPED}, method
        assert [measured.evaluations for measured in found] == [most_evaluations(method, 6)] * 2


def test_contribution__useless_and_label_flipping_station_of_twelve__are_last_by_random_orders(
    digits: Dataset,
) -> None:
    federation, rounds = planted(digits, 12, rounds=1, local_epochs=5)
    ranking, (measured,) = ranked(federation, rounds, "shapley")
    assert set(ranking[:2]) == {USELESS, FLIPPED}
    assert 12 < measured.evaluations <= most_evaluations("shapley", 12)
