"""A scene of the page to take part: a round, its list, a wallet with test keys, and the page in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eth_account.messages import SignableMessage
from playwright.sync_api import Browser, Page, ViewportSize, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import LiveRound, Seat, create_round
from fl.market.membership_file import Listed, MembershipList
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms, Stage
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain
from tests.support.browser import DESKTOP, Visit, visit
from tests.support.client import client_of
from tests.support.relay import Relay
from web.browser.serving import serving
from web.browser.wallet import Wallet, key_of

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


def do(page: Page, name: str, end: str = "Done in", clicks: int = 1) -> str:
    """Do a step that the page offers; its last line once it has ended."""
    before = page.locator("#told li").count()
    page.locator(f"#do-{name} [type=submit]:enabled").click(timeout=20_000, click_count=clicks)
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
