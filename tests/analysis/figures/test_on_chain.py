"""Rounds of figures on chain: they are the reference's, and a difference would be noticed."""

from dataclasses import replace
from random import Random

import pytest

from analysis.figures.draws import draw_round
from analysis.figures.market import own_market
from analysis.figures.on_chain import Played, agrees, bps_of, draw_theta, play
from analysis.mechanism import THETA_ONE
from analysis.round_facts import Round


@pytest.fixture(scope="module")
def played() -> list[tuple[Played, Round]]:
    """Rounds side by side; nothing is worth its cost in the last."""
    random = Random(5)
    facts = [draw_round(random, 4, 4, theta=draw_theta(random), mean_value=mean) for mean in (100, 60, 100, 60, 0)]
    with own_market(limited=False) as market:
        return list(zip(play(market, facts), facts, strict=True))


def test_play__rounds_side_by_side__all_are_the_references(played: list[tuple[Played, Round]]) -> None:
    assert all(agrees(result, facts) for result, facts in played)
    assert [result.selected is None for result, _ in played] == [False] * 4 + [True]
    assert sum(any(result.taxes) for result, _ in played) > 1, "rounds without a tax show little"


def test_play__claimants_of_the_facts__receive_the_lot(played: list[tuple[Played, Round]]) -> None:
    for result, facts in played:
        assert facts.claimant is not None
        aside = len(facts.owners) + facts.claimant
        assert result.lots[aside] == sum(result.lots) == sum(result.taxes)


@pytest.mark.parametrize("amounts", ["payments", "taxes", "lots"])
def test_agrees__a_wei_more__does_not(played: list[tuple[Played, Round]], amounts: str) -> None:
    result, facts = played[0]
    first, *others = getattr(result, amounts)
    assert not agrees(replace(result, **{amounts: (first + 1, *others)}), facts)


@pytest.mark.parametrize("what", ["selected", "in_training", "kept"])
def test_agrees__another_total__does_not(played: list[tuple[Played, Round]], what: str) -> None:
    result, facts = played[0]
    assert not agrees(replace(result, **{what: getattr(result, what) + 1}), facts)


def test_bps_of__every_theta_that_can_be_drawn__a_range_of_one_point() -> None:
    random = Random(1)
    assert all(0 <= bps_of(draw_theta(random)) < 10_000 for _ in range(1_000))


@pytest.mark.parametrize("theta", [1, THETA_ONE // 2 + 1, THETA_ONE - 1])
def test_bps_of__theta_between_two_points__refused(theta: int) -> None:
    with pytest.raises(ValueError, match="draw_theta"):
        bps_of(theta)
