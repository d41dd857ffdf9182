"""What models are worth to owners and cost base stations, drawn as in the paper's section V."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from fl.crowdfunding.settings import COST_MEAN, VALUE_MEAN, RoundSettings, SettingsError
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms

MAX_VALUE = 2 * VALUE_MEAN - 1
MAX_COST = 2 * COST_MEAN - 1
"""Draws are uniform over 1 … 2·mean − 1 gwei a label."""

MAX_CAPABILITY = 5


@dataclass(frozen=True)
class Valuations:
    """Every member's private numbers.

    Attributes:
        values: by owner, gwei for each label that it wants.
        costs: by base station, gwei for each label that a model tells apart.
        owner_points: capabilities of the owners (1 under the equal policy).
        base_points: of the base stations.
    """

    values: tuple[dict[str, int], ...]
    costs: tuple[int, ...]
    owner_points: tuple[int, ...]
    base_points: tuple[int, ...]

    def targets(self, owner: int) -> tuple[str, ...]:
        """The labels that an owner wants, and proposes to train."""
        return tuple(sorted(self.values[owner]))


def draw(settings: RoundSettings, labels: Sequence[str]) -> Valuations:
    """Draw every member's numbers from the seed.

    Owners share an intersection of 2 to 4 labels, each extends it by 1 to 3 of its own (section V-B); a label is worth
    10 gwei on average to who wants it and costs a base station 5 on average (V-C).

    Raises:
        SettingsError: the data set has fewer than 2 labels.
    """
    if len(labels) < 2:
        raise SettingsError(f"a data set needs at least 2 labels, this one has {len(labels)}")
    rng = random.Random(settings.seed)
    common = rng.sample(list(labels), min(rng.randint(2, 4), len(labels)))
    others = [label for label in labels if label not in common]
    values = []
    for _ in range(settings.owners):
        own = rng.sample(others, min(rng.randint(1, 3), len(others)))
        values.append({label: rng.randint(1, MAX_VALUE) for label in [*common, *own]})
    costs = tuple(rng.randint(1, MAX_COST) for _ in range(settings.base_stations))

    def points(policy: Policy, members: int) -> tuple[int, ...]:
        weighted = policy is Policy.CAPABILITY
        return tuple(rng.randint(1, MAX_CAPABILITY) if weighted else 1 for _ in range(members))

    return Valuations(
        tuple(values),
        costs,
        points(settings.owner_policy, settings.owners),
        points(settings.base_policy, settings.base_stations),
    )


def terms_of(settings: RoundSettings, labels: Sequence[str], now: int, membership_root: bytes) -> RoundTerms:
    """A round's terms: caps that no draw can exceed, and a bond near the pool that such a round expects."""
    max_base_bid = MAX_COST * len(labels)
    return RoundTerms(
        max_owner_bid=MAX_VALUE * len(labels),
        max_base_bid=max_base_bid,
        bond=2 * max_base_bid * GWEI,
        deadlines=Deadlines.after(now, settings.phase_seconds),
        owner_policy=settings.owner_policy,
        base_policy=settings.base_policy,
        max_models=settings.proposals,
        membership_root=membership_root,
    )
