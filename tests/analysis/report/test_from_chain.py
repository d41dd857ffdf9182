"""A report from the chain's logs alone is that of the document, but for what is nowhere on chain."""

import re
from dataclasses import replace

import pytest

from analysis.devnode.market import Market as Devnode
from analysis.devnode.rounds import CreateRound, LiveRound
from analysis.report.flow import AHEAD, HELD, flows_of, out_of_balance, through
from analysis.report.page import html
from analysis.report.reasons import reasons_of
from analysis.report.source import ReportError, Source, from_chain
from tests.support.client import client_of
from tests.support.play import play
from tests.support.rounds import ENDS, status_of


def settled(market: Devnode, end: str) -> LiveRound:
    """A round that ended so, with everybody settled and the lot claimed."""
    theta = (0, 0) if ENDS[end].owner_policy == "capability" else (5_000, 5_000)
    live = play(market, ENDS[end], theta, 5_000)
    live.settled()
    if live.lot:
        live.claim_lot().send()
    return live


def source_of(live: LiveRound) -> Source:
    return from_chain(client_of(live.market), live.id)


def test_from_chain__base_stations_settled_first__what_they_got_was_paid_ahead(create_round: CreateRound) -> None:
    live = create_round().voted()
    live.market.send_all([live.settle(seat) for seat in live.stations])
    source = source_of(live)
    flows = flows_of(source, reasons_of(source))
    assert out_of_balance(flows) == []
    assert through(flows, AHEAD) == sum(station.reward for station in source.document.base_stations) > 0
    page = html(source)
    assert AHEAD in page
    assert "members end below zero" not in page


@pytest.mark.parametrize("end", ENDS)
def test_from_chain__each_end__is_what_the_reference_says(market: Devnode, end: str) -> None:
    source = source_of(settled(market, end))
    assert source.discrepancies == ()
    assert (source.unsettled, source.unclaimed) == (frozenset(), 0)
    page = html(source)
    assert f'">{status_of(end)}</span></h1>' in page
    assert "agree with the reference to the wei" in page
    assert "not on chain" in page


def cells(page: str) -> list[str]:
    """The text of every cell and every figure in a list, in the order of the page."""
    found = re.findall(r"<(?:td|dd)[^>]*>(.*?)(?=</?(?:td|dd|tr))", page, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", "", cell).split()) for cell in found]


def test_html__from_the_document__differs_only_where_the_chain_does_not_know(create_round: CreateRound) -> None:
    live = create_round().voted()
    live.settled()
    live.claim_lot().send()
    source = source_of(live)
    document = source.document
    assert document.training is not None
    told = replace(
        document,
        models=tuple(replace(model, targets=("cat", "dog"), claimed_accuracy=0.91) for model in document.models),
        training=replace(
            document.training,
            dataset="digits",
            model="small-cnn",
            initial_digest="0x" + "12" * 32,
            final_accuracy=0.95,
            global_rounds=tuple(replace(each, accuracy=0.5, loss=0.25) for each in document.training.global_rounds),
        ),
    )
    known, chain = (cells(html(each)) for each in (replace(source, document=told, off_chain=True), source))
    assert len(known) == len(chain) > 100
    differ = [(there, here) for there, here in zip(known, chain, strict=True) if there != here]
    assert differ and {here for _, here in differ} == {"not on chain", "not in this round's logs"}
    assert {"cat dog", "91.00 %", "digits", "small-cnn", "95.00 %", "50.00 %", "0.2500"} <= {
        there for there, _ in differ
    }


def test_from_chain__some_settled__the_others_locks_are_held(create_round: CreateRound) -> None:
    live = create_round().voted()
    first = live.owners[0]
    live.settle(first).send()
    source = source_of(live)
    assert source.unsettled == {seat.account for seat in live.members if seat != first}
    members = reasons_of(source)
    held = sum(member.lock for member in members if member.entry.account != first.account)
    (share,) = (member.entry.share for member in members if member.entry.account == first.account)
    assert through(flows_of(source, members), HELD) == held + share, "its share is paid to nobody yet"
    page = html(source)
    assert "1 of 6 members are settled so far" in page
    assert page.count("not settled yet</td>") == 5
    assert "once all its members are settled" in page


def test_from_chain__a_round_that_could_not_be_held__needs_no_call_that_says_so(create_round: CreateRound) -> None:
    live = create_round().joined().wait_for("commit")
    source = source_of(live)
    assert source.document.status == "cancelled"
    assert "it takes 2 owners and 3 base stations that seal bids, not 0 and 0" in html(source)


@pytest.mark.parametrize(
    ("round_id", "words"), [(1, "is not over, this is its train phase"), (2, "there is no round 2")]
)
def test_from_chain__no_finished_round__is_refused_in_one_line(
    create_round: CreateRound, round_id: int, words: str
) -> None:
    live = create_round().selected()
    with pytest.raises(ReportError, match=words):
        from_chain(client_of(live.market), live.id - 1 + round_id)
