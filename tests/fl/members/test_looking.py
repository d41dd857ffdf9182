"""`ape run status --watch`: a line for each block, from a node that goes away and comes back."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from ape import networks
from ape.logging import logger
from click.testing import CliRunner

from analysis.devnode.chain import Chain
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.refusals import MarketError
from fl.members.access import Access
from fl.members.looking import Watcher, opened
from fl.members.status import RoundStatus
from scripts import status
from tests.support.proxy import Proxy, Reply, proxied

QUICK = 0.01


@pytest.fixture
def proxy(node: Chain) -> Iterator[Proxy]:
    level = logger.level
    with proxied(node.uri) as proxy:
        yield proxy
    logger.set_level(level)


@pytest.fixture(autouse=True)
def _not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that never comes fails its test."""
    slept = [0.0]

    def counted(seconds: float) -> None:
        slept[0] += seconds
        assert slept[0] < 10, "nothing is shown any more"
        time.sleep(seconds)

    monkeypatch.setattr("fl.members.looking.time", SimpleNamespace(sleep=counted))


@contextmanager
def watching(proxy: Proxy, round_: LiveRound, account: str | None = None) -> Iterator[Watcher]:
    provider = networks.parse_network_choice(proxy.uri)._provider
    access = Access(provider, contract=round_.market.address, account=account)
    with opened(access, round_.id) as watcher:
        yield watcher


def test_watch__new_block__is_shown(create_round: CreateRound, proxy: Proxy) -> None:
    round_ = create_round()
    with watching(proxy, round_) as watcher:
        looks = watcher.looks(QUICK)
        first = next(looks).status
        threading.Timer(0.1, round_.joined).start()
        second = next(looks).status
        while len(second.facts.record.members) < len(round_.members):
            second = next(looks).status
        assert second.facts.block > first.facts.block
        assert not first.facts.record.members


def test_watch__node_refuses_and_comes_back__the_last_is_kept(create_round: CreateRound, proxy: Proxy) -> None:
    round_ = create_round()
    with watching(proxy, round_) as watcher:
        looks = watcher.looks(QUICK)
        first = next(looks)
        assert first.away == ""
        proxy.fail(Reply(503), times=10_000)
        away = next(looks)
        assert away.away
        assert "\n" not in away.away
        assert away.status == first.status, "what was read last is still shown"
        proxy.mend()
        back = next(looks)
        assert (back.away, back.status.facts.block) == ("", first.status.facts.block)


def test_watch__connection_gone_and_back__goes_on(create_round: CreateRound, proxy: Proxy) -> None:
    round_ = create_round()
    with watching(proxy, round_, round_.owners[0].account) as watcher:
        looks = watcher.looks(QUICK)
        next(looks)
        proxy.close()
        assert next(looks).away
        round_.joined()
        proxy.open()
        back = next(looks).status
        assert len(back.facts.record.members) == len(round_.members)
        assert back.who is not None
        assert back.who.role == round_.owners[0].role


def test_watch__round_is_over__ends(create_round: CreateRound, proxy: Proxy) -> None:
    round_ = create_round().voted()
    round_.settled()
    round_.claim_lot().send()
    options = [str(round_.id), "--network", proxy.uri, "--contract", round_.market.address, "--watch"]
    done = CliRunner().invoke(status.cli, [*options, "--json"])
    (line,) = done.stdout.splitlines()
    said = json.loads(line)
    assert (said["over"], said["phase"], said["away"]) == (True, "settle", None)
    assert "\x1b" not in CliRunner().invoke(status.cli, options).stdout, "no terminal is cleared where there is none"


def test_look__node_away_at_first__one_line(create_round: CreateRound, proxy: Proxy) -> None:
    round_ = create_round()
    with watching(proxy, round_) as watcher:
        proxy.close()
        with pytest.raises(MarketError, match="does not answer"):
            watcher.look()


def test_look__journal_of_the_member_in_use__is_read_beside_it(
    create_round: CreateRound, proxy: Proxy, node: Chain, tmp_path: Path
) -> None:
    """The member itself runs, and holds the lock."""
    from fl.members.configuration import MemberConfiguration
    from fl.members.journal import Journal

    round_ = create_round().drawn()
    alice = round_.owners[0].account
    path = tmp_path / "member.yaml"
    path.write_text(
        f"nodes: [{proxy.uri}]\ncontract: '{round_.market.address}'\naccount: nobody\nrole: owner\nstore: ./s\n"
        "journal: ./a.sqlite\nmembership: ./m.json\n",
        encoding="utf-8",
    )
    access = Access(account=alice, configuration=MemberConfiguration.read(path))

    def looked() -> RoundStatus:
        with opened(access, round_.id) as watcher:
            return watcher.look()

    assert looked().next_step()[0] == "reveal the sealed bids", "no journal is there"
    with Journal(tmp_path / "a.sqlite", alice, node.chain_id, round_.market.address) as journal:
        assert looked().next_step()[0].startswith("do something by hand: the journal does not have the")
        sealed = round_.owners[0].sealed
        journal.note(round_.id, "bid-0", {"bids": list(sealed.bids), "salt": sealed.salt.hex()})
        assert looked().next_step()[0] == "reveal the sealed bids"
    other = Access(account=round_.owners[1].account, configuration=access.configuration)
    with opened(other, round_.id) as watcher:
        assert watcher.look().next_step()[0] == "reveal the sealed bids", "alice's journal is not bob's"
    assert proxy.requests, "the nodes of member.yaml were asked"
