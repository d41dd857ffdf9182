"""The package, installed where there is no checkout: it reads a round from a node, and brings no PyTorch."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from analysis.devnode.rounds import CreateRound
from tests.support.pages import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an empty environment in which the checkout was installed, with all that it asks for."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", ROOT], check=True, cwd=folder)
    return python


@pytest.mark.heavy
def test_package__installed_elsewhere__reads_a_round_as_the_first_page_shows(
    installed: Path, create_round: CreateRound, tmp_path: Path
) -> None:
    round_ = create_round().selected()
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    for shown, here in (
        (r"http://127\.0\.0\.1:8545", round_.market.chain.uri),
        (r"0x[0-9a-fA-F]{40}", round_.market.address),
        (r"\(1\)", f"({round_.id})"),
    ):
        script, found = re.subn(shown, here, script)
        assert found, f"the script of the first page has no {shown}"
    environment = {"PATH": os.defpath, "HOME": str(tmp_path)}
    run = subprocess.run([installed, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stderr
    assert "phase=<Phase.TRAIN" in run.stdout
    for seat in round_.members:
        assert seat.account in run.stdout
        assert f"words={tuple(seat.sealed.words)}" in run.stdout


@pytest.mark.heavy
def test_package__installed_elsewhere__brings_neither_torch_nor_what_is_no_product(installed: Path) -> None:
    listing = subprocess.check_output([installed, "-m", "pip", "list", "--format", "json"], text=True)
    names = {package["name"] for package in json.loads(listing)}
    assert "hcfl" in names
    assert not names & {"torch", "torchvision", "scikit-learn", "matplotlib"}
    files = subprocess.check_output([installed, "-m", "pip", "show", "--files", "hcfl"], text=True)
    paths = [Path(line.strip()) for line in files.split("Files:\n")[1].splitlines()]
    assert {path.parts[0] for path in paths if not path.parts[0].endswith(".dist-info")} == {"fl", ".."}
    assert {path.name for path in paths if path.parts[0] == ".."} == {"hcfl"}, "the command, and nothing beside it"
