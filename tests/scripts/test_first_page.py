"""The commands of the first page, each line as it stands there."""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from analysis.devnode.chain import Chain
from fl.crowdfunding.settings import RoundSettings, settings_of
from scripts import create_round, crowdfund_round, deploy, membership, status
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


ROUNDS = re.findall(
    r'make round ARGS="([^"]+)"', "\n".join((ROOT / name).read_text("utf-8") for name in ("README.md", "Makefile"))
)


@pytest.mark.parametrize("arguments", [each for each in ROUNDS if "--help" not in each])
def test_make_round__each_example__can_be_played(arguments: str) -> None:
    given = crowdfund_round.cli.make_context("crowdfund_round", shlex.split(arguments)).params
    assert settings_of(given) != RoundSettings() or "--network" in arguments
