"""Crowds of owners and base stations: what is common, what a model is worth; and the bands over seeds."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.figures.bands import band
from analysis.figures.interests import COMMON, MEMBERS, Crowd, draw_crowd

LABELS = tuple("abcdefghij")
DRAWS = st.builds(
    lambda seed, further: draw_crowd(Random(seed), LABELS, further), st.integers(0, 10**6), st.floats(0, 0.9)
)


@given(DRAWS)
def test_crowd__drawn__proposals_share_exactly_the_common_labels(crowd: Crowd) -> None:
    assert len(crowd.proposals) == len(crowd.costs) == MEMBERS
    assert COMMON[0] <= len(crowd.common) <= COMMON[1]
    assert set(crowd.common) == set.intersection(*map(set, crowd.proposals))


@given(DRAWS)
def test_margin__of_a_model__is_the_sum_over_its_labels(crowd: Crowd) -> None:
    for targets in (*crowd.proposals, crowd.common):
        assert crowd.margin(targets) == sum(crowd.margin((label,)) for label in targets)


@given(DRAWS)
def test_score__over_all_claimants__is_the_margin_on_average(crowd: Crowd) -> None:
    stations = len(crowd.costs)
    for targets in crowd.proposals:
        scores = [crowd.score(targets, claimant) for claimant in range(stations)]
        assert sum(scores) == stations * (stations - 1) * crowd.margin(targets)


@given(DRAWS)
def test_value__of_an_unwanted_label__is_nothing(crowd: Crowd) -> None:
    for owner, wanted in enumerate(crowd.proposals):
        assert crowd.value(owner, LABELS) == crowd.value(owner, wanted)


def test_value__of_a_model_that_is_wrong_at_times__falls_with_its_accuracy_and_no_cost_does() -> None:
    crowd = Crowd(values=({"cat": 7, "dog": 3}, {"cat": 5}), costs=({"cat": 2, "dog": 4}, {"cat": 1, "dog": 1}))
    assert [crowd.value(0, ("cat", "dog"), accuracy) for accuracy in (1, 0.5, 0.26, 0)] == [10, 5, 3, 0]
    assert crowd.score(("cat",), 0, 0.5) == 4 + 2 - 2 * 1


def test_margin__by_hand() -> None:
    crowd = Crowd(values=({"cat": 7, "dog": 3}, {"cat": 5}), costs=({"cat": 2, "dog": 4}, {"cat": 1, "dog": 1}))
    assert (crowd.common, crowd.proposals) == (("cat",), (("cat", "dog"), ("cat",)))
    assert crowd.value(1, ("cat", "dog")) == 5
    assert crowd.cost(0, ("cat", "dog")) == 6
    # Two base stations: E = V - 2 K of the other one.
    assert (crowd.score(("cat",), 0), crowd.score(("cat",), 1)) == (7 + 5 - 2 * 1, 7 + 5 - 2 * 2)
    assert (crowd.margin(("cat",)), crowd.margin(("cat", "dog"))) == (7 + 5 - 2 - 1, 7 + 5 - 2 - 1 + 3 - 4 - 1)


def test_band__three_seeds__is_students() -> None:
    # mean 2, standard error 1/√3, the 97.5 % quantile of two degrees of freedom 4.303
    found = band([[1.0], [2.0], [3.0]])
    assert found.mean == pytest.approx([2])
    assert found.half == pytest.approx([4.303 / 3**0.5], rel=1e-3)


def test_band__one_seed__refused() -> None:
    with pytest.raises(ValueError, match="two seeds"):
        band([[1.0]])
