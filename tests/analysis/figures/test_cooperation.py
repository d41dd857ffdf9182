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
from analysis.figures.trainings import Plan, Training, forecast_all, train_all
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


def test_forecast_all__of_two_markets__each_owners_claim_in_order_by_images_of_its_own() -> None:
    plan = Plan("digits", "small-cnn", 100, 2, StationConfig(1, 1, batch_size=10))
    same = (("0", "1"), ("0", "1"))
    first, second, again = forecast_all(plan, [(3, same), (4, same), (3, same)], Request(quick=True))
    assert first == again != second
    assert first[0] != first[1], "judged by other halves of the test images"
    assert all(0 < claim < 1 for claim in first + second)


def test_measure__digits_and_a_folder_of_images__refused(tmp_path: Any) -> None:
    with pytest.raises(FigureError, match="digits come with scikit-learn"):
        accuracy.measure(Request(quick=True, data_dir=str(tmp_path)))


def another_selected(data: dict[str, Any]) -> None:
    market = data["markets"]["few"][0]
    market["auction"] = market["scores"].index(min(market["scores"]))


def strategies_exchanged(data: dict[str, Any]) -> None:
    for market in (*data["markets"]["few"], *data["markets"]["most"]):
        accuracy = market["accuracy"]
        accuracy["auction"], accuracy["random"] = accuracy["random"], accuracy["auction"]


def another_forecast(data: dict[str, Any]) -> None:
    data["markets"]["most"][0]["forecast_score"] -= 1


def widest_with_forecasts(data: dict[str, Any]) -> None:
    for market in data["markets"]["few"]:
        widths = [len(targets) for targets in market["proposals"]]
        market["forecast"] = widths.index(max(widths))


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (another_selected, "largest margin"),
        (strategies_exchanged, "few want"),
        (strategies_exchanged, "most want"),
        (another_forecast, "largest margin"),
        (widest_with_forecasts, "with forecasts, where few want"),
    ],
)
def test_accuracy_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("accuracy", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in accuracy.claims(data) if not claim.holds)


def smaller_score(data: dict[str, Any]) -> None:
    data["seeds"][0][0]["auction_score"] -= 1


def smaller_forecast_score(data: dict[str, Any]) -> None:
    data["seeds"][0][0]["forecast_score"] -= 1


def certain_of_it(data: dict[str, Any]) -> None:
    for rounds in data["seeds"]:
        for played in rounds:
            played["claimed"] = 1


def ahead_in_the_last_round_alone(data: dict[str, Any]) -> None:
    for rounds in data["seeds"]:
        for played in rounds:
            played["models"]["auction"] = {"margin": 0, "accuracy": 0, "cost": 0}
        rounds[-1]["models"]["auction"] = {"margin": 10**6, "accuracy": 1, "cost": 0}


@pytest.mark.parametrize(
    ("doctor", "noticed"),
    [
        (smaller_score, "largest margin"),
        (smaller_forecast_score, "largest margin"),
        (certain_of_it, "was claimed"),
        (ahead_in_the_last_round_alone, "a random proposal"),
    ],
)
def test_utility_claims__doctored_data__do_not_hold(doctor: Doctor, noticed: str) -> None:
    data = deepcopy(read("social-utility", Setting.QUICK)["data"])
    doctor(data)
    assert any(noticed in claim.text for claim in social_utility.claims(data) if not claim.holds)


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        (0, "the auction by labels alone leads the common labels"),
        (1, "the auction by labels alone neither leads nor trails the common labels"),
        (3, "the auction by labels alone trails the common labels"),
    ],
)
def test_utility_claims__less_accurate_models_in_some_seeds__say_so(seeds: int, said: str) -> None:
    data = deepcopy(read("social-utility", Setting.QUICK)["data"])
    for rounds in data["seeds"][:seeds]:
        for played in rounds:
            if played["models"]["auction"]:
                played["models"]["auction"]["accuracy"] /= 2
    assert any(said in claim.text for claim in social_utility.claims(data))


def test_utility__nothing_trained__is_nothing() -> None:
    for measure in social_utility.MEASURES:
        assert measure({"models": {"auction": None}}, "auction") == 0


def test_utility_and_welfare__by_hand() -> None:
    played = {"models": {"auction": {"margin": 60, "cost": 40, "accuracy": 0.5}}}
    assert social_utility.utility(played, "auction") == 60 * 0.5
    assert social_utility.welfare(played, "auction") == (60 + 40) * 0.5 - 40


def test_accuracy_claims__forecasts_select_in_one_market__no_mean_of_it() -> None:
    data = deepcopy(read("accuracy", Setting.QUICK)["data"])
    for market in data["markets"]["few"][1:]:
        market.update({"forecast": None, "forecast_score": 0, "forecast_scores": [-1]})
    (said,) = [claim.text for claim in accuracy.claims(data) if "with forecasts, where few" in claim.text]
    assert said.endswith("something is selected in 1 markets of 8")
    accuracy.draw(data)
