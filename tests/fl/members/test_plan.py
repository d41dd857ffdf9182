"""What a model is worth to an owner, and what training it costs a base station."""

import pytest

from fl.members.plan import by_label, per_label
from fl.store.texts import OwnersView
from tests.fl.store.test_texts import STATIONS


def test_worth__labels_named_twice__count_once() -> None:
    assert by_label({"cat": 7})(OwnersView(10_000, ("cat", "cat"))) == 7


@pytest.mark.parametrize(
    ("bps", "worth"), [(0, 0), (416, 0), (417, 1), (5_000, 6), (9_583, 11), (9_584, 12), (10_000, 12), (65_535, 12)]
)
def test_worth__claimed_accuracy__times_the_labels_values_and_at_most_all_of_them(bps: int, worth: int) -> None:
    """v(acc, y): an overclaim raises what others bid, but no claim beyond 1 does."""
    view = OwnersView(bps, ("cat", "dog", "cow"))
    assert by_label({"cat": 7, "dog": 5, "owl": 99})(view) == worth


def test_worth__other_exponents__weigh_the_accuracy_so() -> None:
    view = OwnersView(5_000, ("cat",))
    assert [by_label({"cat": 100}, exponent)(view) for exponent in (0, 0.5, 1, 2)] == [100, 71, 50, 25]


def test_cost__for_each_label() -> None:
    assert per_label(3)(STATIONS) == 3 * STATIONS.label_count
