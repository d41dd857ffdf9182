"""The report in a real browser: every end, phone and desktop, light and dark, keyboard alone, in print."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from analysis.report.page import write
from analysis.report.sample import document_of_facts
from analysis.report.source import from_document
from fl.record.document import RoundDocument
from tests.support.browser import DESKTOP, PHONE, visit
from tests.support.rounds import ENDS, SETTLED, status_of

HOSTILE = "</bdi></td><script>alert('label')</script><img src=x onerror=\"alert('img')\">\u202egnp.exe\u2066"

Written = Callable[[RoundDocument], Path]


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Writes a document's page, once."""
    pages: dict[RoundDocument, Path] = {}

    def page_of(document: RoundDocument) -> Path:
        if document not in pages:
            path = tmp_path_factory.mktemp("report") / "report.html"
            write(from_document(document, path.with_name("round.json")), path)
            pages[document] = path
        return pages[document]

    return page_of


@pytest.mark.parametrize("end", ENDS)
def test_report__each_end__opens_whole_and_quiet_on_desktop_and_phone(
    browser: Browser, written: Written, end: str
) -> None:
    path = written(document_of_facts(ENDS[end]))
    with visit(browser, path) as seen:
        assert seen.page.locator("h1 .badge").inner_text() == status_of(end)
        assert seen.page.locator("#story p").count() >= 3
        assert seen.overflow == 0
        seen.page.set_viewport_size(PHONE)
        assert seen.overflow == 0
        assert seen.asked == [path.as_uri()], "one file, and no network"
        assert seen.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report__light_and_dark__axe_finds_no_serious_fault(browser: Browser, written: Written, scheme: str) -> None:
    end = "a silent owner, a partial station" if scheme == "light" else "punished"
    with visit(browser, written(document_of_facts(ENDS[end])), color_scheme=scheme) as seen:
        seen.page.locator("details").evaluate_all("all => all.slice(-2).forEach(each => each.open = true)")
        assert seen.axe() == []
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


def test_report__keyboard_alone__sorts_a_table_and_opens_a_member(browser: Browser, written: Written) -> None:
    with visit(browser, written(document_of_facts(SETTLED))) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        tax = page.locator("#members th button", has_text="Clarke tax").first
        for _ in range(300):
            page.keyboard.press("Tab")
            if tax.evaluate("each => each === document.activeElement"):
                break
        else:
            pytest.fail("the button is not reached by Tab")
        column = page.locator("#members table").first.locator("tbody tr td:nth-child(5)")
        page.keyboard.press("Enter")
        assert column.all_inner_texts() == ["0.00", "0.00", "0.00", "0.00", "10.50", "21.25"]
        page.keyboard.press("Space")
        assert column.all_inner_texts() == ["21.25", "10.50", "0.00", "0.00", "0.00", "0.00"]
        assert tax.locator("..").get_attribute("aria-sort") == "descending"
        page.locator("#members tbody a", has_text="owner 3").first.focus()
        page.keyboard.press("Enter")
        page.locator("details#owner-3[open]").wait_for()
        page.locator("details#owner-2 summary").focus()
        page.keyboard.press("Enter")
        assert page.locator("details#owner-2 dl").is_visible()
        assert seen.said == []


def test_report__a_figure__leads_to_its_transaction(browser: Browser, written: Written) -> None:
    document = document_of_facts(SETTLED)
    with visit(browser, written(document)) as seen:
        seen.page.locator("#bids tbody tr", has_text="owner 3").locator("a.tx").click()
        target = seen.page.locator("tr:target")
        (sent,) = (tx for tx in document.transactions if ("BidRevealed", document.owners[2].account) in
            [(log.event, log.account) for log in tx.logs])  # fmt: skip
        assert target.locator("td").first.inner_text() == sent.hash
        assert target.locator("td").nth(1).inner_text() == "revealBid"


def test_report__in_print__shows_what_is_folded_on_screen(browser: Browser, written: Written) -> None:
    with visit(browser, written(document_of_facts(SETTLED))) as seen:
        steps = seen.page.locator("details#owner-3 table")
        assert not steps.is_visible()
        seen.page.emulate_media(media="print")
        assert steps.evaluate("each => each.getBoundingClientRect().height > 50 && each.checkVisibility()")
        assert not seen.page.locator("nav").is_visible()
        assert len(seen.page.pdf()) > 10_000


def test_report__what_members_wrote__is_text_and_breaks_nothing(browser: Browser, written: Written) -> None:
    document = document_of_facts(SETTLED, labels=(HOSTILE, "مرحبا", "w" * 10_000_000))
    assert document.training is not None
    stations = [replace(each, account=f"{HOSTILE}{number}") for number, each in enumerate(document.base_stations)]
    hostile = replace(
        document,
        training=replace(document.training, model=HOSTILE, dataset="z\u0335" * 5_000_000),
        base_stations=tuple(stations),
        claimant=stations[2].account,
    )
    for size in (DESKTOP, PHONE):
        with visit(browser, written(hostile), size) as seen:
            assert seen.said == []
            assert seen.overflow == 0
            assert seen.page.locator("img").count() == 0
            assert "<script>alert('label')</script>" in seen.page.locator("#training").inner_text()
            assert "U+202E" in seen.page.locator("#training").inner_text()
            assert seen.page.locator("#check").is_visible()
