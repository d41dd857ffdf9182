"""Options of a round: what is refused, and what is drawn from them."""

import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fl.crowdfunding.settings import (
    CREATION_SECONDS,
    MAX_PHASE_SECONDS,
    Misbehaviour,
    RoundSettings,
    SettingsError,
    theta_of,
)
from fl.crowdfunding.valuations import MAX_COST, MAX_VALUE, claimant_of, draw, terms_of, theta_range
from fl.market.terms import GWEI, SHORTEST_PHASE, Policy
from fl.members.training import NAMED
from fl.training.config import DEFAULTS
from fl.training.errors import TrainingError

LABELS = tuple("0123456789")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"owners": 1}, "at least 2 owners"),
        ({"base_stations": 2}, "at least 3 base stations"),
        ({"models": 5}, "1 … 4"),
        ({"models": 0}, "1 … 4"),
        ({"owners": 80, "models": 65}, "1 … 64"),
        ({"theta_bps": (5, 4)}, "--theta"),
        ({"theta_bps": (0, 10_000)}, "--theta is below 1"),
        ({"theta_bps": (0, 1), "owner_policy": Policy.CAPABILITY}, "--theta is 0 where owners share by capability"),
        ({"stake": -1}, "--stake is 0 … "),
        ({"stake": 2**44}, "--stake"),
        ({"tolerance": 1}, "--tolerance"),
        ({"tolerance": math.nan}, "--tolerance"),
        ({"misbehaviour": Misbehaviour.PARTIAL_STATION, "rounds": 1}, "--partial-station"),
        ({"rounds": 0}, "1 … 256"),
        ({"rounds": 257}, "1 … 256"),
        ({"phase_seconds": 0}, "--phase-seconds is 60 … 4,500,000, not 0"),
        ({"phase_seconds": 59}, "--phase-seconds is 60"),
        ({"phase_seconds": 4_500_001}, "--phase-seconds is 60"),
        ({"claim": 1.0001}, "--claim is an accuracy, 0 … 1, not 1.0001"),
        ({"claim": -0.1}, "--claim"),
        ({"claim": math.nan}, "--claim is an accuracy, 0 … 1, not nan"),
        ({"claim": math.inf}, "--claim"),
        ({"pilot": 0}, "--pilot is a part of the training images"),
        ({"pilot": 1.1}, "--pilot"),
        ({"pilot": math.nan}, "--pilot"),
        ({"pilot": 0.1, "claim": 0.5}, "--claim and --pilot"),
        ({"contribution": "none"}, "--contribution is one of margin, leave-one-out, shapley, not none"),
        ({"workers": -1}, "--workers is a number of processes, 0 or more, not -1"),
    ],
)
def test_settings__that_do_not_fit__say_why(options: dict, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        RoundSettings(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": math.nan}, "alpha"),
        ({"seed": -1}, "seed"),
        ({"clients": 0}, "clients"),
        ({"train_images": 0}, "train_images"),
        ({"local_epochs": 0}, "local_epochs"),
        ({"model": "vgg"}, "choose one of small-cnn"),
        ({"model": "my.code:net"}, "code that another names is not imported"),
        ({"optimizer": "my.code:make"}, "code that another names is not imported"),
        ({"strategy": "SCAFFOLD"}, "signed updates do not bring that"),
        ({"client_bits": 1}, "client_bits must be at least 2"),
    ],
)
def test_settings__that_cannot_be_trained__say_why(options: dict, words: str) -> None:
    with pytest.raises(TrainingError, match=words):
        RoundSettings(**options)


def test_settings__shortest_and_longest_phase__make_deadlines_that_the_contract_takes() -> None:
    for seconds in (SHORTEST_PHASE, MAX_PHASE_SECONDS):
        terms = terms_of(RoundSettings(phase_seconds=seconds), LABELS, CREATION_SECONDS)
        assert terms.deadlines.vote <= 365 * 24 * 3600


def test_settings__what_an_order_can_name__is_an_option_of_the_command() -> None:
    from scripts.crowdfund_round import cli

    options = {each.name for each in cli.params}
    assert {*NAMED, "strategy"} <= options & RoundSettings.__dataclass_fields__.keys()
    named = {"optimizer": "AdamW", "loss": "cross_entropy(label_smoothing=0.1)", "augment": True, "client_bits": 8}
    training = RoundSettings(**named, strategy="FedAdam").training(("1", "2"))
    assert training.station == replace(DEFAULTS["digits"].station, **named)
    assert training.strategy == "FedAdam"


def test_settings__imported__without_torch() -> None:
    """Else a wrong option would take seconds to be told."""
    code = "import sys, fl.crowdfunding.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "bps"), [("0.4", (4_000, 4_000)), ("0.2-0.6", (2_000, 6_000)), ("0", (0, 0)), ("1e0", (10_000, 10_000))]
)
def test_theta_of__number_or_range__in_basis_points(text: str, bps: tuple[int, int]) -> None:
    assert theta_of(text) == bps


@pytest.mark.parametrize("text", ["", "much", "0.2-", "-0.2", "0.1-0.2-0.3", "nan", "inf", "1e-2"])
def test_theta_of__neither__says_what_it_takes(text: str) -> None:
    with pytest.raises(SettingsError, match="one number below 1 or a range of two"):
        theta_of(text)


@given(st.integers(0, 2**32), st.sampled_from(Policy), st.integers(3, 12))
def test_chance__any_seed__is_fixed_by_it(seed: int, policy: Policy, stations: int) -> None:
    """A θ of one point, and the claimant."""
    settings = RoundSettings(seed=seed, owner_policy=policy, base_stations=stations)
    low, high = theta_range(settings)
    assert low == high
    assert 2_000 <= low <= 6_000 if policy is Policy.EQUAL else low == 0
    assert 0 <= claimant_of(settings) < stations
    assert (theta_range(settings), claimant_of(settings)) == ((low, high), claimant_of(settings))


def test_chance__many_seeds__every_base_station_and_both_ends() -> None:
    settings = [RoundSettings(seed=seed) for seed in range(400)]
    assert {claimant_of(each) for each in settings} == {0, 1, 2, 3}
    thetas = [theta_range(each)[0] for each in settings]
    assert min(thetas) < 2_100 and max(thetas) > 5_900


def test_terms__defaults__as_every_client_has_them() -> None:
    terms = terms_of(RoundSettings(), LABELS, 0)
    assert terms.bond == max(2 * terms.max_owner_bid, terms.max_station_bid) * GWEI
    assert (terms.contribution_stake, terms.threshold_bps, terms.tolerance_bps) == (0, 5_000, 300)
    given = terms_of(RoundSettings(theta_bps=(1, 2), stake=7, tolerance=0.0001), LABELS, 0)
    assert (given.surplus_bps, given.contribution_stake, given.tolerance_bps) == ((1, 2), 7 * GWEI, 1)


@given(seed=st.integers(0, 10_000), owners=st.integers(2, 12), stations=st.integers(3, 12))
def test_draw__any_seed__bids_stay_within_the_caps(seed: int, owners: int, stations: int) -> None:
    settings = RoundSettings(owners=owners, base_stations=stations, seed=seed, owner_policy=Policy.CAPABILITY)
    drawn = draw(settings, LABELS)
    terms = terms_of(settings, LABELS, 0)
    everything = {label for owner in range(owners) for label in drawn.targets(owner)}
    for values in drawn.values:
        assert all(1 <= value <= MAX_VALUE for value in values.values())
        assert sum(values.get(label, 0) for label in everything) <= terms.max_owner_bid
    for cost in drawn.costs:
        assert 1 <= cost <= MAX_COST
        assert cost * len(everything) <= terms.max_station_bid
    assert terms.bond >= terms.max_station_bid * GWEI
    common = set.intersection(*(set(values) for values in drawn.values))
    assert len(common) >= 2, "owners share an intersection (paper, section V-B)"
    assert all(points >= 1 for points in drawn.owner_points)


def test_draw__means__are_those_of_the_paper() -> None:
    values, costs = [], []
    for seed in range(300):
        drawn = draw(RoundSettings(seed=seed), LABELS)
        values += [value for owner in drawn.values for value in owner.values()]
        costs += drawn.costs
    assert sum(values) / len(values) == pytest.approx(10, abs=0.5)
    assert sum(costs) / len(costs) == pytest.approx(5, abs=0.5)


def test_draw__same_seed__same_numbers() -> None:
    assert draw(RoundSettings(seed=3), LABELS) == draw(RoundSettings(seed=3), LABELS)
    assert draw(RoundSettings(seed=3), LABELS) != draw(RoundSettings(seed=4), LABELS)


def test_draw__one_label__refused() -> None:
    with pytest.raises(SettingsError, match="at least 2 labels"):
        draw(RoundSettings(), ("cat",))
