"""The package, installed where there is no checkout: it reads a round from a node, and brings no PyTorch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fl.devnode.rounds import CreateRound
from tests.support.pages import ROOT

SCRIPT = """
import json, sys
from ape import networks
from fl.market.client import Market
from fl.market.history import rebuild

uri, address, number = sys.argv[1:]
with networks.parse_network_choice(uri):
    market = Market.at(address)
    record = rebuild(market.events(int(number)))
    print(json.dumps({
        "phase": market.round_state(int(number)).phase.name,
        "winner": record.winner,
        "bids": {account: member.bids(len(record.models)) for account, member in record.members.items()},
        "from": sys.modules["fl"].__file__,
    }))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment in which the checkout was installed, with all that it asks for."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ROOT], check=True, cwd=folder)
    return python


@pytest.mark.heavy
def test_package__installed_elsewhere__reads_a_round_from_a_node(
    installed: Path, create_round: CreateRound, tmp_path: Path
) -> None:
    round_ = create_round().selected()
    command = [installed, "-c", SCRIPT, round_.market.chain.uri, round_.market.address, str(round_.id)]
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={"PATH": os.defpath, "HOME": str(tmp_path)}
    )
    assert run.returncode == 0, run.stderr
    read = json.loads(run.stdout.splitlines()[-1])
    assert read["phase"] == "TRAIN"
    assert read["winner"] == round_.winner.account
    assert read["bids"] == {seat.account: list(seat.bids) for seat in round_.members}
    assert Path(read["from"]).is_relative_to(installed.parents[1])


@pytest.mark.heavy
def test_package__installed_elsewhere__brings_neither_torch_nor_what_is_no_product(installed: Path) -> None:
    listing = subprocess.check_output([installed, "-m", "pip", "list", "--format", "json"], text=True)
    names = {package["name"] for package in json.loads(listing)}
    assert "hcfl" in names
    assert not names & {"torch", "torchvision", "scikit-learn", "matplotlib"}
    files = subprocess.check_output([installed, "-m", "pip", "show", "--files", "hcfl"], text=True)
    tops = {line.split("/")[0].strip() for line in files.split("Files:\n")[1].splitlines()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"fl"}
