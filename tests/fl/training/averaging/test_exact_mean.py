"""The mean of base stations' models: the same bits in any order and grouping, and as near as float32 can be."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fl.training.average import average
from fl.training.averaging.exact_mean import ExactSum, are_finite, highest_of, peaks_of
from fl.training.errors import ModelError
from fl.training.model.parameters import State

# Magnitudes from the smallest that float32 has to the largest.
weights = st.floats(width=32, allow_nan=False, allow_infinity=False)
models = st.lists(st.tuples(st.lists(weights, min_size=4, max_size=4), st.integers(1, 2**29)), min_size=1, max_size=6)


def states(rows: list[tuple[list[float], int]]) -> list[tuple[State, int]]:
    return [({"a": torch.tensor(row[:3]), "b": torch.tensor(row[3:])}, samples) for row, samples in rows]


def summed(part: list[tuple[State, int]], everyone: list[tuple[State, int]]) -> ExactSum:
    """Of a part, as a process does that knows of the others their peaks and samples only."""
    total = ExactSum(everyone[0][0], highest_of(peaks_of(state) for state, _ in everyone), sum(n for _, n in everyone))
    for state, samples in part:
        total.add(state, samples)
    return total


@given(models, st.randoms(), st.integers(1, 4))
def test_sum__any_order_spread_over_any_processes__is_bit_for_bit_the_same(rows, random, processes: int) -> None:
    everyone = states(rows)
    shuffled = random.sample(everyone, len(everyone))
    spread = summed(shuffled[::processes], everyone)
    for first in range(1, processes):
        spread.sums += summed(shuffled[first::processes], everyone).sums
    expected = summed(everyone, everyone).mean()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in spread.mean().items())


@given(models)
def test_mean__any_models__is_the_float32_nearest_to_the_exact_one_or_next_to_it(rows) -> None:
    """Beside half a unit in float32's last place, an error below m · 2⁻⁶¹ of the tensor's largest value."""
    everyone = states(rows)
    total = sum(samples for _, samples in everyone)
    result = summed(everyone, everyone).mean()
    for name in result:
        peak = max(Fraction(float(state[name].abs().max())) for state, _ in everyone)
        for place, found in enumerate(result[name].tolist()):
            exact = sum((Fraction(state[name][place].item()) * samples for state, samples in everyone), Fraction(0))
            exact /= total
            half = max(abs(exact) * Fraction(1001, 1000) / 2**24, Fraction(1, 2**150))
            assert abs(Fraction(found) - exact) <= half + len(everyone) * peak / 2**61


def test_mean__of_one_model__is_that_model() -> None:
    weights = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    one = [({"weight": weights}, 7)]
    assert torch.equal(summed(one, one).mean()["weight"], weights)


def test_mean__where_double_precision_depends_on_the_order__does_not() -> None:
    """1 + 2⁻⁵³ + 2⁻⁵³ in double precision is 1 from the left, more than 1 from the right."""
    rows = [({"w": torch.tensor([1.0, value], dtype=torch.float64)}, 1) for value in (1.0, 2.0**-53, 2.0**-53)]
    left, right = average(rows)["w"], average(rows[::-1])["w"]
    assert not torch.equal(left, right)
    assert torch.equal(summed(rows, rows).mean()["w"], summed(rows[::-1], rows).mean()["w"])


def test_mean__whole_numbers_and_channels_last__keep_type_and_layout() -> None:
    images = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    rows = [({"w": images, "steps": torch.tensor(10)}, 1), ({"w": 3 * images, "steps": torch.tensor(20)}, 2)]
    result = summed(rows, rows).mean()
    assert (result["steps"].item(), result["steps"].dtype) == (17, torch.int64)
    assert result["w"].stride() == images.stride()
    torch.testing.assert_close(result["w"], images * 7 / 3)


def test_mean__more_coordinates_than_a_chunk__are_all_there() -> None:
    large = torch.arange(200_000.0)
    rows = [({"w": large}, 1), ({"w": -large}, 3)]
    assert torch.equal(summed(rows, rows).mean()["w"], -large / 2)


def test_sum__state_of_another_model__is_refused() -> None:
    one = [({"w": torch.ones(2)}, 1)]
    with pytest.raises(ModelError, match="different names or shapes"):
        summed(one, one).add({"w": torch.ones(3)}, 1)


def test_peaks__of_what_is_no_number__are_not_finite() -> None:
    finite = torch.tensor([1.0, -2.0])
    assert peaks_of({"w": finite, "empty": torch.empty(0)}) == {"w": 2.0, "empty": 0.0}
    for value in (math.nan, math.inf, -math.inf):
        assert not are_finite(peaks_of({"v": finite, "w": torch.tensor([1.0, value])}))
