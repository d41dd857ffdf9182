"""The paper's figures 4 and 5: the contract's selection, trainings, and what the claims would notice."""

from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

import pytest

from analysis.figures import accuracy, social_utility
from analysis.figures.figure import FigureError, Request, Setting
from analysis.figures.interests import Crowd, draw_crowd
from analysis.figures.market import own_market
from analysis.figures.record import read
from analysis.figures.selection import Selected, select
from analysis.figures.trainings import Plan, Training, train_all
from fl.training.config import StationConfig

Doctor = Callable[[dict[str, Any]], None]
LABELS = tuple("0123456789")


@pytest.mark.parametrize("claimant", [0, 7])
def test_select__drawn_crowd__the_largest_score_the_first_of_equals(claimant: int) -> None:
    crowd = draw_crowd(Random(4), LABELS, 0.5)
    scores = [crowd.score(targets, claimant) for targets in crowd.proposals]
    with own_market() as market:
        assert select(market, crowd, claimant) == Selected(scores.index(max(scores)), max(scores))


def test_select__nothing_worth_its_cost__nothing() -> None:
    crowd = Crowd(values=({"0": 1}, {"0": 1}), costs=({"0": 9}, {"0": 9}, {"0": 9}))
    with own_market() as market:
        assert select(market, crowd, claimant=1) is None


def test_train_all__named_twice__trained_once_and_judged_by_the_labels_asked_for() -> None:
    plan = Plan("digits", "small-cnn", 60, 2, StationConfig(1, 1, batch_size=10))
    wide = Training(3, ("0", "1", "2"), ("0", "1"))
    said: list[str] = []
    found = train_all(plan, [wide, wide], Request(quick=True, say=said.append))
    assert said == ["1 of 1 models trained"]
    assert len(found[wide]) == plan.rounds
    # 72 test images have one of the two labels
    assert all(0 <= each <= 1 and each * 72 == pytest.approx(round(each * 72)) for each in found[wide])


def test_measure__digits_and_a_folder_of_images__refused(tmp_path: Any) -> None:
    with pytest.raises(FigureError, match="digits come with scikit-learn"):
        accuracy.measure(Request(quick=True, data_dir=str(tmp_path)))


def another_selected(data: dict[str, Any]) -> None:
    market = data["markets"]["few"][0]
    market["auction"] = market["scores"].index(min(market["scores"]))


def strategies_exchanged(data: dict[str, Any]) -> None:
    for market in (*data["markets"]["few"], *data["markets"]["most"]):
        market["accuracy"] = {"auction": market["accuracy"]["random"], "random": market["accuracy"]["auction"]}


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (another_selected, "largest margin"),
        (strategies_exchanged, "few want"),
        (strategies_exchanged, "most want"),
    ],
)
def test_accuracy_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("accuracy", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in accuracy.claims(data) if not claim.holds)


def smaller_score(data: dict[str, Any]) -> None:
    data["seeds"][0][0]["auction_score"] -= 1


def seeds_that_disagree(data: dict[str, Any]) -> None:
    spoil(data["seeds"][:1])


def useless_models(data: dict[str, Any]) -> None:
    spoil(data["seeds"])


def spoil(seeds: list[Any]) -> None:
    for rounds in seeds:
        for played in rounds:
            if played["models"]["auction"]:
                played["models"]["auction"]["accuracy"] /= 2


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [(smaller_score, "largest margin"), (useless_models, "a random proposal"), (seeds_that_disagree, "common labels")],
)
def test_utility_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("social-utility", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in social_utility.claims(data) if not claim.holds)


def test_utility_claims__less_accurate_models__trail_the_common_labels() -> None:
    data = deepcopy(read("social-utility", Setting.QUICK)["data"])
    useless_models(data)
    assert "trails the common labels" in social_utility.claims(data)[-1].text


def test_utility__nothing_trained__is_nothing() -> None:
    assert social_utility.utility({"models": {"auction": None}}, "auction") == 0
