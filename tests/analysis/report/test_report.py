"""A report's words and figures are those of the reference, for every way in which a round can end."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.report.charts import flow_chart
from analysis.report.flow import HELD, KEPT, LOT, SINKS, SOURCES, flows_of, out_of_balance, through
from analysis.report.page import html
from analysis.report.reasons import Reasons, reasons_of
from analysis.report.sample import document_of_facts, random_round
from analysis.report.source import ReportError, Source, from_document
from analysis.report.story import story_of
from analysis.round_facts import Round
from fl.record.document import MemberEntry
from tests.analysis.report.test_words import HOSTILE, Read
from tests.analysis.round_strategies import rounds
from tests.fl.store.test_texts import STATIONS as TEXT
from tests.support.rounds import ENDS, SETTLED, status_of
from web.browser.opening import MODELS, MOST_BYTES, OWNERS, STATIONS


def source_of(round_: Round) -> Source:
    return from_document(document_of_facts(round_), Path("round.json"))


@given(rounds())
@settings(max_examples=60)
def test_flow__any_round__accounts_for_every_wei(round_: Round) -> None:
    source = source_of(round_)
    # The sample's range of θ ends a little below 1.
    assert [line for line in source.discrepancies if not line.startswith("theta")] == []
    members = reasons_of(source)
    flows = flows_of(source, members)
    assert out_of_balance(flows) == []
    locked = sum(member.lock for member in members)
    assert sum(through(flows, place) for place in SOURCES) == locked
    assert sum(through(flows, place) for place in SINKS) == locked
    assert through(flows, KEPT) == source.result.kept
    assert through(flows, LOT) == source.result.lot
    assert through(flows, HELD) == 0


@given(rounds(), st.data())
@settings(max_examples=60)
def test_flow__some_are_not_settled_yet__accounts_for_every_wei_and_is_drawn(
    round_: Round, data: st.DataObject
) -> None:
    whole = document_of_facts(round_)
    waiting = {each.account for each in whole.members if data.draw(st.booleans(), label=each.account)}

    def so_far(member: MemberEntry) -> MemberEntry:
        zeros = dict.fromkeys(("share", "tax", "reward", "forfeited", "slashed", "bonus", "payment"), 0)
        return replace(member, lot=0, **(zeros if member.account in waiting else {}))

    sent = tuple(
        replace(
            each, logs=tuple(log for log in each.logs if log.event != "MemberSettled" or log.account not in waiting)
        )
        for each in whole.transactions
    )
    owners, stations = (tuple(map(so_far, side)) for side in (whole.owners, whole.base_stations))
    document = replace(whole, owners=owners, base_stations=stations, transactions=sent)
    source = replace(source_of(round_), document=document, off_chain=False)
    assert source.unsettled == waiting
    members = reasons_of(source)
    flows = flows_of(source, members)
    assert out_of_balance(flows) == []
    locked = sum(member.lock for member in members)
    assert sum(through(flows, place) for place in SINKS) == locked
    flow_chart(flows)


@given(rounds())
@settings(max_examples=60)
def test_steps__any_round__come_to_the_tax_and_to_the_share(round_: Round) -> None:
    source = source_of(round_)
    settlement = source.result.settlement
    for member, tax, share in committed(source) if settlement else []:
        selected = [step for step in member.steps if "selected" in step.label]
        without = [step for step in member.steps if "without it" in step.label]
        assert member.pivotal == (tax > 0)
        if member.entry.claimant:
            assert (member.steps, tax) == ((), 0)
            continue
        have = selected[0].others if selected else 0
        most = without[0].others if without else 0
        assert tax == -(-(most - have) // 1), "rounded up"
        assert [step.model for step in without] == ([] if member.without is None else [member.without])
        assert [step.share if member.is_owner else -step.share for step in selected] == ([share] if selected else [])
        assert all(step.others == step.margin - step.own + step.share for step in member.steps if member.is_owner)
        assert all(step.others == step.margin + step.own - step.share for step in member.steps if not member.is_owner)
        assert all(step.margin == step.value - step.cost for step in member.steps)


def committed(source: Source) -> list[tuple[Reasons, int, int]]:
    settlement = source.result.settlement
    assert settlement is not None
    members = [member for member in reasons_of(source) if member.entry.committed]
    return list(zip(members, settlement.taxes, settlement.shares, strict=True))


@given(rounds())
@settings(max_examples=60)
def test_members__any_round__what_is_given_less_what_is_taken_is_the_change(round_: Round) -> None:
    for member in reasons_of(source_of(round_)):
        assert member.given - member.taken == member.change, member.name


@given(rounds())
@settings(max_examples=60)
def test_story__any_round__is_told(round_: Round) -> None:
    source = source_of(round_)
    told = " ".join(map(str, story_of(source, reasons_of(source))))
    assert "None " not in told.replace("None measured", "").replace("None upheld", "")
    for number, (owner, dues) in enumerate(zip(round_.owners, source.result.owners, strict=True), 1):
        if dues.slash and sum(bool(each.slash) for each in source.result.owners + source.result.stations) <= 4:
            assert f"wner {number} " in told, (owner, dues)


@pytest.mark.parametrize("end", ENDS)
def test_html__each_end__one_file_that_says_what_became_of_it(end: str) -> None:
    source = source_of(ENDS[end])
    page = html(source)
    status = status_of(end)
    assert f'<h1>Round 1 <span class="badge {status.replace(" ", "-")}">{status}</span></h1>' in page
    assert "agree with the reference to the wei" in page
    links = re.findall(r'(?:href|src|action|url\()="?([^"#)]*)', page)
    assert set(links) <= {""}, "all of it is in the file"
    targets = re.findall(r'href="#([^"]*)"', page)
    ids = re.findall(r' id="([^"]*)"', page)
    assert set(targets) <= set(ids), "a link that leads nowhere"
    assert len(ids) == len(set(ids))
    document = source.document
    assert {f"tx-{place}" for place in range(len(document.transactions))} <= set(ids)
    for transaction in document.transactions:
        assert transaction.hash in page


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("settled", "Owner 3 was pivotal: without it model 0 would have been selected, and for that it paid a Clarke"),
        ("settled", "base station 3 was drawn as claimant: it stood aside, without a say about the model, and"),
        ("a silent owner, a partial station", "Owner 2 never opened its bids, and lost 200 gwei"),
        ("a silent owner, a partial station", "base station 1 recorded 1 of 3 global rounds, and lost 133.33 gwei"),
        ("settled", "the owners paid 57 gwei in shares, and the base stations received 57 gwei in rewards"),
        ("settled", "Going by the bids that they opened, 3 of 5 members end below zero"),
        ("punished", "2 upheld the contributions that the winner had listed: they stand"),
        ("nobody recorded", "2 members were pivotal, but as no base station recorded anything, no tax is collected"),
        ("punished", "2 measured less than the claim allows: more than the threshold, so the winner lost its bond"),
        ("nothing trained", "Nothing was trained, because no model is worth more than it costs"),
        ("aborted", "The winner never reported, and the training was aborted: it loses its bond; 3 base stations had"),
        ("aborted", "so everything else is due as after a report"),
        ("aborted", "For this the owners paid"),
        ("cancelled: too few", "joined this round; 1 owner and 3 base stations sealed bids for 2 proposed models"),
        ("cancelled: too few", "it takes 2 owners and 3 base stations that seal bids, not 1 and 3"),
        ("cancelled: no live model", "no proposer of a model sealed a bid"),
        ("cancelled: not drawn", "nobody had the claimant drawn in time"),
        ("cancelled: not selected", "the selection was not called in time"),
        ("cancelled: no base station opened", "no base station opened its bids"),
    ],
)  # fmt: skip
def test_story__an_end__says_why(end: str, words: str) -> None:
    source = source_of(ENDS[end])
    assert words in " ".join(map(str, story_of(source, reasons_of(source))))


def test_story__what_is_told__stands_on_its_transactions() -> None:
    source = source_of(SETTLED)
    told = story_of(source, reasons_of(source))
    for words, event in [
        ("joined this round", ("RoundCreated", source.document.contract, None)),
        ("was drawn as claimant", ("ClaimantDrawn", None, None)),
        ("was selected because", ("ModelSelected", source.document.owners[1].account, 1)),
        ("was pivotal", ("MemberSettled", source.document.owners[2].account, None)),
        ("was trained for", ("ResultReported", source.document.owners[1].account, None)),
        ("are electors", ("Voted", source.document.owners[0].account, None)),
    ]:
        (paragraph,) = (each for each in told if words in each)
        assert f'href="#tx-{source.origins[event]}"' in paragraph, words


def test_html__one_amount_changed__is_shown_as_a_discrepancy() -> None:
    document = document_of_facts(SETTLED)
    owner = document.owners[2]
    changed = replace(document, owners=(*document.owners[:2], replace(owner, tax=owner.tax + 1)))
    page = html(from_document(changed, Path("round.json")))
    assert "owner 2 tax is 21250000001, the reference says 21250000000" in page
    assert "agree with the reference" not in page


def test_html__what_an_order_named__is_shown() -> None:
    document = document_of_facts(SETTLED)
    assert document.training is not None
    text = replace(TEXT, strategy="FedAdam(tau=0.01)", optimizer="AdamW", augment=True)
    page = html(from_document(replace(document, training=replace(document.training, text=text)), Path("round.json")))
    assert {"FedAdam(tau=0.01)", "AdamW", "True"} <= set(re.findall(r'<bdi class="said">([^<]*)</bdi>', page))
    assert "<dt>edge aggregations</dt>" in page and text.salt not in page


def test_html__what_members_wrote__is_text() -> None:
    document = document_of_facts(SETTLED, labels=(HOSTILE, "<img src=x onerror=alert(1)>", "x" * 10_000_000))
    assert document.training is not None
    said = HOSTILE.encode(errors="ignore").decode()  # what is no Unicode is no text
    text = replace(TEXT, rule=said, strategy=f"FedAdam(tau=0.01){said}")
    dataset = "'\"><svg onload=alert(1)>"
    training = replace(document.training, model=HOSTILE, dataset=dataset, initial_digest=HOSTILE, text=text)
    stations = [replace(station, account=f"{HOSTILE}{number}") for number, station in enumerate(document.base_stations)]
    hostile = replace(
        document,
        training=training,
        contract=HOSTILE,
        base_stations=tuple(stations),
        claimant=stations[2].account,
        transactions=tuple(replace(each, call=HOSTILE, sender=HOSTILE, hash=HOSTILE) for each in document.transactions),
    )
    source = from_document(hostile, Path(HOSTILE.replace("\0", "")))
    page = html(replace(source, called={member.account: HOSTILE for member in hostile.members}))
    assert len(page.encode()) < 500_000
    read = Read(page)
    assert read.tags.count("script") == 1
    assert "img" not in read.tags
    assert not re.search(r"<[^>]*\son\w+=", page)
    assert "\u202e" not in page


@pytest.mark.parametrize(
    ("field", "wrong"), [("theta_numerator", -1), ("selected", 7), ("bond", -1), ("claimant", "0x1")]
)
def test_html__a_round_that_contradicts_itself__is_refused_in_one_line(field: str, wrong: Any) -> None:
    broken = replace(document_of_facts(SETTLED), **{field: wrong})
    with pytest.raises(ReportError, match="contradicts itself"):
        html(from_document(broken, Path("round.json")))


def test_html__500_members_and_32_models__under_3_mb() -> None:
    source = source_of(random_round(OWNERS, STATIONS, MODELS))
    assert (OWNERS + STATIONS, MODELS) == (500, 32)
    page = html(source)
    assert len(page.encode()) < MOST_BYTES
    assert page.count('<details class="member"') == 500
