"""A whole round: an owner and a base station play it from the page, in a real browser, the others by commands."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from eth_account import Account
from playwright.sync_api import Browser, Page, expect

from analysis.consortium.chain import Node, anvil, ended
from analysis.consortium.company import PROPOSER, company
from analysis.consortium.organisations import APE, ConsortiumError, Organisation, configure, found
from analysis.devnode.chain import Chain
from fl.members.bid_file import BidFile
from tests.support.browser import the_browser, visit
from tests.support.relay import Relay
from web.browser.wallet import Wallet

# Members in processes of their own, and a real training: `ape test tests/e2e/test_take_part.py -m heavy`.
pytestmark = pytest.mark.heavy

BLOCK = 0.5
LONGEST = 300
"""Seconds for a phase."""


@pytest.fixture
def browser(pytestconfig: pytest.Config) -> Browser:
    return the_browser(pytestconfig)


@dataclass
class Person:
    """Somebody of an organisation, with its wallet, before the page."""

    member: Organisation
    wallet: Wallet
    page: Page

    def run(self, *words: str) -> str:
        return self.member.run(*words, "--config", str(self.member.config))

    def measures(self) -> tuple[str, bool]:
        """Accuracy, percent, and whether the contributions stand: what the command says whose key is in a wallet."""
        kept = self.member.config.read_text(encoding="utf-8")
        self.member.config.write_text(
            json.dumps({**json.loads(kept), "account": self.member.address}), encoding="utf-8"
        )
        with pytest.raises(ConsortiumError, match="take this step with its wallet") as said:
            self.run("member", "vote", "1")
        self.member.config.write_text(kept, encoding="utf-8")
        found = re.search(r"measured (\d+\.\d\d) %, and (upholds|does not uphold)", str(said.value))
        assert found, said.value
        return found[1], found[2] == "upholds"

    def shows(self, step: str) -> None:
        """Wait until a step can be done."""
        expect(self.page.locator(f"#do-{step}")).to_be_visible(timeout=LONGEST * 1_000)

    def does(self, step: str, end: str = "Done in") -> None:
        self.page.locator(f"#do-{step} [type=submit]:enabled").click(timeout=60_000)
        expect(self.page.locator("#told li").last).to_contain_text(re.compile(end), timeout=60_000)

    def settles(self) -> None:
        """If the claimant is not there first, which settles all others for the taxes that are its lot."""
        settled = self.page.locator("#settled")
        settle = self.page.locator("#do-settle [type=submit]:enabled")
        expect(settled.filter(has_text="Settled: ").or_(settle).first).to_be_visible(timeout=LONGEST * 1_000)
        if settle.is_visible():
            self.does("settle", "Done in|or is settled")
        expect(settled).to_contain_text("Settled: ", timeout=60_000)

    def chooses(self, step: str, file: Path) -> None:
        self.page.locator(f"#{step}-file").set_input_files(file)


@contextmanager
def explorer(root: Path, here: Node) -> Iterator[Relay]:
    """The live page, as a user types it; all that it hears is kept."""
    typed = [*APE, "explorer", "--contract", str(root / "31337.json"), "--membership", str(root / "membership.json")]
    with subprocess.Popen([*typed, "--network", here.url, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert address
        relay = Relay(urlsplit(address[0]).port or 0)
        try:
            yield relay
        finally:
            relay.close()
            ended(process, 5)


@contextmanager
def person(browser: Browser, member: Organisation, here: Node, server: Relay) -> Iterator[Person]:
    key_file = (member.folder / "ape" / "accounts" / f"{member.name}.json").read_text(encoding="utf-8")
    wallet = Wallet(Chain(here.url), [Account.from_key(Account.decrypt(key_file, member.passphrase))])
    with visit(browser, "about:blank") as seen:
        wallet.into(seen.page.context)
        seen.page.goto(f"{server.address}/rounds/1/take-part")
        seen.page.get_by_role("button", name="Connect Test wallet").click(timeout=60_000)
        yield Person(member, wallet, seen.page)
        assert seen.said == []


def test_round__owner_and_base_station_from_the_page_others_by_commands__to_the_statement(
    browser: Browser, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(anvil(BLOCK))
        members = found(tmp_path, here.chain)
        for each in members:
            configure(each, [here.url], str(tmp_path / "store"), {}, proposers=[PROPOSER])
        named = {each.name: each for each in members}
        others = stack.enter_context(company(tmp_path, here.url, members))
        others.heard(LONGEST, founded=True)
        others.play("bob", "north")
        others.heard(LONGEST, round=1, phase="OPEN JOIN")
        server = stack.enter_context(explorer(tmp_path, here))
        bob, north = (stack.enter_context(person(browser, named[name], here, server)) for name in ("bob", "north"))

        for each in (bob, north):
            each.shows("join")
            each.does("join")

        # An owner whose plan bids: the command reads the text and seals, the page commits.
        bob.shows("commit")
        sealed = bob.member.folder / "bid.json"
        bob.run("member", "bid", "1", "--export", str(sealed))
        bob.chooses("commit", sealed)
        bob.does("commit")

        # A base station that types: the command tells what it may read, the page makes the salt.
        north.shows("commit")
        said = north.run("member", "texts", "1")
        plan = re.search(r"model 0 of 0x.*label count 3.*by the plan (\d+) gwei", said)
        assert plan, said
        north.page.get_by_label("Your bid for model 0, gwei").fill(plan[1])
        saved = north.member.folder / "bid.json"
        with north.page.expect_download() as download:
            north.page.locator("#save-bid").click()
        download.value.save_as(saved)
        north.chooses("commit", saved)
        north.does("commit")

        # The page opens what the command sealed, the command what the page did.
        bob.shows("reveal")
        bob.chooses("reveal", sealed)
        bob.does("reveal")
        north.run("member", "bid", "1", "--import", str(saved))
        expect(north.page.locator('[data-fill="phase"]')).not_to_have_text(re.compile("commit|draw"), timeout=60_000)
        claimant = "You are the claimant" in north.page.locator('[data-fill="standing"]').inner_text()
        training = north.member.start(["base_station", "1", "--config", str(north.member.config), "--pause", "0.3"])
        stack.callback(ended, training, 5)
        others.heard(LONGEST, round=1, phase="REPORTED VOTE")
        ended(training, 20)

        # The command measures, and says what the page is to be told.
        bob.shows("vote")
        accuracy, stand = bob.measures()
        bob.page.locator("#accuracy").fill(accuracy)
        bob.page.get_by_label("They stand" if stand else "They do not").check()
        bob.does("vote")
        for each in (bob, north):
            each.settles()
        ending = others.heard(LONGEST, round=1, status=any)
        assert ending["status"] == "REPORTED"
        assert ending["off"] == []
        if north.page.locator("#do-claim").is_visible():  # one model alone leaves no taxes
            north.does("claim")
        bob.does("withdraw")

        for each in (bob, north):
            lines = json.loads(each.run("statement", "--json"))["lines"]
            assert set(each.wallet.sent) <= {line["transaction"] for line in lines}
            part = ending["members"][each.member.address]
            assert part["settled"] and part["revealed"] is not part["claimant"] and not part["slashed"]
        assert ending["members"][bob.member.address]["voted"]
        assert float(accuracy) > 50 and stand
        assert len(ending["members"][north.member.address]["updates"]) == 2
        assert ending["members"][north.member.address]["claimant"] is claimant
        bob.page.goto(f"{server.address}/rounds/1")
        expect(bob.page.locator("#report")).to_contain_text("agree with the reference to the wei", timeout=60_000)

        heard = bytes(server.heard)
        assert bob.member.address.encode() in heard
        for file in (sealed, saved):
            assert BidFile.read(file).sealed.salt.hex().encode() not in heard
