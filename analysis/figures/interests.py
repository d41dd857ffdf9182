"""Owners that want some labels each, base stations that price labels: what a proposed model is worth, and costs.

Sections V-B and V-C of the paper: all owners want the labels of a random common set; each wants further labels too, and
proposes a model of exactly the labels that it wants. A label that an owner wants is worth 10 gwei to it on average; one
more label costs a base station 5 gwei on average. The paper does not say how a value follows from labels. Here it adds
up: an owner's value for a model is that of its wanted labels among the model's targets times the model's accuracy, a
base station's cost that of all its targets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

MEMBERS = 10  # a side
MEAN_VALUE, MEAN_COST = 10, 5  # gwei a label
COMMON = (2, 4)  # labels that all owners want: fewest, most

Targets: TypeAlias = tuple[str, ...]
"""A model's target labels, in the order of the data set."""


@dataclass(frozen=True)
class Crowd:
    """Who could train a model together; each owner's wanted labels are the targets that it proposes.

    Attributes:
        values: by owner, gwei of each label that it wants.
        costs: by base station, gwei of each label of the data set.
    """

    values: tuple[Mapping[str, int], ...]
    costs: tuple[Mapping[str, int], ...]

    @property
    def proposals(self) -> tuple[Targets, ...]:
        """Each owner's."""
        return tuple(tuple(values) for values in self.values)

    @property
    def common(self) -> Targets:
        """The labels that every owner wants."""
        return tuple(label for label in self.costs[0] if all(label in values for values in self.values))

    def value(self, owner: int, targets: Targets, accuracy: float = 1) -> int:
        """What a model of that accuracy is worth to an owner, v(acc, y), gwei, rounded."""
        return round(accuracy * sum(self.values[owner].get(label, 0) for label in targets))

    def cost(self, station: int, targets: Targets) -> int:
        """What a model costs a base station, gwei."""
        return sum(self.costs[station][label] for label in targets)

    def total_cost(self, targets: Targets) -> int:
        """What a model costs all base stations, gwei."""
        return sum(self.cost(station, targets) for station in range(len(self.costs)))

    def margin(self, targets: Targets) -> int:
        """What a model that is never wrong is worth to all owners less what it costs all base stations, gwei."""
        worth = sum(self.value(owner, targets) for owner in range(len(self.values)))
        return worth - self.total_cost(targets)

    def score(self, targets: Targets, claimant: int, accuracy: float = 1) -> int:
        """What the contract goes by, E: the margin times n_B - 1, all costs estimated from those of all but one; gwei.

        Args:
            targets: the model's.
            claimant: the base station whose cost is not looked at.
            accuracy: that its proposer claims.
        """
        stations = len(self.costs)
        worth = sum(self.value(owner, targets, accuracy) for owner in range(len(self.values)))
        others = sum(self.cost(station, targets) for station in range(stations) if station != claimant)
        return (stations - 1) * worth - stations * others


def draw_crowd(random: Random, labels: Sequence[str], further: float) -> Crowd:
    """Draw the common labels, everybody's further ones, values and costs.

    Values are uniform integers 1 … 19 gwei, costs 1 … 9 gwei. Wanted sets are drawn again until nothing but the common
    labels is common.

    Args:
        random: the source of all draws.
        labels: of the data set.
        further: the probability with which an owner wants a label that is not common.
    """
    common = frozenset(random.sample(labels, random.randint(*COMMON)))
    while True:
        wanted = [
            tuple(label for label in labels if label in common or random.random() < further) for _ in range(MEMBERS)
        ]
        if frozenset.intersection(*map(frozenset, wanted)) == common:
            break
    return Crowd(
        values=tuple({label: random.randint(1, 2 * MEAN_VALUE - 1) for label in own} for own in wanted),
        costs=tuple({label: random.randint(1, 2 * MEAN_COST - 1) for label in labels} for _ in range(MEMBERS)),
    )


def settings(labels: Sequence[str]) -> dict[str, object]:
    """What a figure that draws crowds says about it."""
    return {
        "owners": MEMBERS,
        "base_stations": MEMBERS,
        "labels": list(labels),
        "common_labels": f"{COMMON[0]} to {COMMON[1]}",
        "value_of_a_wanted_label": f"uniform, 1 to {2 * MEAN_VALUE - 1} gwei",
        "cost_of_a_label": f"uniform, 1 to {2 * MEAN_COST - 1} gwei",
        "claimant": "any base station",
    }
