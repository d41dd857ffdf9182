"""The pictures in README.md: the round of the worked example, one that is being trained, and one to take part in."""

from __future__ import annotations

from pathlib import Path

from ape import networks, project
from eth_account.signers.local import LocalAccount
from playwright.sync_api import Browser

from analysis.devnode.actors import FUNDS, actor, seats
from analysis.devnode.anvil import anvil
from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.report.page import write
from analysis.report.source import from_document
from analysis.worked_example import ROUND
from fl.market.client import Market
from fl.market.deployment import compiled
from fl.market.membership_file import Listed, MembershipList
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms
from fl.record.document import read
from fl.store.keys import EncryptionKey, KeyCard
from fl.store.signed import Domain, Sign
from web.browser.chromium import started
from web.browser.serving import serving
from web.browser.wallet import Wallet, key_of

WIDTH, HEIGHT = 1100, 1500
OWNERS = {"alice": (24, 31, 43), "bob": (12, 26, 12), "carol": (31, 17, 33), "dave": (17, 9, 16)}
STATIONS = {"north": (7, 21, 28), "south": (4, 12, 16), "east": (7, 14, 21), "west": (4, 3, 6)}
RECORDED = {"north": 2, "south": 2, "east": 1, "west": 2}


def draw(folder: Path) -> list[Path]:
    """Draw all three.

    Raises:
        Fault: there is no Chromium, or no node.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with started() as browser:
        return [
            _report(browser, folder),
            _live(browser, folder / "live.png"),
            _take_part(browser, folder / "take-part.png"),
        ]


def _report(browser: Browser, folder: Path) -> Path:
    page, picture = folder / "report.html", folder / "report.png"
    write(from_document(read(ROUND), Path("rounds/20261127-115639/round.json")), page)
    try:
        return _shoot(browser, page.as_uri(), picture, "#members")
    finally:
        page.unlink()


def _live(browser: Browser, picture: Path) -> Path:
    with anvil() as chain, networks.parse_network_choice(chain.uri):
        round_ = _in_training(deploy(chain, artefact_of(compiled(project))))
        with serving(Market.at(round_.market.address, first_block=0)) as address:
            return _shoot(browser, f"{address}/rounds/{round_.id}", picture, "#curve canvas")


def _take_part(browser: Browser, picture: Path) -> Path:
    with anvil() as chain, networks.parse_network_choice(chain.uri):
        market = deploy(chain, artefact_of(compiled(project)))
        keys = {name: key_of(name) for name in (*OWNERS, *STATIONS)}
        for key in keys.values():
            chain.set_balance(key.address, 2 * 10**18)
        owners = [Seat(name, keys[name].address, Role.OWNER, bids) for name, bids in OWNERS.items()]
        stations = [Seat(name, keys[name].address, Role.BASE_STATION, bids) for name, bids in STATIONS.items()]
        terms = RoundTerms(100, 50, 200 * GWEI, Deadlines.after(chain.now, 3_600), 10 * GWEI)
        round_ = create_round(market, owners, stations, terms, proposers=(0, 1, 2))
        lines = [_listed(seat, keys[seat.name]) for seat in round_.members]
        maker = keys["alice"]
        listed = MembershipList.made(Domain(market.chain_id, market.address), lines, maker.address, _signing(maker))
        with serving(Market.at(market.address, first_block=0), listed=listed) as address:
            wallet = Wallet(chain, [keys["bob"]])
            return _shoot(browser, f"{address}/rounds/{round_.id}/take-part", picture, "#do-join", wallet)


def _listed(seat: Seat, key: LocalAccount) -> Listed:
    return Listed(seat.entry, KeyCard.signed(seat.account, EncryptionKey.generate(), _signing(key)), seat.name)


def _signing(key: LocalAccount) -> Sign:
    return lambda message: bytes(key.sign_message(message).signature)


def _in_training(market: Devnode) -> LiveRound:
    """A round whose base stations are at different global rounds."""
    named = {name: actor(name) for name in (*OWNERS, *STATIONS)}
    market.introduce(**named)
    for account in named.values():
        market.chain.set_balance(account, FUNDS)
    terms = RoundTerms(100, 50, 200 * GWEI, Deadlines.after(market.chain.now, 3_600))
    owners, stations = (
        seats(market, role, tuple(bids), tuple(bids.values()), None)
        for role, bids in ((Role.OWNER, OWNERS), (Role.BASE_STATION, STATIONS))
    )
    round_ = create_round(market, owners, stations, terms, proposers=(0, 1, 2), claimant=stations[-1]).selected()
    for g in range(max(RECORDED.values())):
        for seat in stations:
            if g < RECORDED[seat.name]:
                market.chain.travel_to(market.chain.now + 200)
                round_.record_update(seat, g).send()
        if g == 0:
            round_.record_global_round(global_round=g).send()
    return round_


def _shoot(browser: Browser, address: str, picture: Path, awaited: str, wallet: Wallet | None = None) -> Path:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        if wallet is not None:
            wallet.into(context)
        page = context.new_page()
        page.goto(address)
        if wallet is not None:
            page.get_by_role("button", name="Connect").click()
        page.locator(awaited).first.wait_for()
        page.screenshot(path=picture)
    finally:
        context.close()
    return picture
