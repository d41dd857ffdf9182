"""The punishment figure: the law it compares with, a round on the node, and what its claims would notice."""

from collections.abc import Callable
from copy import deepcopy
from itertools import product
from math import prod
from random import Random
from typing import Any

import pytest

from analysis.figures.figure import Setting
from analysis.figures.market import own_market
from analysis.figures.punishment import BOND, ELECTORS, ERRORS, THRESHOLDS_BPS, WINNERS, claims, expected, trials_of
from analysis.figures.record import read
from analysis.settlement import exceeds_threshold

Doctor = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("threshold", THRESHOLDS_BPS)
@pytest.mark.parametrize("winner", WINNERS)
def test_expected__every_combination_of_wrong_votes__adds_up(winner: str, threshold: int) -> None:
    error = 0.3
    total = 0.0
    for wrong in product((False, True), repeat=ELECTORS):
        votes = sum(errs == (winner == "honest") for errs in wrong)
        total += exceeds_threshold(votes, ELECTORS, threshold) * prod(error if errs else 1 - error for errs in wrong)
    assert expected(error, threshold, winner) == pytest.approx(total)


def test_round__on_the_node__is_put_to_the_vote_under_every_error_rate() -> None:
    with own_market() as market:
        trials = trials_of(market, Random(1), 0, 5_000)
    assert {(trial["error"], trial["winner"]) for trial in trials} == set(product(ERRORS, WINNERS))
    for trial in trials:
        assert trial["slashed"] == BOND * exceeds_threshold(trial["votes_for"], ELECTORS, 5_000)
        if trial["error"] == 0:
            assert trial["votes_for"] == (0 if trial["winner"] == "honest" else ELECTORS)
    assert len({(trial["share"], trial["tax"]) for trial in trials}) == 1, "the vote takes nothing but the bond"


def half_a_bond(data: dict[str, Any]) -> None:
    next(trial for trial in data["trials"] if trial["slashed"])["slashed"] /= 2


def an_honest_winner_punished(data: dict[str, Any]) -> None:
    trial = next(trial for trial in data["trials"] if trial["error"] == 0 and trial["winner"] == "honest")
    trial["slashed"] = BOND


def four_fifths_that_catch_everybody(data: dict[str, Any]) -> None:
    for trial in data["trials"]:
        if trial["threshold_bps"] == max(THRESHOLDS_BPS) and trial["winner"] == "dishonest":
            trial["slashed"] = BOND


def nobody_punished(data: dict[str, Any]) -> None:
    for trial in data["trials"]:
        trial["slashed"] = 0


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (half_a_bond, "a bond is slashed"),
        (an_honest_winner_punished, "without wrong votes"),
        (four_fifths_that_catch_everybody, "votes punish"),
        (nobody_punished, "binomial"),
        (nobody_punished, "honest winners gain"),
    ],
)
def test_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("punishment", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in claims(data) if not claim.holds)
