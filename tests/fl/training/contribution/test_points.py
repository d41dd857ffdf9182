"""Contributions over the rounds, points that add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.training.contribution.points import TOTAL_POINTS, contribution_points, total_margins
from fl.training.errors import TrainingError

margins = st.one_of(st.just(0), st.floats(0, 1), st.fractions(0, 1), st.integers(0, 10_000))
listed = st.lists(margins, min_size=2, max_size=30)


def test_total_margins__over_rounds__add_up_and_stop_at_zero() -> None:
    rounds = [
        {0: Fraction(1, 2), 1: Fraction(1, 5)},
        {1: Fraction(-1, 2)},
        {0: Fraction(-1, 4), 2: Fraction(1, 3)},
    ]
    assert total_margins(rounds) == {0: Fraction(1, 4), 1: 0, 2: Fraction(1, 3)}


@given(listed)
def test_points__any_margins__are_positive_below_the_total_and_add_up(values: list) -> None:
    points = contribution_points(values)
    assert sum(points) == TOTAL_POINTS
    assert all(1 <= point < TOTAL_POINTS for point in points)


@given(listed)
def test_points__any_margins__keep_their_order(values: list) -> None:
    points = contribution_points(values)
    for one, its in zip(values, points, strict=True):
        for other, others in zip(values, points, strict=True):
            assert not (Fraction(one) > Fraction(other) and its < others)


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=30))
def test_points__shares_above_one_point__are_within_one_of_exact(values: list[int]) -> None:
    for value, point in zip(values, contribution_points(values), strict=True):
        assert abs(point - Fraction(TOTAL_POINTS * value, sum(values))) < 1


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12), st.integers(12, 60))
def test_points__small_totals__still_add_up(values: list[int], total: int) -> None:
    points = contribution_points(values, total)
    assert sum(points) == total
    assert all(1 <= point < total for point in points)


@given(listed, st.data())
def test_points__a_most__is_kept_the_order_too_and_all_points_are_given(values: list, data: st.DataObject) -> None:
    stations = data.draw(st.integers(len(values), 2 * len(values)), "committed")
    most = 2 * TOTAL_POINTS // stations
    if len(values) * most < TOTAL_POINTS:  # half of an odd number, rounded
        with pytest.raises(TrainingError, match="do not add up"):
            contribution_points(values, most=most)
        return
    points = contribution_points(values, most=most)
    assert sum(points) == TOTAL_POINTS
    assert all(1 <= point <= most for point in points)
    for one, its in zip(values, points, strict=True):
        assert all(its >= others for other, others in zip(values, points, strict=True) if one > other)


@pytest.mark.parametrize(
    ("values", "most", "expected"),
    [
        ([8, 1, 1], 666_666, [666_666, 166_667, 166_667]),
        ([1, 0, 0], 666_666, [666_666, 166_667, 166_667]),
        ([6, 3, 1, 0], 500_000, [500_000, 374_999, 125_000, 1]),
        ([3, 1], 500_000, [500_000, 500_000]),
    ],
)
def test_points__a_most_by_hand(values: list, most: int, expected: list[int]) -> None:
    assert contribution_points(values, most=most) == expected


@given(listed, st.fractions("1/1000", 1000))
def test_points__scaled_margins__are_the_same(values: list, factor: Fraction) -> None:
    assert contribution_points(values) == contribution_points([Fraction(value) * factor for value in values])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([9, 1], [900_000, 100_000]),
        ([1, 1, 1], [333_334, 333_333, 333_333]),
        ([0, 0, 0, 0], [250_000, 250_000, 250_000, 250_000]),
        ([0.3, 0], [999_999, 1]),
        ([0, 5, 0], [1, 999_998, 1]),
        ([1, 10**9], [1, 999_999]),
        ([Fraction(1, 3), Fraction(2, 3)], [333_333, 666_667]),
    ],
)
def test_points__by_hand(values: list, expected: list[int]) -> None:
    assert contribution_points(values) == expected


@pytest.mark.parametrize("values", [[], [1.0]])
def test_points__fewer_than_two_stations__says_so(values: list[float]) -> None:
    with pytest.raises(
        TrainingError, match=f"1000000 points need 2 to 1000000 listed base stations, not {len(values)}"
    ):
        contribution_points(values)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
def test_points__bad_margin__says_so(bad: float) -> None:
    with pytest.raises(TrainingError, match="a contribution is a margin of at least 0, not"):
        contribution_points([0.5, bad])
