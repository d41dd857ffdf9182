"""The consortia of the first page, each typed as it stands there: all end settled, and an audit says that all follows.

Half an hour: `make test ARGS="tests/e2e/test_consortium.py -m heavy"`.
"""

import re
import shlex
import subprocess
import sys

import pytest

from analysis.consortium.cheats import CHEATS
from analysis.consortium.organisations import COSTS, VALUES
from tests.support.pages import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES: list[str] = re.findall(r"^make consortium(.*?)(?: *#.*)?$", README, re.MULTILINE)


def arguments_of(line: str) -> list[str]:
    """Those of `python -m analysis.consortium`."""
    return [word for given in shlex.split(line) for word in shlex.split(given.removeprefix("ARGS="))]


def test_first_page__consortia__every_way_to_disturb_one() -> None:
    options = {word for line in LINES for word in arguments_of(line) if word.startswith("--")}
    assert options == {"--kill", "--rounds", "--mute", "--hostile", "--node", "--hcfl"}
    assert f"each of {len(CHEATS)} hostile updates" in README


@pytest.mark.heavy
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.strip() or "undisturbed")
def test_consortium__of_the_first_page__all_settled_and_all_follows(line: str) -> None:
    arguments = arguments_of(line)
    command = [sys.executable, "-m", "analysis.consortium", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr
    said = done.stdout
    what_came = said.partition("── what came of it ──")[2]
    rounds = len(re.findall(r"^round \d+: .*, 6 members settled$", what_came, re.MULTILINE))
    assert f"\n{rounds} rounds, 6 statements, and all follows: " in what_came
    assert said.count("All follows.") == rounds
    for name in (*VALUES, *COSTS):
        assert re.search(rf"── {name}, .*? ──.*?^{name} at 0x", said, re.DOTALL | re.MULTILINE), "its statement"
    assert ("for want of prevrandao" in what_came) == ("hardhat-without-prevrandao" in arguments)
    assert ("ended by SIGKILL" in what_came) == ("--kill" in arguments)
    if "all" in arguments:
        assert [cheat for cheat in CHEATS if f"south was not honest ({cheat})" not in what_came] == []
        assert rounds == len(CHEATS)
