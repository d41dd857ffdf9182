"""Averages weighted by samples, and that two levels of them are one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fl.training.average import average
from fl.training.averaging.aggregate import aggregate
from fl.training.errors import ModelError, TrainingError
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from fl.training.update import Update

SPEC = ModelSpec("small-cnn", (1, 8, 8), 2)

numbers = st.floats(-1e3, 1e3, width=32)
clients = st.tuples(st.lists(numbers, min_size=3, max_size=3), st.integers(1, 10_000))
stations = st.lists(st.lists(clients, min_size=1, max_size=4), min_size=1, max_size=4)


def state(*values: float) -> State:
    return {"weight": torch.tensor(values, dtype=torch.float32)}


def update(station: int, model: State, samples: int, global_round: int = 0) -> Update:
    return Update(SPEC, station, global_round, model, samples)


def test_average__weights_by_samples__equals_hand_computation() -> None:
    # (1·1 + 4·3) / 4 = 3.25, (2·1 + 8·3) / 4 = 6.5
    result = average([(state(1, 2), 1), (state(4, 8), 3)])
    assert result["weight"].tolist() == [3.25, 6.5]
    assert result["weight"].dtype == torch.float32


def test_aggregate__three_stations__equals_hand_computation() -> None:
    # (10·2 + 20·3 + 60·5) / 10 = 38
    updates = [update(0, state(10), 2), update(1, state(20), 3), update(2, state(60), 5)]
    assert aggregate(updates)["weight"].tolist() == [38]


def test_aggregate__missing_station__weighs_those_present() -> None:
    # without station 1: (10·2 + 60·5) / 7
    updates = [update(2, state(60), 5), update(0, state(10), 2)]
    assert aggregate(updates)["weight"].item() == pytest.approx(320 / 7)


def test_average__whole_numbers__stay_whole() -> None:
    result = average([({"steps": torch.tensor(10)}, 1), ({"steps": torch.tensor(20)}, 2)])
    assert (result["steps"].item(), result["steps"].dtype) == (17, torch.int64)


def test_average__one_model__is_returned_exactly() -> None:
    weights = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(average([({"weight": weights}, 7)])["weight"], weights)


@settings(max_examples=50)
@given(stations)
def test_average__two_levels__equal_flat_average(groups: list[list[tuple[list[float], int]]]) -> None:
    """With κ2 = 1, averaging at base stations and then globally is FedAvg over all clients."""
    edges = [
        update(index, average((state(*weights), samples) for weights, samples in group), sum(n for _, n in group))
        for index, group in enumerate(groups)
    ]
    flat = average((state(*weights), samples) for group in groups for weights, samples in group)
    torch.testing.assert_close(aggregate(edges)["weight"], flat["weight"], rtol=1e-5, atol=1e-4)


@settings(max_examples=30)
@given(stations, st.randoms())
def test_aggregate__any_order_of_updates__is_bit_for_bit_the_same(
    groups: list[list[tuple[list[float], int]]], random
) -> None:
    updates = [update(index, state(*group[0][0]), group[0][1]) for index, group in enumerate(groups)]
    shuffled = random.sample(updates, len(updates))
    assert torch.equal(aggregate(updates)["weight"], aggregate(shuffled)["weight"])


def test_average__from_a_generator__holds_one_model_at_a_time() -> None:
    """A base station's memory does not grow with its clients: a model may go once the next is asked for."""
    shared = torch.zeros(3)

    def models():
        for value in (1.0, 2.0, 6.0):
            yield {"weight": shared.fill_(value)}, 1

    assert average(models())["weight"].tolist() == [3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: average([]), TrainingError, "nothing to average"),
        (lambda: average([(state(1), 0)]), TrainingError, "at least 1 sample of each model, not 0"),
        (lambda: average([(state(1), 1), (state(1, 2), 1)]), ModelError, "different names or shapes"),
        (
            lambda: average([(state(1), 1), ({"bias": torch.ones(1)}, 1)]),
            ModelError,
            "different names or shapes",
        ),
        (lambda: aggregate([]), TrainingError, "no base station returned an update"),
        (
            lambda: aggregate([update(1, state(1), 1), update(1, state(2), 1)]),
            TrainingError,
            "two updates in one",
        ),
        (
            lambda: aggregate([update(0, state(1), 1), update(1, state(2), 1, global_round=1)]),
            TrainingError,
            "different global",
        ),
    ],
)
def test_average__bad_input__says_what(call, error: type[TrainingError], text: str) -> None:
    with pytest.raises(error, match=text):
        call()
