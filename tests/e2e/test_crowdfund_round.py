"""`ape run crowdfund_round` as a user types it: real node, real contract, real training."""

import json
import os
import pty
import re
import sqlite3
import subprocess
import termios
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analysis.check_round import check
from analysis.devnode.anvil import anvil
from analysis.devnode.chain import Chain
from fl.market.merkle import updates_root
from fl.record.document import from_json, to_json
from fl.store.artefacts import ArtefactStore
from fl.store.errors import ViewError
from fl.store.files import Files
from fl.store.keys import EncryptionKey
from fl.store.mailbox import round_folder
from tests.support.crowdfund_round import ROOT, SMALL, command, play, read, run


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
    # Both would count more than the terminal's own size.
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        typed, cwd=ROOT, env={**inherited, "TERM": "xterm", **env}, stdin=its, stdout=its, stderr=its
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
    assert to_json(from_json(document)) == document


def test_default__report__lies_where_it_says_and_agrees_with_the_reference(default_round: Played) -> None:
    path = default_round.folder / "report.html"
    assert f"Report: {path}" in default_round.shown, "in one piece"
    page = path.read_text(encoding="utf-8")
    assert "All amounts of 8 members agree with the reference to the wei." in page
    assert f"python -m analysis.check_round {default_round.folder / 'round.json'}" in page


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
    accuracies = [each["accuracy"] for each in training["global_rounds"]]
    assert training["final_accuracy"] == accuracies[-1]


def test_default__artefacts__are_those_on_chain(default_round: Played) -> None:
    document, store = default_round.document, _store(default_round)
    keys = _keys(default_round, "owner-1")
    for each in document["training"]["global_rounds"]:
        assert store.get(each["global_digest"], keys)
        assert each["updates_root"] != "0x" + updates_root([]).hex()
    assert store.get(document["training"]["result_digest"], keys)
    initial = document["models"][document["selected"]]["initial_digest"]
    assert initial == document["training"]["initial_digest"], "training begins with the model that was proposed"


def test_default__final_model__only_owners_open_it(default_round: Played) -> None:
    store, keys = _store(default_round), _keys(default_round, "base-station-1")
    *before, last = [each["global_digest"] for each in default_round.document["training"]["global_rounds"]]
    assert all(store.get(each, keys) for each in before), "it trains on them"
    with pytest.raises(ViewError, match="not sealed to any key"):
        store.get(last, keys)


def _store(played: Played) -> ArtefactStore:
    """The winner's artefacts."""
    document = played.document
    winner = document["models"][document["selected"]]["proposer"]
    folder = round_folder(winner, document["contract"], document["round_id"])
    return ArtefactStore(Files(played.folder / "store"), folder)


def _keys(played: Played, name: str) -> list[EncryptionKey]:
    with sqlite3.connect(played.folder / "journals" / f"{name}.sqlite") as journal:
        return [EncryptionKey(secret) for (secret,) in journal.execute("SELECT secret FROM keys")]


def test_default__every_call__was_a_real_transaction_within_the_gas_cap(
    default_round: Played,
) -> None:
    document = default_round.document
    calls = {tx["call"] for tx in document["transactions"]}
    expected = (
        "createRound join propose commitBid drawClaimant revealBid selectModel recordUpdate recordGlobalRound "
        "reportContributions reportResult vote settle claimLot"
    )
    assert calls == set(expected.split())
    assert all(21_000 < tx["gas_used"] <= 2**24 for tx in document["transactions"])
    places = [(tx["block"], tx["log_index"]) for tx in document["transactions"]]
    assert places == sorted(set(places))
    assert sorted(tx["time"] for tx in document["transactions"]) == [tx["time"] for tx in document["transactions"]]


def test_default__claimant__stands_aside_and_has_the_lot(default_round: Played) -> None:
    document = default_round.document
    (claimant,) = (entry for entry in document["base_stations"] if entry["claimant"])
    assert (claimant["account"], claimant["bids"], claimant["revealed"]) == (document["claimant"], None, False)
    taxes = sum(int(entry["tax"]) for side in ("owners", "base_stations") for entry in document[side])
    assert int(claimant["lot"]) == taxes > 0
    assert (int(claimant["slashed"]), int(claimant["tax"])) == (0, 0)
    assert document["upheld"], "every elector measures about the same, on test images of its own"


def test_same_seed__again__same_training_and_same_money(default_round: Played, tmp_path: Path) -> None:
    """All but hashes, times, salts, and the gas that a salt's zeros save."""
    again = play(tmp_path / "again", "--seed", "1")
    first, second = (
        {**json.loads(json.dumps(document)), "transactions": None, "deadlines": None}
        for document in (default_round.document, again)
    )
    assert first["training"]["text"].pop("salt") != second["training"]["text"].pop("salt")
    assert first == second


NAMED = {
    "optimizer": "AdamW(betas=(0.9, 0.99))",
    "learning_rate": "0.003",
    "schedule": "ExponentialLR(gamma=0.9)",
    "loss": "cross_entropy(label_smoothing=0.1)",
    "client_bits": 8,
    "strategy": "FedAdam(tau=0.01)",
}
"""What a proposal names besides. Each global model of it is worked out again before the command says Checked."""


@pytest.fixture(scope="module")
def node() -> Iterator[Chain]:
    """A node of somebody's, with ten funded accounts."""
    with anvil("--accounts", "10", frozen=False) as chain:
        yield chain


@pytest.fixture(scope="module")
def partial(node: Chain, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A round on that node in which a base station works for one global round of three."""
    folder = tmp_path_factory.mktemp("partial")
    named = (word for name, value in NAMED.items() for word in (f"--{name.replace('_', '-')}", str(value)))
    options = (*SMALL, "--rounds", "3", "--theta", "0.1-0.9", "--partial-station", *named)
    return Played(folder, play(folder, "--network", node.uri, *options), "")


def test_partial_station__range_of_theta__is_paid_for_what_it_recorded(partial: Played) -> None:
    document = partial.document
    assert check(document) == []
    assert {name: document["training"]["text"].get(name) for name in NAMED} == NAMED
    assert "FedAdam(tau=0.01)" in (partial.folder / "report.html").read_text(encoding="utf-8")
    assert document["theta_range"] == [1_000, 9_000]
    *present, late = document["base_stations"]
    assert [station["recorded"] for station in (*present, late)] == [3, 3, 1]
    due = int(late["reward"]) + int(late["forfeited"])
    assert int(late["reward"]) == due // 3
    assert int(late["slashed"]) == -(-int(document["bond"]) * 2 // 3)


def test_contract__of_an_earlier_round__plays_the_next_on_it(partial: Played, node: Chain, tmp_path: Path) -> None:
    first = partial.document
    second = play(tmp_path / "second", "--network", node.uri, *SMALL, "--contract", first["contract"])
    assert (first["round_id"], second["round_id"]) == (1, 2)
    assert second["contract"] == first["contract"]
    assert not {tx["hash"] for tx in first["transactions"]} & {tx["hash"] for tx in second["transactions"]}


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
    assert [line for line in lines if len(line.rstrip()) > 60 and not re.match("Written: |Report: ", line)] == []
    assert [line for line in lines if "…" in line] == []
    assert f"contract        {default_round.document['contract']}" in default_round.shown, "in one piece"
    assert f"Written: {default_round.folder / 'round.json'}," in default_round.shown, "in one piece"


def test_default__members__one_summary_each_that_adds_up(default_round: Played) -> None:
    """Net is the member's own worth of the outcome and all that the contract moved, the lot too."""
    text = " ".join(CONTROL.sub("", default_round.shown).split())
    number = r"(−?[\d,.]+)"
    rest = rf"tax {number}, received {number}(?: \(with {number} lot\))?, net {number} gwei, gas {number}"
    owner = re.compile(rf"owner (\d) model worth {number}, paid {number}, {rest}")
    station = re.compile(rf"base station (\d) training cost {number}, {rest}")
    for side, pattern, sign in (("owners", owner, 1), ("base_stations", station, -1)):
        found = pattern.findall(text)
        assert [int(line[0]) for line in found] == [1, 2, 3, 4]
        for entry, line in zip(default_round.document[side], found, strict=True):
            worth, *_, lot, net, gas = (float(part.replace("−", "-").replace(",", "") or 0) for part in line[1:])
            assert entry["bids"] is None or worth == entry["bids"][default_round.document["selected"]]
            assert lot == pytest.approx(int(entry["lot"]) / 1e9, abs=0.006)
            moved = (int(entry["balance_after"]) - int(entry["balance_before"])) / 1e9
            assert net == pytest.approx(sign * worth + moved, abs=0.006)
            calls = [tx for tx in default_round.document["transactions"] if tx["sender"] == entry["account"]]
            assert gas == sum(tx["gas_used"] for tx in calls) > 0
