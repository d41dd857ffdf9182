"""Every command of the runbook, as it stands there: understood, and, marked heavy, typed in a consortium that lives.

The long one takes a minute or two: `make test ARGS="tests/e2e/test_runbook.py -m heavy"`.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from analysis.consortium.chain import Node, anvil, ended
from analysis.consortium.pace import Pace
from analysis.consortium.rounds import LONGEST, write_terms
from fl.commands.__main__ import NAMES
from fl.market.client import Market
from fl.market.deployment import located
from fl.market.nodes import connected
from scripts import audit, deploy
from tests.support.crowdfund_round import APE
from tests.support.pages import ROOT

PAGE = (ROOT / "fl" / "members" / "runbook.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
OF_CHECKOUTS = {"deploy": deploy.cli, "audit": audit.cli}

OWNERS, STATIONS = ("alice", "bob"), ("north", "south", "east")
ELSEWHERE = "0x00000000000000000000000000000000000A11ce"
"""Where alice takes what is hers."""


def commands() -> list[str]:
    """What the runbook has one type, without its comments and what is after it on the line."""
    lines = [line.strip() for block in BLOCK.findall(PAGE) for line in block.splitlines()]
    return [shlex.join(shlex.split(line, comments=True)) for line in lines]


def left_running_on_the_first_page() -> list[str]:
    """Its other commands of rounds with others: `test_first_page.py`."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"`(ape run (?:owner|base_station) \d+ [^`]*)`", page)
    assert len(found) == 2
    return [" ".join(each.split()) for each in found]


def command_of(words: Sequence[str]) -> click.Command:
    """What `ape run` or `hcfl` runs."""
    name = words[2] if words[0] == "ape" else words[1]
    found: click.Command = OF_CHECKOUTS[name] if name in OF_CHECKOUTS else import_module(f"fl.commands.{name}").cli
    assert words[0] == "ape" or name in NAMES
    return found


def arguments_of(words: Sequence[str]) -> list[str]:
    """What stands behind the command's name."""
    return list(words[3 if words[0] == "ape" else 2 :])


def test_runbook__commands__all_stand_in_blocks() -> None:
    """Else they would be run by no test."""
    assert re.findall(r"`(?:ape|hcfl|sqlite3|make) [^`]*`", BLOCK.sub("", PAGE)) == []


@pytest.mark.parametrize("typed", [each for each in commands() if each.startswith(("ape run ", "hcfl "))])
def test_runbook__command__is_understood(typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its command has these options and takes such arguments."""
    words = shlex.split(typed)
    command, arguments = command_of(words), [each.replace("https://...", "http://127.0.0.1:1") for each in words]
    monkeypatch.chdir(tmp_path)
    for name in ("members.csv", "terms.yaml", "round-1.json"):
        Path(name).touch()
    context = command.make_context("typed", arguments_of(arguments))
    if isinstance(command, click.Group):
        name, inner, rest = command.resolve_command(context, [*context.protected_args, *context.args])
        assert inner is not None
        inner.make_context(name, rest, parent=context)


# ── all of them, typed ──


@dataclass
class Office:
    """A folder in which members type; what they leave running is ended with the test.

    Attributes:
        accounts: the members', in the order of their list.
        typed: as the page has it.
    """

    root: Path
    node: Node
    stack: ExitStack
    accounts: tuple[str, ...] = ()
    typed: list[str] = field(default_factory=list)
    running: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)

    def actual(self, command: str) -> list[str]:
        """The words, with what is the reader's own in place of what the page shows."""
        self.typed.append(command)
        own = {
            "https://...": self.node.url,
            "maker": "TEST::0",
            "deployments/1.json": "deployments/31337.json",
            "12,0,7": "12",
            "0x...": ELSEWHERE,
        }
        return [own.get(word, word) for word in shlex.split(command)]

    def tries(self, command: str) -> Result:
        """Type it in this process."""
        words = self.actual(command)
        return CliRunner(mix_stderr=False).invoke(command_of(words), arguments_of(words), input="y\n")

    def types(self, command: str) -> str:
        """The same; it succeeds."""
        done = self.tries(command)
        assert done.exit_code == 0, f"{command}: {done.stdout}{done.stderr}{done.exception!r}"
        return str(done.stdout)

    def is_over(self, number: int) -> bool:
        """Whether a round is; each command has a connection of its own, and so has this look."""
        with connected([self.node.url]):
            market = Market.at(located("deployments/31337.json")[0])
            return Pace(self.node, market, number, self.accounts, 1).over()

    def until_due(self, command: str) -> str:
        """Type a step again and again until it is due: before, it says what is next."""
        end = time.monotonic() + LONGEST
        while (done := self.tries(command)).exit_code:
            assert "next: " in done.stderr, f"{command}: {done.stderr}"
            assert time.monotonic() < end, f"{command}: never due; {done.stderr}"
            self.is_over(1)
            time.sleep(0.2)
        return str(done.stdout)

    def without_key(self, command: str) -> str:
        """Type alice's step until it is due and needs her key, which is in a wallet; what was said until then.

        Her journal is put back: what she measured is noted there, and what she types later is something else.
        """
        path, end = self.root / "alice" / "member.yaml", time.monotonic() + LONGEST
        kept, journal = path.read_text(encoding="utf-8"), self.root / "alice" / "journal.sqlite"
        noted = journal.read_bytes()
        path.write_text(json.dumps({**json.loads(kept), "account": self.accounts[0]}), encoding="utf-8")
        while "take this step with its wallet" not in (done := self.tries(command)).stderr:
            assert "next: " in done.stderr and time.monotonic() < end, f"{command}: {done.stdout}{done.stderr}"
            self.is_over(1)
            time.sleep(0.2)
        path.write_text(kept, encoding="utf-8")
        journal.write_bytes(noted)
        return str(done.stdout)

    def leaves_running(self, name: str, command: str) -> None:
        """Type it in a process of its own."""
        words = self.actual(command)
        config = str(self.root / words[words.index("--config") + 1])
        with (self.root / f"{name}.log").open("w", encoding="utf-8") as log:
            process = self.running[name] = subprocess.Popen(
                [str(APE), *words[1 : words.index("--config") + 1], config, "--pause", "0.3"],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                text=True,
            )
        self.stack.callback(ended, process, 5)

    def until(self, done: Callable[[], bool]) -> None:
        """Wait, as long as those who run do not fail."""
        end = time.monotonic() + LONGEST
        while not done():
            for name, process in self.running.items():
                said = (self.root / f"{name}.log").read_text(encoding="utf-8")
                assert not process.poll(), f"{name} failed: {said}"
                assert time.monotonic() < end, f"{name}: {said}"
            time.sleep(0.2)


def configure(root: Path, url: str, name: str, number: int) -> None:
    """A member.yaml as the page has one: bob alone proposes."""
    (root / name).mkdir()
    is_owner = name in OWNERS
    plan: dict[str, Any] = {"values": {"0": 14, "1": 12, "2": 11}} if is_owner else {"cost_per_label": 2}
    if name == "bob":
        plan["propose"] = {"targets": ["0", "1", "2"], "claimed_accuracy": 0.6, "global_rounds": 1, "seed": 1}
    data = {"dataset": "digits", "part": [number % 4, 4], **({} if is_owner else {"clients": 1})}
    document = {
        "nodes": [url],
        "contract": "../deployments/31337.json",
        "account": f"TEST::{number}",
        "role": "owner" if is_owner else "base station",
        "store": "../store",
        "journal": "./journal.sqlite",
        "membership": "../membership.json",
        "confirmations": 1,
        "most_lock": "400 gwei",
        "plan": plan,
        "data": data,
    }
    (root / name / "member.yaml").write_text(json.dumps(document), encoding="utf-8")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with anvil(0.25) as node, ExitStack() as stack:
        for number, name in enumerate((*OWNERS, *STATIONS), 1):
            configure(tmp_path, node.url, name, number)
        yield Office(tmp_path, node, stack)


def generate(office: Office) -> None:
    """An account of one's own, and its passphrase for commands that are left running."""
    words = office.actual("ape accounts generate alice")
    environment = {**os.environ, "APE_DATA_FOLDER": str(office.root / "ape")}
    answers = "some entropy\nn\nsecret\nsecret\n"
    done = subprocess.run(
        [str(APE), *words[1:]],
        env=environment,
        input=answers,
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,  # or a passphrase is asked for at the terminal
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (office.root / "ape" / "accounts" / "alice.json").is_file()
    name, _, value = office.actual("export APE_ACCOUNTS_alice_PASSPHRASE=...")[1].partition("=")
    environment |= {name: value.replace("...", "secret")}
    program = (
        "from ape import accounts; alice = accounts.load('alice'); alice.set_autosign(True); "
        "assert alice.sign_message('') is not None"
    )
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, cwd=office.root)


def start_consortium(office: Office) -> None:
    """Deploy, and the list of members."""
    office.types("ape run deploy --network https://... --account maker")
    office.types("ape run deploy --network https://... --check deployments/1.json")
    office.types("ape run membership --card --config alice/member.yaml")
    lines = ["account,role,key_card,name"]
    for name in (*OWNERS, *STATIONS):
        if name != "alice":
            done = CliRunner().invoke(
                import_module("fl.commands.membership").cli, ["--card", "--config", f"{name}/member.yaml"]
            )
            assert done.exit_code == 0, done.output
        (card,) = (office.root / name).glob("*.card.json")
        account = json.loads(card.read_text(encoding="utf-8"))["account"]
        lines.append(f"{account},{'owner' if name in OWNERS else 'base station'},{card},{name}")
    (office.root / "members.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    office.types("ape run membership members.csv --config alice/member.yaml --out membership.json")
    office.accounts = tuple(line.split(",")[0] for line in lines[1:])
    write_terms(office.root)


CREATE = "ape run create_round terms.yaml --config alice/member.yaml"


@pytest.mark.heavy
def test_runbook__all_commands__typed_in_two_rounds(office: Office) -> None:
    generate(office)
    start_consortium(office)
    office.types(CREATE)
    assert "would lock 400 gwei" in office.types("ape run status 1 --config alice/member.yaml")
    office.leaves_running("bob", "ape run owner 1 2 --config bob/member.yaml")
    for name in STATIONS:
        office.leaves_running(name, f"ape run base_station 1 2 --config {name}/member.yaml")

    # The first round by hand.
    for step in ("join 1", "bid 1 --bids 12,0,7", "reveal 1", "vote 1 --accuracy 0.91 --uphold", "settle 1"):
        if step.startswith("vote"):
            assert "measured" in office.without_key("ape run member vote 1 --config alice/member.yaml")
        office.until_due(f"ape run member {step} --config alice/member.yaml")
        if step.startswith("bid"):
            assert "by the plan" in office.types("ape run member texts 1 --config alice/member.yaml")
            assert "bid of 12 gwei" in office.types("ape run member bid 1 --export bid.json --config alice/member.yaml")
            assert "the journal has" in office.types(
                "ape run member bid 1 --import bid.json --config alice/member.yaml"
            )
    office.until(lambda: office.is_over(1))
    assert " wei withdrawn to " in office.types("ape run member withdraw --config alice/member.yaml")

    # The second without a hand.
    office.types(f"{CREATE} --another")
    office.leaves_running("alice", "ape run owner 1 2 --config alice/member.yaml")
    office.until(lambda: office.is_over(2))
    office.until(lambda: all(process.poll() is not None for process in office.running.values()))
    assert "round 2: the round is settled" in (office.root / "alice.log").read_text(encoding="utf-8")
    for typed_again in ("hcfl owner 1", "ape run owner 1"):
        assert "round 1: the round is settled" in office.types(f"{typed_again} --config alice/member.yaml")
    office.types("ape run base_station 1 --config north/member.yaml")

    # What is left to look at, and to keep.
    office.types("ape run record 1 --config alice/member.yaml --out round-1.json")
    assert "All follows." in office.types("ape run audit 1 --config alice/member.yaml --document round-1.json")
    again = office.types("ape run audit 1 --station own --config north/member.yaml")
    assert again.startswith("global round 1: the same, 0x"), again
    assert "voted" in office.types("ape run statement --config alice/member.yaml")
    subprocess.run(office.actual('sqlite3 alice/journal.sqlite ".backup alice/copy.sqlite"'), check=True)
    assert (office.root / "alice" / "copy.sqlite").stat().st_size > 0
    office.types("ape run member withdraw --to 0x... --config alice/member.yaml")
    assert office.node.chain.balance_of(ELSEWHERE) > 0
    office.types("ape run membership --card --new-key --config alice/member.yaml")

    typed = {shlex.join(shlex.split(each)) for each in office.typed}
    assert {*commands(), *left_running_on_the_first_page()} - typed == set(), (
        "they are on the pages, and not typed here"
    )
