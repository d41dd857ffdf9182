"""Whole rounds: of misbehaviour, of forecasts; each held against the reference, the books and the artefacts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.check_round import check
from analysis.report.command import report_of_document
from fl.crowdfunding.command import play_round
from fl.crowdfunding.settings import Misbehaviour, RoundSettings
from fl.market.terms import GWEI, Policy

SMALL = {"owners": 3, "base_stations": 3, "models": 1, "rounds": 1, "train_images": 50}

Played = Callable[..., dict[str, Any]]


@pytest.fixture
def play(chain: Any, tmp_path: Path) -> Played:
    """Plays a round with these settings, all that the command does once a node runs; returns the document."""

    def played(**settings: Any) -> dict[str, Any]:
        assert play_round(
            RoundSettings(**{**SMALL, **settings}), chain.provider, None, tmp_path, check, report_of_document
        )
        document: dict[str, Any] = json.loads((tmp_path / "round.json").read_text(encoding="utf-8"))
        return document

    return played


def test_absent_station__upheld_contributions__loses_bond_reward_and_stake(play: Played) -> None:
    document = play(misbehaviour=Misbehaviour.ABSENT_STATION, rounds=2, train_images=300, stake=10)
    *present, absent = document["base_stations"]
    assert document["upheld"]
    assert (int(absent["slashed"]), int(absent["bonus"])) == (int(document["bond"]), -10 * GWEI)
    assert (absent["reward"], absent["recorded"]) == (0, 0)
    assert all(int(station["reward"]) > 0 and station["slashed"] == 0 for station in present)
    assert sum(int(station["bonus"]) for station in present) == pytest.approx(10 * GWEI, abs=3)
    assert sum(points or 0 for points in document["contributions"]) == 1_000_000
    assert document["contributions"][-1] is None


def test_bad_winner__capability_policy__is_punished(play: Played) -> None:
    document = play(misbehaviour=Misbehaviour.BAD_WINNER, owner_policy=Policy.CAPABILITY)
    assert document["punished"] and not document["upheld"]
    assert int(document["theta_numerator"]) == 0
    winner = document["models"][document["selected"]]["proposer"]
    slashed = {owner["account"]: int(owner["slashed"]) for owner in document["owners"]}
    assert slashed == {account: int(document["bond"]) if account == winner else 0 for account in slashed}
    assert int(document["kept"]) >= int(document["bond"]), "nobody is paid what is taken from the winner"


def test_non_revealer__larger_round__loses_its_bond(play: Played) -> None:
    """And of more members than the node has accounts for."""
    many = {"owners": 16, "base_stations": 16, "models": 2, "clients": 1, "train_images": 80, "test_images": 20}
    document = play(misbehaviour=Misbehaviour.NON_REVEALER, **many)
    assert len({entry["account"] for side in ("owners", "base_stations") for entry in document[side]}) == 32
    silent = document["owners"][-1]
    assert silent["bids"] is None
    assert int(silent["slashed"]) == int(document["bond"])


def test_pilots__each_proposer__claims_its_own_forecast(
    play: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody misbehaves; owners bid for what is claimed, and the winner keeps it."""
    monkeypatch.setattr("fl.crowdfunding.play.PILOTS", tmp_path / "pilots")
    document = play(pilot=0.2, models=3, train_images=300, rounds=2)
    claims = [model["claimed_accuracy"] for model in document["models"]]
    assert len(set(claims)) > 1
    assert not document["punished"]
    assert len(list((tmp_path / "pilots").iterdir())) == 3
