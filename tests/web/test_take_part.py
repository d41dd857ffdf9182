"""Taking part from the page, in a real browser, with a wallet that signs with test keys on a real node."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from eth_account.messages import SignableMessage
from playwright.sync_api import Browser, Page, ViewportSize, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import LiveRound, Seat, Step, create_round
from fl.market.bids import SealedBid
from fl.market.membership_file import Listed, MembershipList
from fl.market.refusals import MarketError, explain, vocabulary
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Stage
from fl.members.access import Access
from fl.members.bid_file import BidFile
from fl.members.command import by_hand, export_bid, import_bid, texts
from fl.members.configuration import MemberConfiguration
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
        expect(seen.page.get_by_role("button", name="Connect Test wallet")).to_be_visible(timeout=20_000)
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
              const { pack, commitmentOf, fileOf, read } = await import("/static/wallet/bids.js");
              const { Contract, doorOf, rootBy } = await import("/static/wallet/contract.js");
              const contract = new Contract(await (await fetch("/contract.json")).json());
              const { chain_id: chainId, contract: at, round_id: roundId, member: account } = bids;
              const whose = { chainId, contract: at, roundId, account };
              return {
                words: bids.vectors.map(({ bids }) => pack(bids)),
                commitments: bids.vectors.map(({ bids, salt }) => commitmentOf({ ...whose, bids, salt })),
                files: bids.vectors.map(({ bids: row, salt }) =>
                  fileOf({ ...whose, models: bids.models, bids: row, salt })),
                read: bids.vectors.map(({ bids: row, file }) =>
                  read(file, { ...whose, models: bids.models, count: row.length, cap: 2n ** 44n - 1n }).commitment),
                roots: membership.vectors.map(({ entries }) => entries.map(rootBy)),
                hashes: terms.vectors.map(({ terms }) => contract.termsHash(terms)),
                doors: terms.vectors.map((each) => doorOf(each.membership_root, each.terms_hash)),
              };
            }""",
            [bids, membership, terms],
        )
    assert made["words"] == [each["words"] for each in bids["vectors"]]
    assert made["commitments"] == [each["commitment"] for each in bids["vectors"]]
    assert made["files"] == [each["file"] for each in bids["vectors"]]
    assert made["read"] == made["commitments"]
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


def configured(scene: Scene, name: str, folder: Path) -> MemberConfiguration:
    """A member.yaml whose account is named by its address: its key is in the wallet."""
    seat, listed = scene.seats[name], folder / "membership.json"
    listed.write_bytes(scene.listed.to_bytes())
    document = {
        "nodes": [scene.market.chain.uri],
        "contract": scene.market.address,
        "account": seat.account,
        "role": "owner",
        "store": str(folder / "store"),
        "journal": str(folder / f"{name}.sqlite"),
        "membership": str(listed),
        "confirmations": 1,
        "plan": {"values": {"3": 5}},
    }
    path = folder / "member.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    return MemberConfiguration.read(path)


def test_bid_file__of_the_page__goes_through_the_journal_of_the_commands_and_back(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    alice, round_ = scene.seats["alice"], scene.round.joined()
    access = Access(configuration=configured(scene, "alice", tmp_path))
    with pytest.raises(MarketError, match="sealed in its commit phase"):
        export_bid(access, round_.id, tmp_path / "early.json")
    round_.wait_for("join")
    said = texts(access, round_.id)
    assert len(said) == 2 and all("has not been sent; it is bid for blindly: 0 gwei" in each for each in said)
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        saved = save_bid(page, alice.bids, tmp_path)
        assert "next: bid" in import_bid(access, round_.id, saved)
        exported = tmp_path / "exported.json"
        export_bid(access, round_.id, exported)
        assert BidFile.read(exported) == BidFile.read(saved)
        with pytest.raises(MarketError, match="was named by its address, and no key of it is here"):
            by_hand(access, round_.id, "bid")
        page.locator("#commit-file").set_input_files(exported)
        do(page, "commit")
        other = replace(BidFile.read(saved), sealed=SealedBid((1, 2)))
        other.write(tmp_path / "other.json")
        with pytest.raises(MarketError, match="is not the bid that alice has sealed on chain"):
            import_bid(access, round_.id, tmp_path / "other.json")
        for changed, words in (
            (replace(other, account=scene.seats["bob"].account), "is a bid of"),
            (replace(other, round_id=2), "is a bid in round 2"),
            (replace(other, chain_id=1), "is a bid on chain 1"),
            (replace(other, models=bytes(32)), "for other models"),
            (replace(other, sealed=SealedBid((10_000_001, 2))), "10000000 gwei at most"),
        ):
            (tmp_path / "changed.json").write_bytes(changed.to_bytes())
            with pytest.raises(MarketError, match=words):
                import_bid(access, round_.id, tmp_path / "changed.json")
        assert seen.said == []


def test_bid_file__journal_that_has_noted_another__takes_the_one_on_chain(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    round_, alice = scene.round.joined(), scene.seats["alice"]
    round_.wait_for("join")
    access = Access(configuration=configured(scene, "alice", tmp_path))
    export_bid(access, round_.id, tmp_path / "by-plan.json")
    round_.commit_bid(alice).send()
    with pytest.raises(MarketError, match="does not have the bid that is sealed on chain"):
        export_bid(access, round_.id, tmp_path / "none.json")
    sealed = replace(BidFile.read(tmp_path / "by-plan.json"), sealed=alice.sealed)
    sealed.write(tmp_path / "sealed.json")
    import_bid(access, round_.id, tmp_path / "sealed.json")
    export_bid(access, round_.id, tmp_path / "again.json")
    assert BidFile.read(tmp_path / "again.json") == sealed


# ── what goes wrong ──


@contextmanager
def waiting(scene: Scene) -> Iterator[Callable[[], None]]:
    """Transactions wait until what is yielded is called."""
    chain = scene.market.chain
    chain.rpc("evm_setAutomine", False)
    try:
        yield lambda: chain.rpc("evm_mine")
    finally:
        chain.rpc("evm_setAutomine", True)


def click(page: Page, name: str) -> None:
    page.locator(f"#do-{name} [type=submit]:enabled").click(timeout=20_000)
    expect(page.locator("#told li").last).to_contain_text("it waits for a block")


def all_of(page: Page) -> str:
    """Everything that the page holds: its text, and what is in its fields."""
    fields: str = page.evaluate("[...document.querySelectorAll('input')].map((each) => each.value).join(' ')")
    return page.content().replace(",", "").lower() + fields


def test_sign__declined__is_said_and_nothing_is_sent(browser: Browser, scene: Scene) -> None:
    scene.wallet.rejects = True
    with visited(browser, scene) as seen:
        page = seen.page
        page.get_by_role("button", name="Connect Test wallet").click()
        expect(page.locator("#connected")).to_be_hidden()
        scene.wallet.rejects = False
        connect(page)
        scene.wallet.rejects = True
        said = do(page, "join", end="declined")
        assert said == "Join: You declined in the wallet; nothing was sent."
        assert scene.wallet.sent == []
        scene.wallet.rejects = False
        do(page, "join")
        assert scene.stage("alice") is Stage.JOINED
        assert seen.said == []


def test_account__another_is_chosen__no_secret_of_the_one_before_is_left(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    alice = scene.seats["alice"]
    scene.round.joined()
    scene.round.wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        path = save_bid(page, alice.bids, tmp_path)
        page.locator("#commit-file").set_input_files(path)
        expect(page.locator("#do-commit [type=submit]")).to_be_enabled()
        assert SECRET_BIDS[0] in all_of(page)
        for number, name in ((NORTH, "north"), (MALLORY, None)):
            scene.wallet.choose(number, page)
            expect(page.locator('[data-fill="account"]').first).to_have_text(scene.wallet.account.address)
            if name:
                expect(page.locator('[data-fill="listed"]')).to_contain_text(f"On the list as {name}")
                page.locator("#commit-file").set_input_files(path)
                expect(page.locator("#do-commit [data-file]")).to_have_text("This sealed bid is of another account.")
            salt = BidFile.read(path).sealed.salt.hex()
            assert [secret for secret in (*SECRET_BIDS, salt) if secret in all_of(page)] == []
            expect(page.locator("#do-commit [type=submit]")).to_be_disabled()
        scene.wallet.choose(ALICE, page)
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as alice")
        assert SECRET_BIDS[0] not in all_of(page), "it comes back from the file alone"
        assert seen.said == []


def test_account__another_is_chosen_while_one_waits__each_has_its_own(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        click(page, "join")
        scene.wallet.choose(NORTH, page)
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as north")
        mine()
        expect(page.locator("#told li").last).to_contain_text("Done in", timeout=20_000)
        expect(page.locator('[data-fill="standing"]')).to_contain_text("You have not joined this round.")
        assert scene.stage("alice") is Stage.JOINED
        assert scene.stage("north") is Stage.NONE


def test_chain__another__nothing_is_offered_until_the_wallet_is_back(browser: Browser, scene: Scene) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        scene.wallet.go_to(1, page)
        expect(page.locator("#wrong-chain")).to_contain_text("on chain 1, and this round is on chain 31337.")
        expect(page.locator("#place")).to_be_hidden()
        scene.wallet.rejects = True
        page.locator("#switch-chain").click()
        expect(page.locator("#problem")).to_have_text("You declined in the wallet; nothing was sent.")
        scene.wallet.rejects = False
        page.locator("#switch-chain").click()
        expect(page.locator("#place")).to_be_visible()
        expect(page.locator("#wrong-chain")).to_be_hidden()
        do(page, "join")
        assert seen.said == []


def test_tab__lost_and_loaded_again__goes_on_with_the_file_and_sees_what_is_underway(
    browser: Browser, scene: Scene, tmp_path: Path
) -> None:
    scene.round.joined()
    scene.round.wait_for("join")
    with visited(browser, scene) as seen, waiting(scene) as mine:
        page = seen.page
        connect(page)
        path = save_bid(page, scene.seats["alice"].bids, tmp_path)
        page.reload()
        expect(page.locator('[data-fill="listed"]')).to_contain_text("On the list as alice")
        page.locator("#commit-file").set_input_files(path)
        click(page, "commit")
        page.reload()
        expect(page.locator('[data-fill="underway"]')).to_contain_text("transactions are on their way")
        mine()
        expect(page.locator('[data-fill="standing"]')).to_contain_text("Your bid is sealed.", timeout=20_000)
        expect(page.locator('[data-fill="underway"]')).to_be_empty()
        assert scene.stage("alice") is Stage.COMMITTED
        assert seen.said == []


def test_tab__a_second_one__what_is_sealed_there_counts_here(browser: Browser, scene: Scene, tmp_path: Path) -> None:
    round_, alice = scene.round.joined(), scene.seats["alice"]
    round_.wait_for("join")
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        kept = save_bid(page, alice.bids, tmp_path)
        page.locator("#commit-file").set_input_files(kept)
        other = page.context.new_page()
        other.goto(page.url)
        connect(other)
        (tmp_path / "other").mkdir()
        path = save_bid(other, (1, 2), tmp_path / "other")
        other.locator("#commit-file").set_input_files(path)
        do(other, "commit")
        expect(page.locator('[data-fill="standing"]')).to_contain_text("Your bid is sealed.", timeout=20_000)
        expect(page.locator("#do-commit")).to_be_hidden()
        round_.committed(but={alice}).drawn()
        page.locator("#reveal-file").set_input_files(kept)
        expect(page.locator("#do-reveal [data-file]")).to_contain_text("not the bid that you have sealed on chain")
        page.locator("#reveal-file").set_input_files(path)
        do(page, "reveal")
        assert scene.stage("alice") is Stage.REVEALED
        assert seen.said == []


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("faster", "Replaced in the wallet by the same with another fee. Done in"),
        ("cancelled", "Cancelled in the wallet by 0x"),
        ("another", "Replaced in the wallet by another transaction, 0x"),
    ],
)
def test_transaction__replaced_in_the_wallet__is_followed(browser: Browser, scene: Scene, how: str, words: str) -> None:
    changes: dict[str, Any] = {
        "faster": {},
        "cancelled": {"to": scene.seats["alice"].account, "data": "0x", "value": 0},
        "another": {"data": scene.market.codec.call("deposit", []), "value": 5},
    }[how]
    with visited(browser, scene) as seen, waiting(scene) as mine:
        connect(seen.page)
        click(seen.page, "join")
        scene.wallet.replace(scene.wallet.sent[0], **changes)
        mine()
        expect(seen.page.locator("#told li").last).to_contain_text(words, timeout=20_000)
        assert scene.stage("alice") is (Stage.JOINED if how == "faster" else Stage.NONE)
        expect(seen.page.locator("#do-join")).to_be_visible(visible=how != "faster")
        assert seen.said == []


def test_transaction__overtaken_by_anothers__is_refused_in_words(browser: Browser, scene: Scene) -> None:
    scene.round.committed().wait_for("commit", 60)
    with visited(browser, scene) as seen, waiting(scene) as mine:
        connect(seen.page)
        click(seen.page, "draw")
        draw = scene.market._transaction(scene.round.draw(scene.seats["bob"]))
        scene.market.chain.rpc("eth_sendTransaction", {**draw, "gasPrice": hex(50 * GWEI)})
        mine()
        line = seen.page.locator("#told li").last
        expect(line).to_contain_text("the claimant of round 1 is drawn already", timeout=20_000)
        assert "Refused in 0x" in line.inner_text()


def test_step__that_the_contract_would_refuse__is_said_in_words_before_it_is_sent(
    browser: Browser, scene: Scene
) -> None:
    with visited(browser, scene) as seen:
        page = seen.page
        connect(page)
        page.locator("#deposit-amount").fill("0.5")
        do(page, "deposit")
        page.locator("#withdraw-amount").fill("0.75")
        cost = page.locator("#do-withdraw [data-cost]")
        expect(cost).to_contain_text("It would be refused: 500000000000000000 wei are free and 750000000000000000 are")
        expect(page.locator("#do-withdraw [type=submit]")).to_be_disabled()
        for typed in ("-1", "x", "0"):
            page.locator("#withdraw-amount").fill(typed)
            expect(cost).to_contain_text("Type how much you take out")
        page.locator("#withdraw-amount").fill("0.25")
        page.locator("#withdraw-to").fill("0x12")
        expect(cost).to_have_text("The receiver is no address, or mistyped.")
        assert len(scene.wallet.sent) == 1


@pytest.mark.parametrize("size", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
def test_page__in_the_commit_phase__axe_finds_no_serious_fault_and_all_fits(
    browser: Browser, scene: Scene, size: ViewportSize
) -> None:
    scene.round.joined().wait_for("join")
    scheme = "dark" if size == PHONE else "light"
    with visited(browser, scene, size, color_scheme=scheme) as seen:
        connect(seen.page)
        expect(seen.page.locator("#do-commit")).to_be_visible()
        assert seen.axe() == []
        assert seen.overflow == 0
        assert seen.said == []


def test_page__keyboard_alone__connects_and_joins(browser: Browser, scene: Scene) -> None:
    def go_to(words: str) -> None:
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == words:
                break
        page.keyboard.press("Enter")

    with visited(browser, scene) as seen:
        page = seen.page
        expect(page.get_by_role("button", name="Connect Test wallet")).to_be_visible()
        go_to("Connect Test wallet")
        expect(page.locator("#do-join [type=submit]")).to_be_enabled()
        go_to("Join on these terms")
        expect(page.locator("#told li").last).to_contain_text("Done in", timeout=20_000)
        assert scene.stage("alice") is Stage.JOINED
