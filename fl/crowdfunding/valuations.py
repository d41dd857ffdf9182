"""What models are worth to owners and cost base stations, drawn as in the paper's section V."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from fl.crowdfunding.settings import COST_MEAN, THETA_BPS, VALUE_MEAN, RoundSettings, SettingsError
from fl.market.terms import GWEI, Deadlines, Policy, RoundTerms

MAX_VALUE = 2 * VALUE_MEAN - 1
MAX_COST = 2 * COST_MEAN - 1
"""Draws are uniform over 1 … 2·mean − 1 gwei a label."""

MAX_CAPABILITY = 5


@dataclass(frozen=True)
class Valuations:
    """Every member's private numbers.

    Attributes:
        values: by owner, gwei for each label that it wants, in a model that is never wrong.
        costs: by base station, gwei for each label that a model tells apart.
        owner_points: capabilities of the owners (1 under the equal policy).
    """

    values: tuple[dict[str, int], ...]
    costs: tuple[int, ...]
    owner_points: tuple[int, ...]

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

    weighted = settings.owner_policy is Policy.CAPABILITY
    points = tuple(rng.randint(1, MAX_CAPABILITY) if weighted else 1 for _ in range(settings.owners))
    return Valuations(tuple(values), costs, points)


def theta_range(settings: RoundSettings) -> tuple[int, int]:
    """What the chain draws θ from, 1/10,000: as the settings say, or one point that the seed picks."""
    if settings.theta_bps is not None:
        return settings.theta_bps
    if settings.owner_policy is Policy.CAPABILITY:
        return (0, 0)
    point = random.Random(f"theta {settings.seed}").randint(*THETA_BPS)
    return (point, point)


def claimant_of(settings: RoundSettings) -> int:
    """The base station that the seed names as claimant, where the draw can be waited for; from 0."""
    return random.Random(f"claimant {settings.seed}").randrange(settings.base_stations)


def terms_of(settings: RoundSettings, labels: Sequence[str], now: int) -> RoundTerms:
    """A round's terms: caps that no valuation can exceed, and a bond that makes it useless to claim too much."""
    max_owner_bid, max_station_bid = MAX_VALUE * len(labels), MAX_COST * len(labels)
    return RoundTerms(
        max_owner_bid=max_owner_bid,
        max_station_bid=max_station_bid,
        bond=max(2 * max_owner_bid, max_station_bid) * GWEI,
        contribution_stake=settings.stake * GWEI,
        deadlines=Deadlines.after(now, settings.phase_seconds),
        owner_policy=settings.owner_policy,
        surplus_bps=theta_range(settings),
        tolerance_bps=round(settings.tolerance * 10_000),
        max_models=settings.proposals,
    )
