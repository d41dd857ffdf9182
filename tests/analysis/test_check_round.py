"""The re-checker finds nothing in a document made from the reference, and every single change to it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings

from analysis.check_round import check, main
from analysis.mechanism import BASIS_POINTS, THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Dues, Member, Round
from analysis.settlement import settle_round
from tests.analysis.round_strategies import rounds

BALANCE = 10**30
CLAIMED, TOLERANCE, THRESHOLD = 9_000, 300, 5_000
AMOUNTS = ("share", "tax", "reward", "forfeited", "slashed", "bonus", "payment")


def document_of(round_: Round) -> dict[str, Any]:
    """The `round.json` of a round, as far as the mechanism decides it."""
    result = settle_round(round_)
    values, costs = (
        [sum(member.bids[model] for member in side if member.committed and member.revealed) for model in models]
        for side, models in ((side, range(len(round_.proposers))) for side in (round_.owners, round_.stations))
    )
    n = sum(station.committed for station in round_.stations)
    models = [
        {
            "proposer": f"0xO{proposer}",
            "live": live,
            "global_rounds": round_.global_rounds,
            "claimed_accuracy": CLAIMED / BASIS_POINTS,
            "value": str(value * WEI_PER_GWEI),
            "cost": str(cost * WEI_PER_GWEI),
            "margin": str(((n - 1) * value - n * cost) * WEI_PER_GWEI // max(1, n - 1)),
        }
        for proposer, live, value, cost in zip(round_.proposers, round_.live, values, costs, strict=True)
    ]
    theta = 0 if round_.claimant is None else round_.theta_numerator
    theta_bps = theta * BASIS_POINTS // THETA_ONE
    return {
        "format": 2,
        "theta_range": [theta_bps, theta_bps + 1] if theta else [0, 0],
        "theta_numerator": str(theta),
        "claimant": None if round_.claimant is None else f"0xB{round_.claimant}",
        "caps": {"owner": round_.max_owner_bid, "base_station": round_.max_station_bid},
        "bond": str(round_.bond),
        "contribution_stake": str(round_.stake),
        "threshold": THRESHOLD,
        "tolerance": TOLERANCE,
        "policy": round_.owner_policy,
        "status": result.status,
        "selected": result.selected,
        "pool": str(int(result.settlement.pool)) if result.settlement else 0,
        "models": models,
        "owners": _entries("0xO", round_, round_.owners, result.owners, 0),
        "base_stations": _entries("0xB", round_, round_.stations, result.stations, result.lot),
        "training": None,
        "contributions": list(round_.contributions),
        "votes": _votes(round_, result.selected) if result.status == "settled" else [],
        "upheld": result.upheld,
        "punished": round_.punished and result.status == "settled",
        "kept": str(result.kept),
    }


def _votes(round_: Round, selected: int | None) -> list[dict[str, Any]]:
    """All electors vote alike."""
    assert selected is not None
    measured = CLAIMED - TOLERANCE - round_.punished
    return [
        {"account": f"0xO{number}", "measured_accuracy": measured / BASIS_POINTS, "uphold": round_.upheld}
        for number, owner in enumerate(round_.owners)
        if owner.committed and number != round_.proposers[selected]
    ]


def _entries(
    prefix: str, round_: Round, side: tuple[Member, ...], dues: tuple[Dues, ...], lot: int
) -> list[dict[str, Any]]:
    claimant, nothing_selected = f"0xB{round_.claimant}", settle_round(round_).selected is None
    return [
        {
            "account": account,
            "points": member.points,
            "committed": member.committed,
            "revealed": member.committed and member.revealed,
            "claimant": account == claimant,
            "recorded": 0 if nothing_selected else member.recorded,
            "bids": list(member.bids) if member.committed and member.revealed else None,
            **{field: str(getattr(due, field)) for field in AMOUNTS},
            "lot": str(lot if account == claimant else 0),
            "balance_before": str(BALANCE),
            "balance_after": str(BALANCE - due.payment + (lot if account == claimant else 0)),
        }
        for number, (member, due) in enumerate(zip(side, dues, strict=True))
        for account in [f"{prefix}{number}"]
    ]


def example() -> dict[str, Any]:
    """Two models, owner 1 pivotal, upheld contributions, base station 0 the claimant."""
    stations = (Member((), revealed=False, recorded=2), *[Member((1, 1), recorded=2)] * 2)
    owners = (Member((10, 0)), Member((1, 6)), Member((0, 0)))
    round_ = Round(
        owners,
        stations,
        (0, 1),
        claimant=0,
        theta_numerator=THETA_ONE // 3,
        max_owner_bid=100,
        max_station_bid=100,
        bond=10**12,
        stake=10**10,
        global_rounds=2,
        upheld=True,
        contributions=(400_000, 400_000, 200_000),
    )
    return document_of(round_)


@settings(deadline=None)
@given(rounds())
def test_check__document_of_the_reference__nothing_found(round_: Round) -> None:
    assume(round_.theta_numerator * BASIS_POINTS < (BASIS_POINTS - 1) * THETA_ONE)  # no range goes further
    assert check(json.loads(json.dumps(document_of(round_)))) == []


def test_example__has_what_the_tests_change() -> None:
    document = example()
    assert check(document) == []
    assert (document["status"], document["selected"], document["upheld"]) == ("settled", 0, True)
    assert int(document["owners"][0]["tax"]) > 0 and int(document["base_stations"][0]["lot"]) > 0


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
        (("format",), 1),
        (("pool",), 1),
        (("selected",), 1),
        (("selected",), None),
        (("status",), "aborted"),
        (("status",), "cancelled"),
        (("claimant",), "0xB1"),
        (("claimant",), "0xO1"),
        (("claimant",), None),
        (("models", 0, "live"), False),
        (("models", 0, "value"), 1),
        (("models", 1, "cost"), 1),
        (("models", 1, "margin"), 1),
        (("models", 0, "global_rounds"), 3),
        (("models", 0, "proposer"), "0xO9"),
        (("kept",), 1),
        (("upheld",), False),
        (("punished",), True),
        (("punished",), 0),
        (("threshold",), 10_000),
        (("tolerance",), 299),
        (("votes", 1, "account"), "0xO1"),
        (("votes", 0, "account"), "0xO0"),
        (("votes", 0, "uphold"), False),
        (("votes", 0, "uphold"), 1),
        (("contributions", 0), 400_001),
        (("contributions",), []),
        (("contribution_stake",), 0),
        (("owners", 1, "bids"), [1, 7]),
        (("owners", 1, "bids"), None),
        (("owners", 1, "revealed"), False),
        (("owners", 1, "committed"), False),
        (("owners", 1, "claimant"), True),
        (("base_stations", 1, "recorded"), 1),
        (("base_stations", 1, "account"), "0xB2"),
        (("theta_numerator",), 0),
        (("theta_range",), [4_000, 5_000]),
        (("theta_range",), [0, 3_332]),
        (("caps", "owner"), 5),
        (("policy",), "fair"),
        (("bond",), 1),
        (("owners", 0, "tax"), 0.5),
        (("owners", 0, "account"), "0xO1"),
    ],
)
def test_check__anything_else_changed__found(path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(example())
    place = document
    for key in path[:-1]:
        place = place[key]
    assert json.dumps(place[path[-1]]) != json.dumps(value)
    place[path[-1]] = value
    assert check(document)


def test_check__votes_below_the_claim_and_its_tolerance__are_counted_for_punishment() -> None:
    document = example()
    for vote in document["votes"]:
        vote["measured_accuracy"] = (CLAIMED - TOLERANCE) / BASIS_POINTS
    assert check(document) == []
    for vote in document["votes"]:
        vote["measured_accuracy"] = (CLAIMED - TOLERANCE - 1) / BASIS_POINTS
    assert "punished is False, the reference says True" in check(document)


ODD = (None, True, -1, 10**9, 2**70, 10**400, 0.5, float("inf"), float("nan"), "x", "9" * 5000, [], [[]], {})


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from _places(each, (*path, key))


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: repr(odd)[:20])
def test_check__anything_at_any_place__is_said_in_lines(odd: Any) -> None:
    """Whoever hands out a document may have written it: no traceback, and no wait."""
    for path in _places(example()):
        document = copy.deepcopy(example())
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = odd
        found = check(document)
        assert isinstance(found, list) and all("\n" not in line for line in found), path
        if path[-1] in ("committed", "revealed") and type(odd) is not bool:
            assert found, "a truth is true or false"


def test_check__key_missing__named() -> None:
    document = example()
    del document["caps"]
    assert check(document) == ["the document lacks 'caps'"]


def test_main__good_bad_and_no_document__exit_codes(tmp_path: Path) -> None:
    path = tmp_path / "round.json"
    path.write_text(json.dumps(example()), encoding="utf-8")
    assert main([str(path)]) == 0
    path.write_text(json.dumps({**example(), "pool": 1}), encoding="utf-8")
    assert main([str(path)]) == 1
    assert main([str(tmp_path / "none.json")]) == 2
    path.write_text("[" * 100_000, encoding="utf-8")
    assert main([str(path)]) == 2
    path.write_text("[]", encoding="utf-8")
    assert main([str(path), "--rpc", "http://127.0.0.1:1"]) == 1, "no node is asked about what is no document"


def test_main__help_or_wrong_call__says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status in ((["--help"], 0), ([], 2), (["a", "b"], 2)):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        said = "".join(capsys.readouterr())
        assert ended.value.code == status, arguments
        assert "usage: python -m analysis.check_round [-h]" in said and "PATH" in said
