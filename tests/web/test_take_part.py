"""Taking part from the page, in a real browser, with a wallet that signs with test keys on a real node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account.messages import SignableMessage
from playwright.sync_api import Browser, Page, ViewportSize, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import LiveRound, Seat, Step, create_round
from fl.market.membership_file import Listed, MembershipList
from fl.market.refusals import explain, vocabulary
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Stage
from fl.members.bid_file import BidFile
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain
from tests.support.browser import DESKTOP, PHONE, Visit, visit
from tests.support.client import client_of
from tests.support.relay import Relay
from tests.support.wallet import Wallet, key_of
from tests.vectors.make import FOLDER as VECTORS
from web.browser.serving import serving

OWNERS, STATIONS = ("alice", "bob", "carol"), ("north", "south", "east")
ALICE, NORTH, MALLORY = 0, 1, 2
"""Numbers of the wallet's accounts."""

ETHER = 10**18
BIDS = {"alice": (7_310_017, 9_000_001), "bob": (5_000_000, 10), "carol": (12, 60)}
COSTS = {"north": (28, 2), "south": (1, 14), "east": (1, 14)}
SECRET_BIDS = ("7310017", "9000001", "6f8ac1", "895441")
"""Alice's, as numbers and as in packed words."""


def signing(name: str) -> Callable[[SignableMessage], bytes]:
    return lambda message: bytes(key_of(name).sign_message(message).signature)


@dataclass
class Scene:
    """A round, its list and a wallet with the keys of alice, north and mallory, who is on no list."""

    market: Devnode
    round: LiveRound
    listed: MembershipList
    wallet: Wallet
    seats: dict[str, Seat]
    server: Relay | None = None

    def stage(self, name: str) -> Stage:
        return self.round.stage(self.seats[name])

    def but(self, name: str) -> set[Seat]:
        """For steps of all others."""
        return {self.seats[name]}


@pytest.fixture
def scene(market: Devnode) -> Scene:
    return scene_of(market)


def scene_of(market: Devnode, claimant: str = "east") -> Scene:
    names = (*OWNERS, *STATIONS)
    market.introduce(**{name: key_of(name).address for name in names})
    for name in (*names, "mallory"):
        market.chain.set_balance(key_of(name).address, 10 * ETHER)
    owners = [Seat(name, key_of(name).address, Role.OWNER, BIDS[name]) for name in OWNERS]
    stations = [Seat(name, key_of(name).address, Role.BASE_STATION, COSTS[name]) for name in STATIONS]
    terms = RoundTerms(10_000_000, 50, 200 * GWEI, Deadlines.after(market.chain.now, 100), contribution_stake=10 * GWEI)
    seats = {seat.name: seat for seat in (*owners, *stations)}
    made = create_round(market, owners, stations, terms, proposers=(1, 2), claimant=seats[claimant])
    wallet = Wallet(market.chain, [key_of(name) for name in ("alice", "north", "mallory")])
    return Scene(market, made, list_of(market, made.members), wallet, seats)


def list_of(market: Devnode, seats: tuple[Seat, ...]) -> MembershipList:
    cards = [KeyCard.signed(seat.account, EncryptionKey.generate(), signing(seat.name)) for seat in seats]
    lines = [Listed(seat.entry, card, seat.name) for seat, card in zip(seats, cards, strict=True)]
    domain = Domain(market.chain_id, market.address)
    return MembershipList.made(domain, lines, key_of("alice").address, signing("alice"))


@contextmanager
def visited(
    browser: Browser, scene: Scene, size: ViewportSize = DESKTOP, listed: bool = True, **options: Any
) -> Iterator[Visit]:
    """The page, with the wallet in it; all that its server hears is kept."""
    with ExitStack() as stack:
        address = stack.enter_context(serving(client_of(scene.market), listed=scene.listed if listed else None))
        scene.server = Relay(urlsplit(address).port or 0)
        stack.callback(scene.server.close)
        seen = stack.enter_context(visit(browser, "about:blank", size, **options))
        scene.wallet.into(seen.page.context)
        seen.page.goto(f"{scene.server.address}/rounds/{scene.round.id}/take-part")
        yield seen


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect Test wallet").click()
    expect(page.locator("#place")).to_be_visible()


def shown(page: Page, name: str) -> str:
    return page.locator(f'[data-fill="{name}"]').first.inner_text()


def do(page: Page, name: str, end: str = "Done in") -> str:
    """Do a step that the page offers; its last line once it has ended."""
    before = page.locator("#told li").count()
    page.locator(f"#do-{name} [type=submit]:enabled").click(timeout=20_000)
    line = page.locator("#told li").nth(before)
    expect(line).to_contain_text(end, timeout=20_000)
    return line.inner_text()


def until_drawn(round_: LiveRound, wanted: Seat) -> None:
    """Let blocks pass until the next one draws this base station: the same block can be mined twice."""
    chain = round_.market.chain
    while True:
        with chain.snapshot():
            ordinal = round_.draw().send().event("ClaimantDrawn")["ordinal"]
        if ordinal == round_.member(wanted).ordinal:
            return
        chain.rpc("evm_mine")


def save_bid(page: Page, bids: tuple[int, ...], folder: Path) -> Path:
    """Type bids and have the file saved, as a browser does."""
    for model, bid in enumerate(bids):
        page.get_by_label(f"Your bid for model {model}, gwei").fill(str(bid))
    with page.expect_download() as download:
        page.locator("#save-bid").click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


# ── connect ──


def test_connect__listed_owner__sees_role_proof_terms_and_the_most_that_it_can_lose(
    browser: Browser, scene: Scene
) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        alice = scene.seats["alice"]
        assert shown(page, "account") == alice.account
        assert (shown(page, "role"), shown(page, "points")) == ("an owner", "1")
        assert "On the list as alice" in shown(page, "listed")
        loss = scene.round.terms.worst_loss(Role.OWNER)
        assert shown(page, "worst") == f"{loss / ETHER:.18f}".rstrip("0") + " ETH"
        assert scene.round.lock(alice) == loss + 200 * GWEI
        assert shown(page, "lock") == "0.0200002 ETH"
        assert shown(page, "termsHash") == "0x" + scene.round.terms.hash.hex()
        assert shown(page, "bond") == "200 gwei"
        assert shown(page, "maxOwnerBid") == "10,000,000 gwei"
        expect(page.locator("#do-join [data-cost]")).to_contain_text(
            re.compile(r"Costs about \d\d,\d{3} gas, a fee of")
        )
        assert seen.said == []


def test_connect__list_chosen_as_a_file__is_held_against_the_rounds_door(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    right, wrong, none = (tmp_path / name for name in ("right.json", "wrong.json", "none.json"))
    right.write_bytes(scene.listed.to_bytes())
    wrong.write_bytes(list_of(scene.market, scene.round.members[:-1]).to_bytes())
    none.write_text("[]", encoding="utf-8")
    with visited(browser, scene, listed=False) as seen:
        page = seen.page
        connect(page)
        listed = page.locator('[data-fill="listed"]')
        expect(listed).to_have_text("This account is on no list at hand.")
        expect(page.locator("#do-join [data-cost]")).to_contain_text("choose the list above")
        page.locator("#list").set_input_files(wrong)
        expect(listed).to_contain_text("is not this round's")
        expect(page.locator("#what-you-lose")).to_be_hidden()
        page.locator("#list").set_input_files(none)
        expect(page.locator("#problem")).to_have_text("This is no membership list.")
        page.locator("#list").set_input_files(right)
        expect(listed).to_contain_text("On the list as alice")
        expect(page.locator("#problem")).to_be_empty()
        assert shown(page, "worst") == "0.02 ETH"
        assert seen.said == []


def test_connect__nobody_of_the_list__is_told_so_and_joins_nothing(browser: Browser, scene: Scene) -> None:
    scene.wallet.choose(MALLORY)
    with visited(browser, scene) as seen:
        connect(seen.page)
        expect(seen.page.locator('[data-fill="listed"]')).to_have_text("This account is on no list at hand.")
        expect(seen.page.locator("#do-join [type=submit]")).to_be_disabled()


# ── what a client in JavaScript works out ──


def test_modules__vectors__are_worked_out_alike(browser: Browser, scene: Scene) -> None:
    bids, membership, terms = (
        json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8")) for name in ("bids", "membership", "terms")
    )
    with visited(browser, scene) as seen:
        made = seen.page.evaluate(
            """async ([bids, membership, terms]) => {
              const { pack, commitmentOf } = await import("/static/wallet/bids.js");
              const { Contract, doorOf, rootBy } = await import("/static/wallet/contract.js");
              const contract = new Contract(await (await fetch("/contract.json")).json());
              const { chain_id: chainId, contract: at, round_id: roundId, member: account } = bids;
              const whose = { chainId, contract: at, roundId, account };
              return {
                words: bids.vectors.map(({ bids }) => pack(bids)),
                commitments: bids.vectors.map(({ bids, salt }) => commitmentOf({ ...whose, bids, salt })),
                roots: membership.vectors.map(({ entries }) => entries.map(rootBy)),
                hashes: terms.vectors.map(({ terms }) => contract.termsHash(terms)),
                doors: terms.vectors.map((each) => doorOf(each.membership_root, each.terms_hash)),
              };
            }""",
            [bids, membership, terms],
        )
    assert made["words"] == [each["words"] for each in bids["vectors"]]
    assert made["commitments"] == [each["commitment"] for each in bids["vectors"]]
    assert made["roots"] == [[each["root"]] * len(each["entries"]) for each in membership["vectors"]]
    assert made["hashes"] == [each["terms_hash"] for each in terms["vectors"]]
    assert made["doors"] == [each["door"] for each in terms["vectors"]]
    assert len(made["commitments"]) > 3 and len(made["roots"]) > 2


def test_modules__every_error_of_the_contract__has_the_words_of_the_commands(
    browser: Browser, scene: Scene, market: Devnode
) -> None:
    values = {"address": key_of("bob").address, "bytes32": "0x" + "ab" * 32}
    with visited(browser, scene) as seen:
        made: list[tuple[str, list[tuple[str, Any]], str]] = seen.page.evaluate(
            """async (values) => {
              const { Contract, revertData } = await import("/static/wallet/contract.js");
              const contract = new Contract(await (await fetch("/contract.json")).json());
              const errors = contract.interface.fragments.filter((each) => each.type === "error");
              return errors.map((error) => {
                const given = error.inputs.map(({ type }, i) => values[type] ?? (type === "uint8" ? 1 : 70_001 + i));
                const data = contract.interface.encodeErrorResult(error, given);
                const nested = { code: -32603, message: "Internal error", data: { originalError: { code: 3, data } } };
                const named = error.inputs.map(({ name }, i) => [name, given[i]]);
                return [error.name, named, contract.explain(revertData(nested))];
              });
            }""",
            values,
        )
    assert {name for name, _, _ in made} >= set(vocabulary()["errors"])
    for name, given, words in made:
        assert words == explain(name, dict(given)), name
        assert "{" not in words


# ── a round, step by step ──


def test_owner__whole_round_from_the_page__each_step_is_on_the_chain_and_no_secret_at_the_server(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round, scene.seats["alice"]
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.locator("#deposit-amount").fill("0.01")
        do(page, "deposit")
        assert scene.market.view("freeBalance", alice.account) == ETHER // 100
        expect(page.locator("#do-join [data-cost]")).to_contain_text("and sends 0.0100002 ETH")
        do(page, "join")
        assert scene.stage("alice") is Stage.JOINED
        assert scene.market.view("freeBalance", alice.account) == 0
        round_.joined(but=scene.but("alice"))
        expect(page.locator('[data-fill="standing"]')).to_contain_text("bids are sealed in the next phase")

        round_.committed(but=scene.but("alice"))
        path = save_bid(page, alice.bids, tmp_path)
        saved = BidFile.from_bytes(path.read_bytes())
        assert saved.sealed.bids == alice.bids
        assert scene.wallet.sent[2:] == [], "something was sent before the file was there"
        expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [data-file]")).to_have_text(
            "It seals 7,310,017 gwei for model 0, 9,000,001 gwei for model 1."
        )
        do(page, "commit")
        assert scene.stage("alice") is Stage.COMMITTED

        round_.wait_for("commit", 60)
        expect(page.locator("#do-draw")).to_be_visible(timeout=20_000)
        round_.drawn()
        page.locator("#reveal-file").set_input_files(path)
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED
        round_.revealed(but=scene.but("alice"))
        do(page, "select")
        round_.seen(Step.SELECTED).reported()

        page.locator("#accuracy").fill("87.5")
        expect(page.locator("#do-vote [data-cost]")).to_contain_text("Say whether you find")
        expect(page.locator('[data-fill="claimed"]')).to_have_text("91 %", timeout=20_000)
        assert shown(page, "punishes") == "88 %"
        page.get_by_label("They do not").check()
        do(page, "vote")
        assert round_.state.votesPunish == 1
        scene.market.send_all([round_.vote(seat) for seat in round_.electors if seat != alice])
        do(page, "settle")
        assert scene.stage("alice") is Stage.NONE
        expect(page.locator("#settled")).to_contain_text(re.compile(r"Settled: share [0-9.]+ ETH"), timeout=20_000)
        free = scene.market.view("freeBalance", alice.account)
        page.locator("#withdraw-to").fill(key_of("mallory").address)
        do(page, "withdraw")
        assert scene.market.chain.balance_of(key_of("mallory").address) == 10 * ETHER + free
        assert seen.said == []

    assert scene.server is not None
    heard = bytes(scene.server.heard).lower()
    assert alice.account.lower().encode() in heard, "nothing of what the server heard was kept"
    for secret in (*SECRET_BIDS, saved.sealed.salt.hex()):
        assert secret.encode() not in heard


def test_station__joins_and_commits_at_once__is_drawn_and_takes_its_lot(
    browser: Browser, market: Devnode, tmp_path: Path
) -> None:
    scene = scene_of(market, claimant="north")
    round_, north = scene.round, scene.seats["north"]
    scene.wallet.choose(NORTH)
    round_.joined(but=scene.but("north")).committed()
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        assert (shown(page, "role"), shown(page, "lock")) == ("a base station", "260 gwei")
        path = save_bid(page, north.bids, tmp_path)
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [data-cost]")).to_contain_text("and sends 260 gwei")
        do(page, "commit")
        round_.wait_for("commit", 60)
        until_drawn(round_, north)
        do(page, "draw")
        round_.seen(Step.DRAWN)
        expect(page.locator('[data-fill="standing"]')).to_contain_text("You are the claimant")
        expect(page.locator("#do-reveal")).to_be_hidden()
        round_.revealed().selected()
        expect(page.locator('[data-fill="standing"]')).to_contain_text("staying away costs the bond", timeout=20_000)
        round_.voted()
        do(page, "settle")
        round_.settled()
        lot = round_.lot
        assert lot > 0
        do(page, "claim")
        assert round_.lot == 0
        assert scene.market.view("freeBalance", north.account) > lot
        expect(page.locator("#do-claim")).to_be_hidden()
        assert seen.said == []
