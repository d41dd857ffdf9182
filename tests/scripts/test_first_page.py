"""The commands of the first page, each line as it stands there."""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analysis.devnode.chain import Chain
from scripts import create_round, deploy, membership, status
from tests.support.crowdfund_round import ROOT

COMMANDS: dict[str, click.Command] = {
    "deploy": deploy.cli,
    "membership": membership.cli,
    "create_round": create_round.cli,
    "status": status.cli,
}


def lines() -> list[list[str]]:
    """What is typed, in words."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"## A round with others\n(.*?)\n## ", page, re.DOTALL)
    block, *_ = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line, comments=True) for line in block.splitlines()]


def test_first_page__round_with_others__each_line_works(
    node: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("*.sqlite*", "*.json"))
    here = {"http://127.0.0.1:8545": node.uri, "31337": str(node.chain_id)}

    def moved(text: str) -> str:
        for shown, actual in here.items():
            text = text.replace(shown, actual)
        return text

    for path in (tmp_path / "examples").glob("*.yaml"):
        path.write_text(moved(path.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    typed = [line for line in lines() if line[:2] == ["ape", "run"] and line[2] in COMMANDS]
    assert {line[2] for line in typed} == set(COMMANDS)
    for line in typed:
        words = [moved(word) for word in line[3:]]
        done = CliRunner().invoke(COMMANDS[line[2]], words, input="y\n")
        assert done.exit_code == 0, f"{shlex.join(line)}: {done.output}"
    assert "alice, owner\n  would lock 400 gwei" in done.output
