"""Captions of the figures about money and truth: data that contradict them are noticed."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from analysis.figures.catalogue import figure
from analysis.figures.figure import Setting
from analysis.figures.record import read

Doctor = Callable[[dict[str, Any]], None]


def lie_that_pays_a_wei(data: dict[str, Any]) -> None:
    owner = data["sides"]["owner"]
    owner["claims twice"]["utility_wei"][3] = owner["tells the truth"]["utility_wei"][3] + 1


def round_off_the_reference(data: dict[str, Any]) -> None:
    data["rounds_equal_to_the_reference"] -= 1


def lies_that_cost_nothing(data: dict[str, Any]) -> None:
    station = data["sides"]["base station"]
    station["claims half"] = deepcopy(station["tells the truth"])


def claimant_whose_lie_costs(data: dict[str, Any]) -> None:
    data["sides"]["base station"]["claims twice"]["utility_wei"][data["claimants"].index(0)] -= 1


def lot_for_another(data: dict[str, Any]) -> None:
    number = next(number for number, claimant in enumerate(data["claimants"]) if claimant)
    data["sides"]["base station"]["tells the truth"]["lot_wei"][number] = 1


def our_rule_with_a_lie(data: dict[str, Any]) -> None:
    data["rules"]["ours"]["owner"]["search"]["profitable"] = 1


def our_rule_with_a_scaled_lie(data: dict[str, Any]) -> None:
    data["rules"]["ours"]["base station"]["grid"][0][0]["worst_wei"] = 1


def paper_without_a_lie(data: dict[str, Any]) -> None:
    data["rules"]["apart"]["owner"]["search"]["profitable"] = 0


def first_version_without_a_lie(data: dict[str, Any]) -> None:
    data["rules"]["first"]["base station"]["search"]["profitable"] = 0


def claimant_with_a_lie(data: dict[str, Any]) -> None:
    data["markets"]["thin"]["3"]["seeing_all"]["claimant"]["owner"]["profitable"] = 1


def burnt_with_a_blind_lie(data: dict[str, Any]) -> None:
    data["markets"]["wide"]["20"]["seeing_nothing"]["burnt"]["base station"]["profitable"] = 1


def rebates_that_pay_nobody(data: dict[str, Any]) -> None:
    for sizes in data["markets"].values():
        for entry in sizes.values():
            for found in entry["seeing_all"]["rebated"].values():
                found["gains_gwei"] = [0.0] * len(found["gains_gwei"])


def rebates_that_pay_the_blind(data: dict[str, Any]) -> None:
    data["markets"]["wide"]["5"]["seeing_nothing"]["rebated"]["owner"]["mean_gwei"] = 30.0


def claimant_that_wastes(data: dict[str, Any]) -> None:
    entry = data["markets"]["thin"]["10"]
    entry["welfare_gwei"]["claimant"] = entry["first_best_gwei"] / 2


def rebates_that_waste(data: dict[str, Any]) -> None:
    data["markets"]["wide"]["3"]["welfare_gwei"]["rebated"] *= 0.999


def tax_that_stays(data: dict[str, Any]) -> None:
    data["rounds"][0]["lot"] -= 1


def dust_of_a_gwei(data: dict[str, Any]) -> None:
    data["rounds"][0]["kept"] += 10**9


def deficit_of_a_wei(data: dict[str, Any]) -> None:
    entry = data["rounds"][1]
    entry["collected_less_paid"] = entry["owner_taxes"] + entry["station_taxes"] - 1


def reference_that_selects_another(data: dict[str, Any]) -> None:
    data["rounds"][2]["welfare"] -= 1


def second_best(data: dict[str, Any]) -> None:
    for entry in data["rounds"]:
        entry["first_best"] *= 2


def nobody_ever_loses(data: dict[str, Any]) -> None:
    data["policies"]["capability"]["base station"]["below_zero_in_a_round"] = 0.0


def side_that_loses(data: dict[str, Any]) -> None:
    data["policies"]["contribution"]["owner"]["mean_gwei"] = -1.0


def station_below_its_cap(data: dict[str, Any]) -> None:
    data["policies"]["equal"]["base station"]["worst_wei"] = -(10**12)


def stations_that_never_recover(data: dict[str, Any]) -> None:
    data["policies"]["equal"]["base station"]["below_zero_after"][-1] = 0.9


def capability_that_does_not_help(data: dict[str, Any]) -> None:
    data["policies"]["capability"]["owner"]["below_zero_after"][-1] = 0.5


def pairs_that_gain_nothing(data: dict[str, Any]) -> None:
    entry = data["pairs"]["two owners"]["3"]
    entry["gains_gwei"] = [0.0] * len(entry["gains_gwei"])


def list_that_lets_in(data: dict[str, Any]) -> None:
    data["on_chain"]["a name that is not listed"] = "joins"


DOCTORED: dict[str, tuple[Doctor, ...]] = {
    "truth": (
        lie_that_pays_a_wei,
        round_off_the_reference,
        lies_that_cost_nothing,
        claimant_whose_lie_costs,
        lot_for_another,
    ),
    "misreports": (our_rule_with_a_lie, our_rule_with_a_scaled_lie, paper_without_a_lie, first_version_without_a_lie),
    "tax": (
        claimant_with_a_lie,
        burnt_with_a_blind_lie,
        rebates_that_pay_nobody,
        rebates_that_pay_the_blind,
        claimant_that_wastes,
        rebates_that_waste,
    ),
    "budget": (tax_that_stays, dust_of_a_gwei, deficit_of_a_wei, reference_that_selects_another, second_best),
    "participation": (
        nobody_ever_loses,
        side_that_loses,
        capability_that_does_not_help,
        station_below_its_cap,
        stations_that_never_recover,
    ),
    "collusion": (pairs_that_gain_nothing, list_that_lets_in),
}


@pytest.mark.parametrize(
    ("name", "doctor"),
    [pytest.param(name, doctor, id=f"{name}-{doctor.__name__}") for name, all_ in DOCTORED.items() for doctor in all_],
)
def test_claims__data_that_contradict_them__do_not_hold(name: str, doctor: Doctor) -> None:
    data = deepcopy(dict(read(name, Setting.QUICK)["data"]))
    doctor(data)
    assert not all(claim.holds for claim in figure(name).claims(data))
