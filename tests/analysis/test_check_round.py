"""The re-checker finds nothing in a document made from the reference, and every single change to it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from analysis.check_round import check, main
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Dues, Member, Round, RoundResult
from analysis.settlement import settle_round
from tests.analysis.round_strategies import rounds

BALANCE = 10**30
AMOUNTS = ("share", "tax", "reward", "forfeited", "slashed", "bonus", "payment")


def document_of(round_: Round) -> dict[str, Any]:
    """The `round.json` of a round, as far as the mechanism decides it."""
    result = settle_round(round_)
    values = [_sum(round_.owners, model) for model in range(len(round_.proposers))]
    costs = [_sum(round_.stations, model) for model in range(len(round_.proposers))]
    models = [
        {
            "proposer": f"0xO{proposer}",
            "live": live,
            "global_rounds": round_.global_rounds,
            "value": v,
            "cost": k,
            "margin": v - k,
        }
        for proposer, live, v, k in zip(round_.proposers, round_.live, values, costs, strict=True)
    ]
    stations = _entries("0xB", round_.stations, result, result.stations, round_.claimant)
    return {
        "format": 2,
        "theta_numerator": str(round_.theta_numerator),
        "caps": {"owner": round_.max_owner_bid, "base_station": round_.max_station_bid},
        "bond": str(round_.bond),
        "contribution_stake": str(round_.stake),
        "policy": round_.owner_policy,
        "claimant": None if round_.claimant is None else f"0xB{round_.claimant}",
        "status": result.status,
        "selected": result.selected,
        "pool": str(int(result.settlement.pool)) if result.settlement else None,
        "models": models,
        "owners": _entries("0xO", round_.owners, result, result.owners, None),
        "base_stations": stations,
        "training": None,
        "contributions": list(round_.contributions),
        "votes": [],
        "punished": round_.punished and result.status == "settled",
        "upheld": result.upheld,
        "kept": str(result.kept),
    }


def _sum(side: tuple[Member, ...], model: int) -> int:
    return sum(member.bids[model] for member in side if member.committed and member.revealed) * WEI_PER_GWEI


def _entries(
    prefix: str, side: tuple[Member, ...], result: RoundResult, dues: tuple[Dues, ...], claimant: int | None
) -> list[dict[str, Any]]:
    trains, lot = result.selected is not None, result.lot
    return [
        {
            "account": f"{prefix}{number}",
            "points": member.points,
            "committed": member.committed,
            "revealed": member.revealed,
            "recorded": member.recorded if trains else 0,
            "claimant": number == claimant,
            "bids": list(member.bids) if member.committed and member.revealed else None,
            **{field: str(getattr(each, field)) for field in AMOUNTS},
            "lot": str(lot if number == claimant else 0),
            "balance_before": str(BALANCE),
            "balance_after": str(BALANCE - each.payment + (lot if number == claimant else 0)),
        }
        for number, (member, each) in enumerate(zip(side, dues, strict=True))
    ]


def example(**changed: Any) -> dict[str, Any]:
    """Two models, owner 0 pivotal by 3 gwei, a punished winner; the contributions would otherwise have been upheld."""
    round_ = Round(
        owners=(Member(bids=(10, 0)), Member(bids=(1, 6)), Member(bids=(0, 0))),
        stations=(
            Member(bids=(1, 1), recorded=3),
            Member(bids=(1, 1), recorded=2),
            Member(revealed=False, recorded=3),
        ),
        proposers=(0, 1),
        claimant=2,
        theta_numerator=THETA_ONE // 3,
        max_owner_bid=100,
        max_station_bid=100,
        bond=10**12,
        stake=10**10,
        global_rounds=3,
        contributions=(400_000, 300_000, 300_000),
        **{"punished": True, "upheld": True, **changed},
    )
    document = document_of(round_)
    measured = (0.71, 0.86) if round_.punished else (0.9, 0.92)
    document["votes"] = [
        {"account": account, "measured_accuracy": accuracy, "uphold": True}
        for account, accuracy in zip(("0xO1", "0xo2"), measured, strict=True)
    ]
    document["training"] = {"claimed_accuracy": 0.9}
    return {**document, "threshold": 5_000, "tolerance": 300}


@settings(deadline=None)
@given(rounds())
def test_check__document_of_the_reference__nothing_found(round_: Round) -> None:
    assert check(json.loads(json.dumps(document_of(round_)))) == []


@pytest.mark.parametrize("changed", [{"punished": True}, {"punished": False}, {"upheld": False, "punished": False}])
def test_check__votes_that_decide__nothing_found(changed: dict[str, Any]) -> None:
    document = example(**changed)
    if changed.get("upheld") is False:
        document["votes"][0]["uphold"] = False
    assert check(document) == []


@pytest.mark.parametrize("field", [*AMOUNTS, "lot", "balance_before", "balance_after"])
@pytest.mark.parametrize("side", ["owners", "base_stations"])
def test_check__one_amount_off_by_a_wei__found(side: str, field: str) -> None:
    document = example()
    assert check(document) == []
    document[side][0][field] = int(document[side][0][field]) + 1
    assert len(check(document)) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("pool",), 1),
        (("selected",), 1),
        (("status",), "aborted"),
        (("models", 0, "live"), False),
        (("models", 0, "value"), 1),
        (("models", 1, "cost"), 1),
        (("models", 1, "margin"), 1),
        (("kept",), 1),
        (("upheld",), True),
        (("punished",), False),
        (("threshold",), 10_000),
        (("tolerance",), 500),
        (("training", "claimed_accuracy"), 0.88),
        (("format",), 1),
        (("claimant",), "0xB1"),
        (("claimant",), None),
        (("claimant",), "0xB9"),
        (("models", 0, "global_rounds"), 4),
        (("base_stations", 0, "recorded"), 2),
        (("base_stations", 1, "claimant"), True),
        (("base_stations", 1, "account"), "0xB0"),
        (("contribution_stake",), 1),
        (("votes", 1, "account"), "0xO1"),
        (("votes", 0, "account"), "0xO0"),
        (("votes", 0, "measured_accuracy"), 0.87),
        (("owners", 1, "bids"), [1, 7]),
        (("owners", 1, "committed"), False),
        (("theta_numerator",), 0),
        (("caps", "owner"), 5),
        (("policy",), "fair"),
        (("bond",), 1),
        (("owners", 0, "tax"), 0.5),
        (("models", 0, "proposer"), "0xO9"),
        (("owners", 0, "account"), "0xO1"),
    ],
)
def test_check__anything_else_changed__found(path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(example())
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert check(document)


def test_check__key_missing__named() -> None:
    document = example()
    del document["caps"]
    assert check(document) == ["the document lacks 'caps'"]


def test_check__upheld_votes_changed__found() -> None:
    document = example(punished=False)
    document["votes"][1]["uphold"] = False
    assert check(document) == ["upheld is True, the reference says False"]


def test_check__lot_not_taken_yet__accepted() -> None:
    document = example()
    claimant = document["base_stations"][2]
    assert int(claimant["lot"]) > 0
    claimant["balance_after"] = int(claimant["balance_after"]) - int(claimant["lot"])
    assert check(document) == []


def test_main__good_bad_and_no_document__exit_codes(tmp_path: Path) -> None:
    path = tmp_path / "round.json"
    path.write_text(json.dumps(example()), encoding="utf-8")
    assert main([str(path)]) == 0
    path.write_text(json.dumps({**example(), "pool": 1}), encoding="utf-8")
    assert main([str(path)]) == 1
    assert main([str(tmp_path / "none.json")]) == 2


def test_main__help_or_wrong_call__says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status in ((["--help"], 0), ([], 2), (["a", "b"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = "".join(capsys.readouterr())
        assert ended.value.code == status, arguments
        assert "usage: python -m analysis.check_round [-h] PATH" in said
