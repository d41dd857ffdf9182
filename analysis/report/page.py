"""The report as one HTML file: its templates, style sheet and script lie in `web/`, and are put into the file."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import jinja2
from markupsafe import Markup

from analysis.provenance import ROOT
from analysis.report import charts, words
from analysis.report.flow import PLACES, flows_of, out_of_balance, through
from analysis.report.reasons import reasons_of
from analysis.report.source import Source
from analysis.report.story import story_of
from fl.atomic import write_atomically
from fl.market.events import Transaction
from fl.market.words import gwei, short_gwei
from fl.record.document import RoundDocument

WEB = ROOT / "web"
PAGE = "report.html"

PHASES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("create", "", ("RoundCreated",)),
    ("join", "join", ("Joined", "ModelProposed")),
    ("commit", "commit", ("BidCommitted",)),
    ("draw", "draw", ("ClaimantDrawn",)),
    ("reveal", "reveal", ("BidRevealed",)),
    ("select", "select", ("ModelSelected", "NothingSelected", "RoundCancelled")),
    ("train", "train", ("GlobalRoundRecorded", "UpdateRecorded")),
    ("report", "report", ("ContributionReported", "ResultReported", "TrainingAborted")),
    ("vote", "vote", ("Voted",)),
    ("settle", "", ("MemberSettled", "LotClaimed")),
)
"""Name, deadline, and the logs that its calls leave."""


@dataclass(frozen=True)
class PhaseRow:
    """What happened in a phase: how many logs, and the first and last transaction's place."""

    name: str
    closes: int | None
    logs: int
    first: int | None
    last: int | None


@dataclass(frozen=True)
class CallRow:
    """What a call cost over the round: gas of one, fees of all (wei), and which took the most (its place)."""

    call: str
    count: int
    least: int
    middle: int
    most: int
    gas: int
    fee: int
    dearest: int


def environment() -> jinja2.Environment:
    """Templates that escape whatever they are given, and what they may use."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "gwei": gwei,
        "short_gwei": short_gwei,
        "signed": words.signed,
        "about": words.about,
        "column": words.column,
        "rough": words.rough,
        "percent": words.percent,
        "moment": words.moment,
        "shown": words.shown,
        "short_hash": words.short_hash,
        "short_text": words.short_text,
        "whole_hash": words.whole_hash,
        "counted": words.counted,
    }
    return made


def context(source: Source, live: bool = False) -> dict[str, Any]:
    """What the template of a report is given; `live`: in place of a page that names the round already."""
    document, members = source.document, reasons_of(source)
    flows = flows_of(source, members)
    return {
        "source": source,
        "live": live,
        "document": document,
        "status": source.result.status,
        "selected": source.result.selected,
        "theta": document.theta_numerator / 2**64,
        "members": members,
        "names": words.names_of(document),
        "called": defaultdict(str, source.called),
        "story": story_of(source, members),
        "phases": _phases(document),
        "calls": _calls(document.transactions),
        "flows": flows,
        "places": [[(place, wei) for place in places if (wei := through(flows, place))] for places in PLACES],
        "out_of_balance": out_of_balance(flows),
        "flow_chart": charts.flow_chart(flows),
        "accuracy_chart": charts.accuracy_chart(document, source.off_chain),
        "contributions_chart": charts.contributions_chart(document),
        "glance": _glance(source),
        "origin": source.link,
        "tx": source.link_to,
        "created": source.first("RoundCreated"),
        "settlements": _settlements(source),
    }


def html(source: Source) -> str:
    """The whole page, with nothing outside it.

    Raises:
        ReportError: the round contradicts itself.
    """
    style, script = (_compact((WEB / "static" / name).read_text("utf-8")) for name in ("style.css", "tables.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    made = environment().get_template(PAGE)
    text = made.render(**context(source), style=Markup(style), script=Markup(script), script_hash=digest)
    return _compact(text)


def _compact(text: str) -> str:
    return re.sub(r"\n\s*\n", "\n", text)


def write(source: Source, path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        ReportError: the round contradicts itself.
    """
    write_atomically(path, html(source).encode())


def _phases(document: RoundDocument) -> list[PhaseRow]:
    places: dict[str, list[int]] = defaultdict(list)
    for place, transaction in enumerate(document.transactions):
        for log in transaction.logs:
            places[log.event].append(place)
    rows = []
    for name, deadline, events in PHASES:
        found = sorted(place for event in events for place in places[event])
        rows.append(
            PhaseRow(
                name=name,
                closes=getattr(document.deadlines, deadline) if deadline else None,
                logs=len(found),
                first=found[0] if found else None,
                last=found[-1] if found else None,
            )
        )
    return rows


def _calls(transactions: tuple[Transaction, ...]) -> list[CallRow]:
    by_call: dict[str, list[int]] = defaultdict(list)
    for place, transaction in enumerate(transactions):
        by_call[transaction.call or "through another contract"].append(place)
    rows = []
    for call, places in by_call.items():
        gas = [transactions[place].gas_used for place in places]
        fees = sum(transactions[place].fee for place in places)
        dearest = max(places, key=lambda place: transactions[place].gas_used)
        rows.append(CallRow(call, len(places), min(gas), round(median(gas)), max(gas), sum(gas), fees, dearest))
    return rows


def _glance(source: Source) -> list[tuple[str, str, str]]:
    """What a reader wants to know first: the part of the page that has it, its name, and the figure."""
    document, selected = source.document, source.result.selected
    members = document.members
    found = [("models", "trained" if source.result.status == "settled" else "selected", f"model {selected}")]
    found = [] if selected is None else found
    owners = sum(owner.share for owner in document.owners)
    stations = sum(station.reward for station in document.base_stations)
    taxes = sum(member.tax for member in members)
    bonds = sum(member.slashed for member in members)
    for name, wei in (("owners paid", owners), ("base stations received", stations), ("Clarke taxes", taxes)):
        if selected is not None or wei:
            found.append(("flow", name, words.rough(wei)))
    if bonds:
        found.append(("flow", "bonds lost", words.rough(bonds)))
    if document.training is not None and source.result.status == "settled":
        found.append(("training", "accuracy claimed", words.percent(document.training.claimed_accuracy)))
        measured = [vote.measured_accuracy for vote in document.votes]
        if measured:
            found.append(("votes", "measured (median)", words.percent(median(measured))))
    found.append(("gas", "fees for gas", words.rough(sum(each.fee for each in document.transactions))))
    return found


def _settlements(source: Source) -> list[int]:
    """The transactions that settled members, by their place."""
    return sorted({place for (event, _, _), place in source.origins.items() if event == "MemberSettled"})
