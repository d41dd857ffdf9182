"""The pictures of both pages in README.md: the round of the worked example, and one that is being trained."""

from __future__ import annotations

from pathlib import Path

from ape import networks, project
from playwright.sync_api import Browser

from analysis.devnode.actors import FUNDS, actor, seats
from analysis.devnode.anvil import anvil
from analysis.devnode.deployment import artefact_of, deploy
from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import LiveRound, create_round
from analysis.report.page import write
from analysis.report.source import from_document
from analysis.worked_example import ROUND
from fl.market.client import Market
from fl.market.deployment import compiled
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms
from fl.record.document import read
from web.browser.chromium import started
from web.browser.serving import serving

WIDTH, HEIGHT = 1100, 1500
OWNERS = {"alice": (24, 31, 43), "bob": (12, 26, 12), "carol": (31, 17, 33), "dave": (17, 9, 16)}
STATIONS = {"north": (7, 21, 28), "south": (4, 12, 16), "east": (7, 14, 21), "west": (4, 3, 6)}
RECORDED = {"north": 2, "south": 2, "east": 1, "west": 2}


def draw(folder: Path) -> list[Path]:
    """Draw both.

    Raises:
        Fault: there is no Chromium, or no node.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with started() as browser:
        return [_report(browser, folder), _live(browser, folder / "live.png")]


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


def _shoot(browser: Browser, address: str, picture: Path, awaited: str) -> Path:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    try:
        page = context.new_page()
        page.goto(address)
        page.locator(awaited).first.wait_for()
        page.screenshot(path=picture)
    finally:
        context.close()
    return picture
