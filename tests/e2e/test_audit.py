"""`ape run audit` and `statement` as an outsider types them: no keys, no member.yaml, an address and a node."""

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import LiveRound
from tests.analysis.test_round_on_chain import OPENING, document_for
from tests.conftest import rounds_on, untouched
from tests.support.crowdfund_round import APE, ROOT


@pytest.fixture(scope="module")
def live(deployment: Market) -> Iterator[LiveRound]:
    with untouched(deployment):
        live = rounds_on(deployment)(opening=OPENING).voted()
        live.settled()
        live.claim_lot().send()
        yield live


def _run(live: LiveRound, *words: str) -> subprocess.CompletedProcess[str]:
    place = ("--network", live.market.chain.uri, "--contract", live.market.address)
    command = [str(APE), "run", *words, *place]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_audit__without_keys__all_but_the_training_and_one_wei_is_found(live: LiveRound, tmp_path: Path) -> None:
    document, path = document_for(live), tmp_path / "round.json"
    document["owners"][0]["tax"] = int(document["owners"][0]["tax"]) + 1
    path.write_text(json.dumps(document), encoding="utf-8")
    done = _run(live, "audit", str(live.id), "--document", str(path))
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("does not follow: ")]
    assert len(wrong) == 1 and wrong[0].startswith(f"does not follow: owners[0].tax is {document['owners'][0]['tax']}")
    assert "not looked at, for want of an owner's --config: global models, contributions, accuracy" in lines
    assert "held against nothing: training.final_accuracy" in lines
    clean = json.loads(_run(live, "audit", str(live.id), "--json").stdout)
    assert clean == {"round": live.id, "follows": True, "chain": [], "texts": [], "training": None, "unknown": []}


def test_statement__any_account__its_csv_adds_up(live: LiveRound) -> None:
    member = live.owners[0]
    done = _run(live, "statement", "--account", member.account, "--csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert sum(int(row["free"]) for row in rows) == live.market.free(member.account)
    assert {int(row["round"]) for row in rows} == {live.id}
