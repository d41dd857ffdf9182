"""Whole rounds: of misbehaviour, of forecasts; each held against the reference, the books and the artefacts."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.check_round import check
from analysis.report.command import report_of_document
from fl.crowdfunding.command import play_round
from fl.crowdfunding.network import NEEDED, accounts_on
from fl.crowdfunding.settings import Misbehaviour, RoundSettings
from fl.crowdfunding.simulated import with_own_data
from fl.market.terms import GWEI, Policy
from fl.members.audit import UPHOLD_WITHIN
from fl.members.training import NAMED
from fl.store.artefacts import digest_of
from fl.training.cloud import train
from fl.training.config import DEFAULTS, METHODS, Rule, TrainingConfig
from fl.training.contribution.points import contribution_points, total_margins
from fl.training.crews.crew import InProcess
from fl.training.crews.pool import Pool
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import save_model

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


def test_accounts__more_than_the_node_has_ether_for__are_made_and_get_it(chain: Any) -> None:
    found = [account.address for account in accounts_on(chain.provider, 40)]
    assert len(set(found)) == 40
    assert all(chain.provider.get_balance(each) >= NEEDED for each in found)


def test_non_revealer__any_round__loses_its_bond(play: Played) -> None:
    document = play(misbehaviour=Misbehaviour.NON_REVEALER)
    silent = document["owners"][-1]
    assert silent["bids"] is None
    assert int(silent["slashed"]) == int(document["bond"])


def test_pilots__each_proposer__claims_its_own_forecast(
    play: Played, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody misbehaves; owners bid for what is claimed, and the winner keeps it."""
    monkeypatch.setattr("fl.crowdfunding.simulated.PILOTS", tmp_path / "pilots")
    document = play(pilot=0.2, models=3, train_images=300, rounds=2)
    claims = [model["claimed_accuracy"] for model in document["models"]]
    assert len(set(claims)) > 1
    assert not document["punished"]
    assert len(list((tmp_path / "pilots").iterdir())) == 3


# ── what the loop offers ──

OPTIONS = {"train_images": 120, "rounds": 2, "clients": 3, "seed": 5}


def federation_of(document: dict[str, Any], **settings: Any) -> Federation:
    """What `python -m fl.training` would train with the options of the round, on the labels of its model."""
    own = {name: settings.pop(name) for name in NAMED if name in settings}
    station = replace(DEFAULTS["digits"].station, rule=settings.pop("edge_rule", Rule()), **own)
    targets = tuple(document["models"][document["selected"]]["targets"])
    return build_federation(TrainingConfig(targets=targets, stations=3, station=station, **OPTIONS, **settings))


def digests_of(federation: Federation) -> list[str]:
    done = train(federation.config, federation.model, InProcess(federation))
    return [digest_of(save_model(federation.model, each.state, global_round=each.global_round)) for each in done]


@pytest.mark.parametrize("option", ["edge_rule", "global_rule"])
def test_rule__robust__trains_what_the_loop_does_with_it(play: Played, option: str) -> None:
    rule = {"edge_rule": Rule("trimmed-mean", 1), "global_rule": Rule("median")}[option]
    document = play(**OPTIONS, **{option: rule})
    found = [each["global_digest"] for each in document["training"]["global_rounds"]]
    name = "rule" if option == "global_rule" else option
    assert found == digests_of(federation_of(document, **{name: rule}))
    assert found[0] != digests_of(federation_of(document))[0], "the rule makes a difference here"


def test_workers__two__start_and_train_the_same(play: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    real = Pool._start
    monkeypatch.setattr(Pool, "_start", lambda pool: (started.append(1), real(pool))[1])
    named = {
        "optimizer": "AdamW",
        "learning_rate": 0.003,
        "schedule": "StepLR(step_size=1)",
        "gradient_clip": 1.0,
        "loss": "cross_entropy(label_smoothing=0.1)",
        "augment": True,
        "client_bits": 8,
        "strategy": "FedYogi(tau=0.01)",
    }
    document = play(**OPTIONS, **named, workers=2)
    assert len(started) == 2, "for the training; each owner judges for itself"
    found = [each["global_digest"] for each in document["training"]["global_rounds"]]
    assert found == digests_of(federation_of(document, **named)), "whatever the order names"


@pytest.mark.parametrize("method", METHODS[2:])
def test_contribution__by_method__is_the_loops_on_each_owners_own_images(play: Played, method: str) -> None:
    document = play(**OPTIONS, contribution=method, claim=0.5)
    federation = federation_of(document, contribution=method)

    def points(owner: int) -> list[int]:
        own = with_own_data(federation, owner)
        totals = total_margins(each.contributions for each in train(own.config, own.model, InProcess(own)))
        return contribution_points(list(totals.values()), most=2_000_000 // 3)

    listed = document["contributions"]
    assert listed == points(0), "the winner's"
    agree = [
        all(abs(one - other) <= UPHOLD_WITHIN for one, other in zip(points(owner), listed, strict=True))
        for owner in (1, 2)
    ]
    assert not document["punished"]
    assert document["upheld"] == (sum(agree) * 2 > len(agree))
