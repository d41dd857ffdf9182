"""`ape run crowdfund_round` as a user types it: real node, real contract, real training."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.check_round import check
from fl.artefacts import ArtefactStore
from fl.market.merkle import updates_root

ROOT = Path(__file__).parents[2]
APE = Path(sys.executable).with_name("ape")
# fl/crowdfunding/round.md
REQUIRED = (
    "chain_id contract round_id theta_numerator caps bond policy status selected pool models owners base_stations "
    "training contributions votes punished collected transactions"
)


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; ape starts and stops its own node for it."""
    command = [str(APE), "run", "crowdfund_round", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def play(folder: Path, *options: str) -> dict[str, Any]:
    """A round that must succeed, read back."""
    done = run("--out", str(folder), *options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Checked" in done.stdout
    document: dict[str, Any] = json.loads((folder / "round.json").read_text(encoding="utf-8"))
    return document


@pytest.fixture(scope="module")
def default_round(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("default")
    return folder, play(folder)


def test_default__round_json__agrees_with_the_reference(default_round: tuple[Path, dict[str, Any]]) -> None:
    _, document = default_round
    assert check(document) == []
    assert document["status"] == "settled"
    assert set(REQUIRED.split()) <= set(document)


def test_default__one_amount_changed__is_found(default_round: tuple[Path, dict[str, Any]]) -> None:
    _, document = default_round
    changed = json.loads(json.dumps(document))
    changed["owners"][0]["tax"] = int(changed["owners"][0]["tax"]) + 1
    assert any("tax" in line for line in check(changed))


def test_default__model__reaches_its_claim(default_round: tuple[Path, dict[str, Any]]) -> None:
    _, document = default_round
    training = document["training"]
    assert training["final_accuracy"] >= 0.85
    assert not document["punished"]
    accuracies = [epoch["accuracy"] for epoch in training["epochs"]]
    assert training["final_accuracy"] == accuracies[-1]


def test_default__artefacts__are_those_on_chain(default_round: tuple[Path, dict[str, Any]]) -> None:
    folder, document = default_round
    store = ArtefactStore(folder / "artefacts")
    for epoch in document["training"]["epochs"]:
        assert store.get(epoch["global_digest"])
        assert epoch["updates_root"] != "0x" + updates_root([]).hex()
    assert store.get(document["training"]["result_digest"])


def test_default__every_call__was_a_real_transaction_within_the_gas_cap(
    default_round: tuple[Path, dict[str, Any]],
) -> None:
    _, document = default_round
    calls = {tx["call"] for tx in document["transactions"]}
    expected = {"createRound", "join", "propose", "commitBid", "revealBid", "selectModel", "recordUpdate", "vote"}
    assert expected <= calls
    assert all(21_000 < tx["gas_used"] <= 2**24 for tx in document["transactions"])


def test_same_seed__again__same_models(default_round: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """θ is the chain's, so payments differ; what is trained does not."""
    _, first = default_round
    second = play(tmp_path / "again", "--seed", "1")
    assert first["models"] == second["models"]
    assert first["training"] == second["training"]


def test_absent_station__contribution_policy__forfeits_its_bond(tmp_path: Path) -> None:
    document = play(tmp_path / "out", "--policy", "contribution", "--absent-station", "--seed", "5")
    assert check(document) == []
    *present, absent = document["base_stations"]
    assert int(absent["slashed"]) == int(document["bond"])
    assert absent["reward"] == 0
    assert all(int(station["reward"]) > 0 and station["slashed"] == 0 for station in present)
    assert sum(points or 0 for points in document["contributions"]) == 1_000_000
    assert document["contributions"][-1] is None


def test_bad_winner__capability_policy__is_punished(tmp_path: Path) -> None:
    document = play(tmp_path / "out", "--policy", "capability", "--bad-winner")
    assert check(document) == []
    assert document["punished"]
    winner = document["models"][document["selected"]]["proposer"]
    slashed = {owner["account"]: int(owner["slashed"]) for owner in document["owners"]}
    assert slashed == {account: int(document["bond"]) if account == winner else 0 for account in slashed}


def test_non_revealer__larger_round__loses_its_bond(tmp_path: Path) -> None:
    options = ("--non-revealer", "--owners", "3", "--base-stations", "2", "--models", "2", "--rounds", "1")
    document = play(tmp_path / "out", *options)
    assert check(document) == []
    silent = document["owners"][-1]
    assert not silent["revealed"]
    assert int(silent["slashed"]) == int(document["bond"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--owners", "1"), "at least 2 owners"),
        (("--bad-winner", "--absent-station"), "choose one"),
        (("--dataset", "cifar10", "--data-dir", "/nowhere"), "/nowhere"),
        (("--network", "ethereum:mainnet:foundry"), "mainnet"),
    ],
)
def test_bad_option__one_line_and_no_traceback(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = run("--out", str(tmp_path / "out"), *options)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert words in done.stderr + done.stdout


def test_finished_folder__is_not_overwritten(default_round: tuple[Path, dict[str, Any]]) -> None:
    folder, document = default_round
    done = run("--out", str(folder))
    assert done.returncode != 0
    assert "finished round" in done.stderr
    assert json.loads((folder / "round.json").read_text(encoding="utf-8")) == document
