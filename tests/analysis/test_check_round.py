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
from analysis.round_facts import Member, Round, Statement
from analysis.settlement import settle_round
from tests.analysis.round_strategies import rounds

BALANCE = 10**30
AMOUNTS = ("share", "tax", "reward", "forfeited", "slashed", "rebate", "payment")


def document_of(round_: Round) -> dict[str, Any]:
    """The `round.json` of a round, as far as the mechanism decides it."""
    result = settle_round(round_)
    values = [_sum(round_.owners, model) for model in range(len(round_.proposers))]
    costs = [_sum(round_.base_stations, model) for model in range(len(round_.proposers))]
    models = [
        {"proposer": f"0xO{proposer}", "live": live, "value": v, "cost": k, "margin": v - k}
        for proposer, live, v, k in zip(round_.proposers, round_.live, values, costs, strict=True)
    ]
    return {
        "theta_numerator": str(round_.theta_numerator),
        "caps": {"owner": round_.max_owner_bid, "base_station": round_.max_base_bid},
        "bond": str(round_.bond),
        "policy": {"owners": round_.owner_policy, "base_stations": round_.base_policy},
        "status": result.status,
        "selected": result.selected,
        "pool": str(int(result.settlement.pool)) if result.settlement else None,
        "models": models,
        "owners": _entries("0xO", round_.owners, result.owners),
        "base_stations": _entries("0xB", round_.base_stations, result.base_stations),
        "training": {"epochs": [{"epoch": 0, "updates_root": "0x1"}] if round_.global_round_recorded else []},
        "contributions": list(round_.contributions),
        "votes": [],
        "punished": round_.punished and result.status == "settled",
        "collected": {
            "owners": result.owner_side.inside + result.owner_side.outside,
            "base_stations": result.base_side.inside + result.base_side.outside,
        },
    }


def _sum(side: tuple[Member, ...], model: int) -> int:
    return sum(member.bids[model] for member in side if member.revealed) * WEI_PER_GWEI


def _entries(prefix: str, side: tuple[Member, ...], statements: tuple[Statement, ...]) -> list[dict[str, Any]]:
    return [
        {
            "account": f"{prefix}{number}",
            "points": member.points,
            "committed": member.committed,
            "revealed": member.revealed,
            "recorded": member.recorded,
            "bids": list(member.bids),
            **{field: str(getattr(statement, field)) for field in AMOUNTS},
            "balance_before": str(BALANCE),
            "balance_after": str(BALANCE - statement.payment),
        }
        for number, (member, statement) in enumerate(zip(side, statements, strict=True))
    ]


def example() -> dict[str, Any]:
    """Two models, owner 1 pivotal by 5 gwei, a punished winner."""
    stations = tuple(Member(bids=(1, 1), recorded=True) for _ in range(2))
    owners = (Member(bids=(10, 0)), Member(bids=(1, 6)), Member(bids=(0, 0)))
    round_ = Round(owners, stations, (0, 1), THETA_ONE // 3, 100, 100, 10**12, punished=True)
    document = document_of(round_)
    document["votes"] = [{"account": "0xO1", "punish": True}, {"account": "0xo2", "punish": False}]
    document["threshold"] = 4_999
    return document


@settings(deadline=None)
@given(rounds())
def test_check__document_of_the_reference__nothing_found(round_: Round) -> None:
    assert check(json.loads(json.dumps(document_of(round_)))) == []


@pytest.mark.parametrize("field", [*AMOUNTS, "balance_before", "balance_after"])
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
        (("collected", "owners"), 1),
        (("collected", "base_stations"), 1),
        (("punished",), False),
        (("threshold",), 5_000),
        (("votes", 1, "account"), "0xO1"),
        (("votes", 0, "account"), "0xO0"),
        (("votes", 0, "punish"), False),
        (("owners", 1, "bids"), [1, 7]),
        (("owners", 1, "committed"), False),
        (("theta_numerator",), 0),
        (("caps", "owner"), 5),
        (("policy", "owners"), "fair"),
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


def test_check__rebate_already_claimed__accepted() -> None:
    document = example()
    station = document["base_stations"][0]
    assert int(station["rebate"]) > 0
    station["balance_after"] = int(station["balance_after"]) + int(station["rebate"])
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
