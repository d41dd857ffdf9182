"""`ape run crowdfund_round` as a user types it: real node, real contract, real training."""

import json
import os
import pty
import re
import subprocess
import termios
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analysis.check_round import check
from fl.artefacts import ArtefactStore
from fl.market.merkle import updates_root
from tests.support.crowdfund_round import ROOT, command, play, read, run

# protocol.md, "round.json"
REQUIRED = (
    "chain_id contract round_id theta_numerator caps bond policy status selected pool models owners base_stations "
    "training contributions votes punished collected transactions"
)


@dataclass(frozen=True)
class Played:
    """A finished round: what it left, and what a terminal of 60 columns showed."""

    folder: Path
    document: dict[str, Any]
    shown: str


@pytest.fixture(scope="module")
def default_round(tmp_path_factory: pytest.TempPathFactory) -> Played:
    folder = tmp_path_factory.mktemp("default")
    status, shown = on_terminal(*command("--out", str(folder)), columns=60, env={"NO_COLOR": "1"})
    assert status == 0, shown
    assert "Checked" in shown
    return Played(folder, read(folder), shown)


def on_terminal(*typed: str, columns: int, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit status of a command, and all that it writes to a terminal."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, columns))
    with subprocess.Popen(
        typed, cwd=ROOT, env={**os.environ, "TERM": "xterm", **env}, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        shown = bytearray()
        with suppress(OSError):  # the end, on Linux
            while part := os.read(ours, 4096):
                shown += part
    os.close(ours)
    return process.returncode, shown.decode().replace("\r\n", "\n")


def test_default__round_json__agrees_with_the_reference(default_round: Played) -> None:
    document = default_round.document
    assert check(document) == []
    assert document["status"] == "settled"
    assert set(REQUIRED.split()) <= set(document)


def test_default__one_amount_changed__is_found(default_round: Played) -> None:
    document = default_round.document
    changed = json.loads(json.dumps(document))
    changed["owners"][0]["tax"] = int(changed["owners"][0]["tax"]) + 1
    assert any("tax" in line for line in check(changed))


def test_default__model__reaches_its_claim(default_round: Played) -> None:
    document = default_round.document
    training = document["training"]
    assert training["final_accuracy"] >= 0.85
    assert not document["punished"]
    accuracies = [epoch["accuracy"] for epoch in training["epochs"]]
    assert training["final_accuracy"] == accuracies[-1]


def test_default__artefacts__are_those_on_chain(default_round: Played) -> None:
    folder, document = default_round.folder, default_round.document
    store = ArtefactStore(folder / "artefacts")
    for epoch in document["training"]["epochs"]:
        assert store.get(epoch["global_digest"])
        assert epoch["updates_root"] != "0x" + updates_root([]).hex()
    assert store.get(document["training"]["result_digest"])


def test_default__every_call__was_a_real_transaction_within_the_gas_cap(
    default_round: Played,
) -> None:
    document = default_round.document
    calls = {tx["call"] for tx in document["transactions"]}
    expected = {"createRound", "join", "propose", "commitBid", "revealBid", "selectModel", "recordUpdate", "vote"}
    assert expected <= calls
    assert all(21_000 < tx["gas_used"] <= 2**24 for tx in document["transactions"])


def test_same_seed__again__same_models(default_round: Played, tmp_path: Path) -> None:
    """θ is the chain's, so payments differ; what is trained does not."""
    first = default_round.document
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
    """And of more members than the node has accounts for."""
    options = ("--non-revealer", "--owners", "16", "--base-stations", "16", "--models", "2", "--rounds", "1")
    document = play(tmp_path / "out", *options, "--clients", "1", "--train-images", "80", "--test-images", "20")
    assert check(document) == []
    assert len({entry["account"] for side in ("owners", "base_stations") for entry in document[side]}) == 32
    silent = document["owners"][-1]
    assert not silent["revealed"]
    assert int(silent["slashed"]) == int(document["bond"])


def test_finished_folder__is_not_overwritten(default_round: Played) -> None:
    folder, document = default_round.folder, default_round.document
    done = run("--out", str(folder))
    assert done.returncode == 1
    assert "finished round" in done.stderr
    assert json.loads((folder / "round.json").read_text(encoding="utf-8")) == document


# ── what is shown ──

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def test_default__no_color__no_colour_nor_bold(default_round: Played) -> None:
    assert not re.findall(r"\x1b\[[0-9;]*m", default_round.shown)


def test_default__60_columns__no_line_is_wider_and_no_word_is_cut(default_round: Played) -> None:
    lines = re.split("[\r\n]", CONTROL.sub("", default_round.shown))
    assert [line for line in lines if len(line.rstrip()) > 60 and "Written: " not in line] == []
    assert "…" not in default_round.shown.replace("Setting the stage", "")
    assert f"contract        {default_round.document['contract']}" in default_round.shown, "in one piece"
    assert f"Written: {default_round.folder / 'round.json'}," in default_round.shown, "in one piece"


def test_default__members__one_summary_each_that_adds_up(default_round: Played) -> None:
    """Net is the member's own worth of the outcome and all that the contract moved, rebates too."""
    text = " ".join(CONTROL.sub("", default_round.shown).split())
    number = r"(−?[\d,.]+)"
    rest = rf"tax {number}, received {number}, net {number} gwei, gas {number}"
    owner = re.compile(rf"owner (\d) model worth {number}, paid {number}, {rest}")
    station = re.compile(rf"base station (\d) training cost {number}, {rest}")
    for side, pattern, sign in (("owners", owner, 1), ("base_stations", station, -1)):
        found = pattern.findall(text)
        assert [int(line[0]) for line in found] == [1, 2, 3, 4]
        for entry, line in zip(default_round.document[side], found, strict=True):
            worth, *_, net, gas = (float(part.replace("−", "-").replace(",", "")) for part in line[1:])
            assert worth == entry["bids"][default_round.document["selected"]]
            moved = (int(entry["balance_after"]) - int(entry["balance_before"])) / 1e9
            assert net == pytest.approx(sign * worth + moved, abs=0.006)
            calls = [tx for tx in default_round.document["transactions"] if tx["sender"] == entry["account"]]
            assert gas == sum(tx["gas_used"] for tx in calls) > 0
