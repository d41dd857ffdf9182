"""The live page in a real browser, over rounds that are played on a real node meanwhile."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import CreateRound
from tests.support.browser import DESKTOP, PHONE, visit
from tests.support.client import client_of
from tests.support.play import play
from tests.support.rounds import ENDS, status_of
from web.browser.serving import serving

STEPS = ("settled", "punished", "nothing trained", "aborted", "cancelled: too few", "cancelled: not drawn",
    "cancelled: no live model", "cancelled: not selected", "cancelled: no base station opened")  # fmt: skip


@pytest.fixture
def served(market: Devnode) -> Iterator[str]:
    with serving(client_of(market)) as address:
        yield address


def phase(page: Page, name: str) -> None:
    """The page says that this is the phase, without being loaded again."""
    expect(page.locator(".phases [aria-current]")).to_have_text(re.compile(name), timeout=60_000)


def count(page: Page, name: str) -> str:
    return page.locator("#counts div", has=page.get_by_text(name, exact=True)).locator("dd").inner_text().strip()


def test_round__played_meanwhile__is_followed_to_its_report(
    browser: Browser, served: str, create_round: CreateRound
) -> None:
    round_ = create_round()
    with visit(browser, served) as seen:
        page = seen.page
        page.get_by_role("link", name="Round 1").click()
        page.evaluate("window.here = true")
        phase(page, "join")
        expect(page.locator("#live-members")).to_contain_text("No owners have joined yet.")
        assert page.locator("#closes .countdown").inner_text() != ""
        round_.joined()
        expect(page.locator("#live-members tbody tr")).to_have_count(6)
        expect(page.locator("#live-models tbody tr")).to_have_count(2)
        round_.committed()
        phase(page, "commit")
        expect(page.locator("#counts")).to_contain_text("6 of 6")
        html = page.content()
        for seat in round_.members:
            assert ", ".join(map(str, seat.bids)) not in html, "a sealed bid"
            assert round_.commitment(seat).hex() not in html
        round_.drawn()
        phase(page, "reveal")
        expect(page.locator("#live-base-station-3")).to_contain_text("stands aside")
        round_.revealed()
        phase(page, "select")
        expect(page.locator("#live-owner-1")).to_contain_text("30, 20")
        assert ", ".join(map(str, round_.claimant.bids)) not in page.locator("#live-base-station-3").inner_text()
        round_.selected()
        phase(page, "train")
        expect(page.locator("#curve canvas")).to_have_count(1)
        round_.trained()
        expect(page.locator("#live-training tbody tr td.n")).to_have_text(["3", "3", "3"])
        assert count(page, "recorded") == "9 of 9"
        round_.reported()
        phase(page, "vote")
        expect(page.locator("#counts")).to_contain_text("91.00")
        round_.voted()
        phase(page, "settle")
        expect(page.locator("h1 .badge")).to_have_text("settled")
        expect(page.locator("#report")).to_contain_text("0 of 6 members are settled so far")
        round_.settled()
        round_.claim_lot().send()
        expect(page.locator("#report")).to_contain_text("agree with the reference to the wei")
        tax = page.locator("#members th button", has_text="Clarke tax").first
        tax.press("Enter")
        assert tax.locator("..").get_attribute("aria-sort") == "ascending"
        assert page.evaluate("window.here"), "it was never loaded again"
        assert seen.said == []
        assert [address for address in seen.asked if not address.startswith((served, "data:"))] == []


@pytest.mark.parametrize("end", STEPS)
def test_round__each_end__has_its_report_in_place(browser: Browser, served: str, market: Devnode, end: str) -> None:
    live = play(market, ENDS[end], (5_000, 5_000), 5_000)
    live.settled()
    with visit(browser, f"{served}/rounds/{live.id}") as seen:
        expect(seen.page.locator("h1 .badge")).to_have_text(status_of(end), timeout=60_000)
        expect(seen.page.locator("#report #check")).to_be_visible()
        assert seen.overflow == 0
        seen.page.set_viewport_size(PHONE)
        assert seen.overflow == 0
        assert seen.axe() == []
        assert seen.said == []


@pytest.mark.parametrize("size", [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")])
def test_round__in_training__axe_finds_no_serious_fault_and_all_fits(
    browser: Browser, served: str, create_round: CreateRound, size: ViewportSize
) -> None:
    round_ = create_round().selected()
    scheme = "dark" if size == PHONE else "light"
    with visit(browser, f"{served}/rounds/{round_.id}", size, color_scheme=scheme) as seen:
        expect(seen.page.locator("#curve canvas")).to_have_count(1, timeout=60_000)
        assert seen.axe() == []
        assert seen.overflow == 0
        assert seen.said == []


def test_round__keyboard_alone__from_the_list_to_the_round(
    browser: Browser, served: str, create_round: CreateRound
) -> None:
    create_round().joined()
    with visit(browser, served) as seen:
        seen.page.get_by_role("link", name="Round 1").wait_for()
        assert seen.axe() == []
        for _ in range(10):
            seen.page.keyboard.press("Tab")
            if seen.page.evaluate("document.activeElement.textContent") == "Round 1":
                break
        seen.page.keyboard.press("Enter")
        phase(seen.page, "join")
        assert seen.said == []


def test_round__after_a_reorganisation__is_the_one_that_the_chain_has(
    browser: Browser, served: str, create_round: CreateRound, market: Devnode
) -> None:
    round_ = create_round()
    with visit(browser, f"{served}/rounds/{round_.id}") as seen:
        members = seen.page.locator("#live-members tbody tr")
        with market.chain.snapshot():
            round_.market.send_all([round_.join(seat) for seat in round_.members])
            expect(members).to_have_count(6)
        round_.join(round_.owners[1]).send()
        expect(members).to_have_count(1)
        expect(members).to_contain_text(round_.owners[1].account[-4:])
        assert seen.said == []


def test_page__that_is_not_there__says_so(browser: Browser, served: str) -> None:
    with visit(browser, f"{served}/rounds/7") as seen:
        expect(seen.page.locator("main")).to_contain_text("This round is not on the chain")
        assert seen.page.goto(f"{served}/nothing").status == 404
        assert seen.page.locator("h1").inner_text() == "Not here"
        for path in ("/static/..%2fapp.py", "/static/app.py", "/rounds/1/report", "/rounds/x"):
            assert seen.page.request.get(served + path).status == 404


def test_round__a_member_that_is_called_so__is_shown_as_text(
    browser: Browser, create_round: CreateRound, market: Devnode
) -> None:
    round_ = create_round().joined()
    name = "</th><script>alert('name')</script>"
    hostile = name + "\u202e<img src=x onerror=alert(1)>" + "x" * 10_000_000
    called = {round_.owners[0].account: name, round_.stations[0].account: hostile}
    with serving(client_of(market), called) as address, visit(browser, f"{address}/rounds/{round_.id}", PHONE) as seen:
        expect(seen.page.locator("#live-owner-1")).to_contain_text(name)
        expect(seen.page.locator("#live-base-station-1")).to_contain_text("characters)")
        assert seen.page.locator("img").count() == 0
        assert seen.overflow == 0
        assert seen.said == []


def test_round__server_away_and_back__says_so_and_goes_on(
    browser: Browser, create_round: CreateRound, market: Devnode
) -> None:
    round_, client = create_round(), client_of(market)
    with ExitStack() as first:
        address = first.enter_context(serving(client))
        with visit(browser, f"{address}/rounds/{round_.id}") as seen:
            phase(seen.page, "join")
            lost = seen.page.locator("#lost")
            expect(lost).to_be_empty()
            first.close()
            expect(lost).to_contain_text("The connection is lost", timeout=60_000)
            round_.joined()
            with serving(client, port=urlsplit(address).port or 0):
                expect(seen.page.locator("#live-members tbody tr")).to_have_count(6, timeout=60_000)
                expect(lost).to_be_empty()
