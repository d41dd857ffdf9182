"""`ape run deploy`, `membership`, `create_round` and `status`, as participants type them, on a real node."""

import json
import os
import re
import shutil
import subprocess
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from analysis.devnode.chain import Chain
from fl.market.client import Market
from fl.market.membership_file import MembershipList
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms
from fl.members.creation import describe
from fl.store.keys import EncryptionKey
from scripts import create_round, deploy, membership, status
from tests.support.crowdfund_round import APE, ROOT

EXAMPLES = ROOT / "examples"
NAMES = ("alice", "bob", "north", "south", "east")

Run = Callable[..., Result]


def invoke(command: click.Command, *options: object, typed: str | None = None) -> Result:
    """A command in this process; what it must not do is end in anything but an exit."""
    done = CliRunner(mix_stderr=False).invoke(command, [str(option) for option in options], input=typed)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def ok(command: click.Command, *options: object, typed: str | None = None) -> str:
    done = invoke(command, *options, typed=typed)
    assert done.exit_code == 0, "".join(traceback.format_exception(*done.exc_info)) if done.exc_info else done.output
    return str(done.stdout)


def refused(command: click.Command, *options: object) -> str:
    """The one line that is said."""
    done = invoke(command, *options)
    assert done.exit_code == 1, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    return str(line)


@pytest.fixture(scope="module")
def folder(node: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The examples in a folder of their own; the contract is deployed."""
    root = tmp_path_factory.mktemp("participants")
    shutil.copytree(EXAMPLES, root / "examples", ignore=lambda *_: {"store"})
    said = ok(deploy.cli, "--network", node.uri, "--account", "TEST::0", "--folder", root / "deployments")
    assert f"Written: {root}/deployments/{node.chain_id}.json" in said
    for name in ("owner.yaml", "base_station.yaml"):
        path = root / "examples" / name
        text = path.read_text(encoding="utf-8")
        for shown, here in (("http://127.0.0.1:8545", node.uri), ("31337.json", f"{node.chain_id}.json")):
            assert shown in text, "the example has another address: change this test"
            text = text.replace(shown, here)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def record(folder: Path, node: Chain) -> Path:
    return folder / "deployments" / f"{node.chain_id}.json"


@pytest.fixture(scope="module")
def members(folder: Path, record: Path) -> Path:
    """The signed list of the five members of the example."""
    examples = folder / "examples"
    for number, name in enumerate(NAMES, 1):
        journal = examples / f"{name}.sqlite"
        ok(membership.cli, "--card", "--contract", record, "--account", f"TEST::{number}", "--journal", journal)
    path = examples / "membership.json"
    said = ok(
        membership.cli, examples / "members.csv", "--contract", record, "--account", "TEST::0", "--out", path, "--json"
    )
    assert json.loads(said)["members"] == {"owner": 2, "base station": 3}
    return path


@pytest.fixture(scope="module")
def round_id(folder: Path, node: Chain, record: Path, members: Path) -> int:
    """A round by the example's terms."""
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--membership", members)
    # Another: the first page's test may have created one by the same terms, on the same node.
    terms = folder / "examples" / "terms.yaml"
    made = json.loads(ok(create_round.cli, terms, *where, "--yes", "--another", "--json"))
    return int(made["round"])


# ── deploy ──


def test_deploy__check__by_record_and_by_address(node: Chain, record: Path) -> None:
    address = json.loads(record.read_bytes())["address"]
    for named in (record, address):
        said = ok(deploy.cli, "--network", node.uri, "--check", named)
        assert said == f"{named} is HCFL as the sources here stand\n"


def test_deploy__check_of_something_else__says_what_is_off(node: Chain) -> None:
    done = invoke(deploy.cli, "--network", node.uri, "--check", "0x" + "cd" * 20)
    assert done.exit_code == 1
    assert done.stdout.startswith("off  there is no contract at 0x")
    done = invoke(deploy.cli, "--network", node.uri, "--check", "0x" + "cd" * 20, "--json")
    assert json.loads(done.stdout)["off"]


def test_deploy__again__refused(node: Chain, record: Path) -> None:
    line = refused(deploy.cli, "--network", node.uri, "--account", "TEST::0", "--folder", record.parent)
    assert "names a deployment on this chain already" in line


# ── membership ──


def test_card__again__the_same_key_unless_a_new_one_is_asked_for(record: Path, folder: Path, members: Path) -> None:
    journal = folder / "carol.sqlite"
    options = ("--card", "--contract", record, "--account", "TEST::6", "--journal", journal, "--json")
    first, again = (json.loads(ok(membership.cli, *options)) for _ in range(2))
    assert first == again
    assert Path(first["file"]) == folder / "carol.card.json"
    newer = json.loads(ok(membership.cli, *options, "--new-key"))
    assert newer["public_key"] != first["public_key"]
    assert json.loads(ok(membership.cli, *options)) == newer, "the newest is the card's"
    assert oct(journal.stat().st_mode)[-3:] == "600"


def test_card__by_member_yaml__is_that_of_its_account(folder: Path, members: Path) -> None:
    made = json.loads(ok(membership.cli, "--card", "--config", folder / "examples" / "owner.yaml", "--json"))
    listed = MembershipList.read(members)
    found = listed.find(made["account"])
    assert found is not None
    assert (found.name, found.card.public_key) == ("alice", made["public_key"])


def test_card__private_key__is_nowhere_but_in_the_journal(folder: Path, members: Path) -> None:
    from fl.members.journal import Journal

    listed = MembershipList.read(members)
    alice = listed.find(listed.members[0].entry.account)
    assert alice is not None
    with Journal(
        folder / "examples" / "alice.sqlite",
        alice.entry.account,
        listed.domain.chain_id,
        listed.domain.contract,
        read_only=True,
    ) as journal:
        (secret,) = journal.keys()
    assert EncryptionKey(secret).public_key == alice.card.public_key
    for path in folder.rglob("*.json"):
        assert secret.hex() not in path.read_text(encoding="utf-8")


def test_list__there_is_one__not_overwritten(record: Path, members: Path, folder: Path) -> None:
    before = members.read_bytes()
    table = folder / "examples" / "members.csv"
    line = refused(membership.cli, table, "--contract", record, "--account", "TEST::0", "--out", members)
    assert "is there already" in line
    assert members.read_bytes() == before


# ── create_round ──


def test_create_round__example__is_on_the_chain_as_it_was_shown(
    node: Chain, record: Path, members: Path, folder: Path
) -> None:
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--membership", members)
    terms = folder / "examples" / "terms.yaml"
    done = invoke(create_round.cli, terms, *where, "--another", "--json", "--yes")
    assert done.exit_code == 0, "".join(traceback.format_exception(*done.exc_info)) if done.exc_info else done.output
    made = json.loads(done.stdout)
    market = Market.at(json.loads(record.read_bytes())["address"])
    stored, door = market.terms(made["round"])
    assert made["terms_hash"] == "0x" + market.terms_hash(stored).hex()
    assert made["membership_root"] == "0x" + MembershipList.read(members).root.hex()
    assert made["door"] == "0x" + door.hex() == "0x" + stored.door(MembershipList.read(members).root).hex()
    assert (stored.bond, stored.contribution_stake) == (200 * GWEI, 10 * GWEI)
    assert stored.deadlines.commit - stored.deadlines.join == 7_200
    for role, loss in zip((Role.OWNER, Role.BASE_STATION), made["losses"], strict=True):
        assert loss["lock"] == market.lock(made["round"], role)
        assert loss["worst_loss"] == market.worst_loss(made["round"], role)
    assert "owner: 200 as long as it does its duty; silent, absent or found wanting by a vote 400" in done.stderr
    assert "base station: 60 as long" in done.stderr
    assert "contribution_stake is" not in done.stderr and "bond is below" not in done.stderr


def test_create_round__terms_that_make_idling_and_overclaiming_pay__says_so_before_it_asks(
    node: Chain, record: Path, members: Path, folder: Path
) -> None:
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--membership", members)
    terms = (folder / "examples" / "terms.yaml").read_text(encoding="utf-8")
    unwise = folder / "unwise.yaml"
    unwise.write_text(
        terms.replace("contribution_stake: 10", "contribution_stake: 0").replace("bond: 200", "bond: 199"),
        encoding="utf-8",
    )
    done = invoke(create_round.cli, unwise, *where, "--another", typed="n\n")
    assert done.exit_code == 1
    assert "contribution_stake is 0: a base station that records and does not train loses nothing" in done.stdout
    assert "bond is below 200 gwei, twice max_owner_bid" in done.stdout


@pytest.mark.parametrize(("owners", "bond", "said"), [(4, 200, False), (10, 499, True), (10, 500, False)])
def test_describe__bond_that_a_training_that_is_none_would_repay__is_said(owners: int, bond: int, said: bool) -> None:
    terms = RoundTerms(100, 50, bond * GWEI, Deadlines.after(0, 300), contribution_stake=1)
    listed: Any = SimpleNamespace(
        maker="maker", side=lambda role: [SimpleNamespace(entry=SimpleNamespace(points=1))] * owners
    )
    lines = describe(terms, listed, "sender")
    assert any("bond is below 500 gwei, half of max_owner_bid" in line for line in lines) is said


def test_create_round__not_confirmed__nothing_is_sent(
    node: Chain, record: Path, members: Path, folder: Path, accounts: Any
) -> None:
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--membership", members)
    sent = accounts[0].nonce
    for typed in ("n\n", ""):
        done = invoke(create_round.cli, folder / "examples" / "terms.yaml", *where, "--another", typed=typed)
        assert done.exit_code == 1
        assert "The most that each can lose" in done.stdout
    assert accounts[0].nonce == sent
    ok(create_round.cli, folder / "examples" / "terms.yaml", *where, "--another", typed="y\n")
    assert accounts[0].nonce == sent + 1


def test_create_round__the_same_is_open__refused_unless_another_is_asked_for(
    node: Chain, record: Path, members: Path, folder: Path, round_id: int
) -> None:
    """As after a command that was killed before it could say what it had created."""
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--membership", members)
    line = refused(create_round.cli, folder / "examples" / "terms.yaml", *where, "--yes")
    assert re.search(r"round \d+ has the same terms and members, and can still be joined", line)


def test_create_round__other_members_or_phases__is_another_round(
    node: Chain, record: Path, members: Path, folder: Path, round_id: int
) -> None:
    examples = folder / "examples"
    card = examples / "carol.card.json"
    options = ("--contract", record, "--account", "TEST::7")
    made = ok(membership.cli, "--card", *options, "--journal", examples / "carol7.sqlite", "--out", card, "--json")
    table = (examples / "members.csv").read_text(encoding="utf-8")
    (examples / "more.csv").write_text(
        f"{table}carol, {json.loads(made)['account']}, owner, 1, carol.card.json\n", encoding="utf-8"
    )
    ok(membership.cli, examples / "more.csv", *options, "--out", examples / "more.json")
    longer = examples / "longer.yaml"
    text = (examples / "terms.yaml").read_text(encoding="utf-8")
    longer.write_text(text.replace("train: 3 d", "train: 4 d"), encoding="utf-8")
    where = ("--network", node.uri, "--contract", record, "--account", "TEST::0", "--yes")
    ok(create_round.cli, examples / "terms.yaml", *where, "--membership", examples / "more.json")
    ok(create_round.cli, longer, *where, "--membership", members)


def test_create_round__points_under_equal__names_the_member(
    node: Chain, record: Path, members: Path, folder: Path
) -> None:
    table = (folder / "examples" / "members.csv").read_text(encoding="utf-8").replace("owner, 1", "owner, 7", 1)
    (folder / "examples" / "weighted.csv").write_text(table, encoding="utf-8")
    weighted = folder / "examples" / "weighted.json"
    options = ("--contract", record, "--account", "TEST::0")
    ok(membership.cli, folder / "examples" / "weighted.csv", *options, "--policy", "capability", "--out", weighted)
    options = ("--network", node.uri, *options, "--membership", weighted, "--yes")
    line = refused(create_round.cli, folder / "examples" / "terms.yaml", *options)
    assert "alice is listed with 7 points, and owner_policy is equal" in line


# ── status ──


def test_status__example__names_and_next_steps(node: Chain, folder: Path, round_id: int) -> None:
    said = ok(status.cli, round_id, "--config", folder / "examples" / "owner.yaml")
    assert f"Round {round_id} of 0x" in said
    assert "open, join phase; block" in said
    assert re.search(r"^> join +ends 20.* UTC +in (1 d|23 h)", said, re.MULTILINE)
    for name in NAMES:
        assert re.search(rf"^{name} +(owner|base station) +not joined$", said, re.MULTILINE)
    assert "alice, owner\n  would lock 400 gwei, and can lose 200 of it" in said
    assert "next: join: lock what the terms ask for, by 20" in said
    assert len(said.splitlines()) < 30


def test_status__json__by_options(node: Chain, record: Path, members: Path, round_id: int) -> None:
    where = ("--network", node.uri, "--contract", record, "--membership", members)
    for account in ("TEST::3", MembershipList.read(members).members[2].entry.account):
        said = json.loads(ok(status.cli, round_id, *where, "--account", account, "--json"))
        assert said["account"]["role"] == "base station"
        assert said["account"]["next_step"].startswith("join")
        assert said["deadlines"]["join"]["seconds_left"] == said["deadlines"]["join"]["at"] - said["time"]
    assert json.loads(ok(status.cli, round_id, *where, "--json"))["account"] is None


def test_status__stranger__is_told_so(node: Chain, record: Path, members: Path, round_id: int) -> None:
    where = ("--network", node.uri, "--contract", record, "--membership", members)
    said = ok(status.cli, round_id, *where, "--account", "TEST::9")
    assert "next: nothing: it is not listed for this round" in said


def test_status__as_it_is_typed__without_torch(node: Chain, folder: Path, round_id: int, tmp_path: Path) -> None:
    """In a process of its own, in which torch cannot be imported; by the nodes of member.yaml."""
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')\n", encoding="utf-8")
    typed = [str(APE), "run", "status", str(round_id), "--config", str(folder / "examples" / "owner.yaml"), "--json"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(typed, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert (said["round"], said["account"]["name"]) == (round_id, "alice")


# ── what is wrong is told at once ──


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    path = tmp_path / "broken.yaml"
    path.write_text("role: owner\n", encoding="utf-8")
    return path


TERMS = EXAMPLES / "terms.yaml"
NOBODY = "http://127.0.0.1:1"
ADDRESS = "0x" + "11" * 20


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (deploy.cli, (), "no node is named: --network"),
        (deploy.cli, ("--network", NOBODY), "no account is named: --account"),
        (deploy.cli, ("--network", NOBODY, "--account", "nobody"), "there is no account nobody"),
        (deploy.cli, ("--network", NOBODY, "--account", "TEST::99"), "TEST::99 is no test account"),
        (deploy.cli, ("--network", NOBODY, "--account", "TEST::0"), f"{NOBODY} cannot be used"),
        (deploy.cli, ("--network", NOBODY, "--check", "0x12"), "0x12 is neither an address"),
        (create_round.cli, ("nowhere.yaml",), "nowhere.yaml: No such file"),
        (create_round.cli, (TERMS,), "no node is named"),
        (create_round.cli, (TERMS, "--network", NOBODY), "no contract is named"),
        (
            create_round.cli,
            (EXAMPLES / "terms.yaml", "--network", NOBODY, "--contract", ADDRESS),
            "no account is named",
        ),
        (membership.cli, ("nowhere.csv",), "nowhere.csv: No such file"),
        (membership.cli, ("--card",), "no account is named"),
        (membership.cli, ("--card", "--account", "TEST::1"), "no journal is named"),
        (status.cli, (1,), "no node is named"),
        (status.cli, (1, "--network", NOBODY), "no contract is named"),
        (status.cli, (1, "--network", NOBODY, "--contract", "0x12"), "0x12 is neither an address"),
        (status.cli, (1, "--network", NOBODY, "--contract", ADDRESS), f"{NOBODY} cannot be used"),
        (status.cli, (1, "--config", "nowhere.yaml"), "nowhere.yaml: No such file"),
    ],
)
def test_command__something_is_missing__one_line(
    command: click.Command, options: tuple[object, ...], said: str
) -> None:
    assert said in refused(command, *options)


def test_command__member_yaml_broken__file_and_key(nowhere: Path) -> None:
    assert f"{nowhere}: nodes is missing and must be a list" in refused(status.cli, 1, "--config", nowhere)


def test_status__no_such_round__says_which_there_are(node: Chain, record: Path, round_id: int) -> None:
    line = refused(status.cli, 7_000, "--network", node.uri, "--contract", record)
    assert re.search(r"there is no round 7000 at 0x\w+: 1 … \d+", line)


def test_status__list_of_another_round__refused(
    node: Chain, record: Path, folder: Path, members: Path, round_id: int, tmp_path: Path
) -> None:
    document = json.loads(members.read_bytes())
    table = (folder / "examples" / "members.csv").read_text(encoding="utf-8").replace("alice, 0x", "alicia, 0x")
    (folder / "examples" / "renamed.csv").write_text(table, encoding="utf-8")
    other = folder / "examples" / f"renamed-{os.getpid()}.json"
    options = ("--contract", record, "--account", "TEST::5", "--out", other)
    ok(membership.cli, folder / "examples" / "renamed.csv", *options)
    assert json.loads(other.read_bytes())["root"] == document["root"], "names are not in the root"
    where = ("--network", node.uri, "--contract", record)
    assert "alicia" in ok(status.cli, round_id, *where, "--membership", other), (
        "anybody's names, for who names its file"
    )


@pytest.fixture(autouse=True)
def _levels() -> Iterator[None]:
    """Commands silence ape's log."""
    from ape.logging import logger

    before = logger.level
    yield
    logger.set_level(before)
