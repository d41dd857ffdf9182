"""What the members of one finished round gained and lost, and one of them worked out by hand, for the first page.

    ape run crowdfund_round --out /tmp/round
    python -m analysis.worked_example /tmp/round/round.json

keeps that round as `worked_example.json` and writes the part of README.md between the two marks. Without a path, the
part is written again from the round that is kept. The amounts are worked out by the formulas in the text, and refused
if the contract moved others.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.check_round import check
from analysis.mechanism import BASIS_POINTS, THETA_ONE, WEI_PER_GWEI
from analysis.provenance import ROOT, write_document
from analysis.round_facts import Dues, Member, Round
from analysis.settlement import settle_round
from fl.crowdfunding.settings import RoundSettings
from fl.crowdfunding.valuations import claimant_of, draw, terms_of
from fl.members.plan import by_label
from fl.store.texts import OwnersView

ROUND = Path(__file__).with_suffix(".json")
PAGE = ROOT / "README.md"
MARKS = ("<!-- Written by `python -m analysis.worked_example`. -->\n", "<!-- End of what it writes. -->\n")
LABELS = tuple("0123456789")
ROUNDS = 1_000

Document = Mapping[str, Any]


def text(document: Document) -> str:
    """The part of the page.

    Args:
        document: `make round`: settled, with equal policy, everybody bid the truth and did its duty.

    Raises:
        ValueError: it is not such a round, or not what the mechanism makes of its bids.
    """
    if found := check(document):
        raise ValueError("; ".join(found))
    if document["status"] != "settled" or document["policy"] != "equal" or document["contribution_stake"]:
        raise ValueError("the example is a settled round with the equal policy, without stakes")
    return "\n".join([*_gains(document), "", *_one_owner(document), ""])


def _truth(document: Document, side: str) -> list[int]:
    """What the selected model is worth to each member of a side, or costs it, gwei; of the claimant, too.

    Raises:
        ValueError: it is not the round that the default settings play, or somebody lied.
    """
    settings, model = RoundSettings(), document["models"][document["selected"]]
    valuations = draw(settings, LABELS)
    if side == "owners":
        view = OwnersView(round(model["claimed_accuracy"] * BASIS_POINTS), tuple(model["targets"]))
        worths = [by_label(values)(view) for values in valuations.values]
    else:
        worths = [cost * len(model["targets"]) for cost in valuations.costs]
    for worth, member in zip(worths, document[side], strict=True):
        if member["bids"] is not None and member["bids"][document["selected"]] != worth:
            raise ValueError(f"{member['account']} did not bid the {worth} gwei that the default settings draw")
    return worths


def _gains(document: Document) -> list[str]:
    rows, caps, model = [], document["caps"], document["selected"]
    for side, name, worth, sign, moved in (
        ("owners", "owner", "worth", 1, "pays"),
        ("base_stations", "base station", "costs", -1, "gets"),
    ):
        for number, (member, truth) in enumerate(zip(document[side], _truth(document, side), strict=True), 1):
            share, tax, lot = (abs(int(member[key])) for key in ("share", "tax", "lot"))
            net = (sign * truth * WEI_PER_GWEI + lot - int(member["payment"])) / WEI_PER_GWEI
            ends = f"{net:+.2f}".replace("-", "−")
            who = f"{name} {number}" + ", claimant" * member["claimant"]
            numbers = f"{worth} {truth} | {moved} {_gwei(share)} | {_gwei(tax)} | {_gwei(lot)}"
            rows.append((net, f"| {who} | {numbers} | {ends} |"))
    losers = sum(net < 0 for net, _ in rows)
    owners, stations = (f"{share:.0%}".replace("%", "\N{NO-BREAK SPACE}%") for share in below_zero())
    return [
        f"`make round`, everybody truthful, in gwei; model {model} is selected, θ = {_theta(document):.4f}:",
        "",
        "| member | the model | share or reward | Clarke tax | lot | ends with |",
        "|---|---|---|---|---|---|",
        *(row for _, row in rows),
        "",
        _wrapped(
            f"{losers} of these {len(rows)} members told the truth and end below zero; in {ROUNDS:,} other draws of "
            f"such a round, {owners} of the owners and {stations} of the base stations do. No mechanism that is "
            "truthful, efficient and balanced can prevent that, but the loss is bounded, and every client says how far "
            "before it joins. An owner that does its duty loses at most twice the cap on its bids "
            f"({2 * caps['owner']} gwei here). A base station loses at most the cap on its own "
            f"({caps['base_station']}), and its stake where a round asks for one. Whoever withholds its bids, stays "
            "away from the training, never reports, or has the electors' verdict against it (a winner that claimed too "
            "much, a base station that gave nothing) loses its bond "
            f"({int(document['bond']) // WEI_PER_GWEI}) as well. Nobody is paid what is taken from another."
        ),
    ]


def _one_owner(document: Document) -> list[str]:
    """The owner with the largest tax."""
    number, owner = max(enumerate(document["owners"], 1), key=lambda pair: int(pair[1]["tax"]))
    n, stations = len(document["owners"]), len(document["base_stations"])
    theta, selected = _theta(document), document["selected"]
    aside = next(number for number, member in enumerate(document["base_stations"], 1) if member["claimant"])
    lines, shares, others, margins = [], [], [], []
    for model, (sums, own) in enumerate(zip(document["models"], owner["bids"], strict=True)):
        value, opened = (int(sums[key]) // WEI_PER_GWEI for key in ("value", "cost"))
        cost = opened * stations / (stations - 1)
        margins.append(value - cost)
        shares.append((1 - theta) * cost / n + theta * (value - own) / (n - 1))
        others.append(margins[-1] - own + shares[-1])
        numbers = f"{value} | {_plain(cost)} | {_plain(margins[-1])} | {own} | {shares[-1]:.2f} | {_signed(others[-1])}"
        lines.append(f"| {model}{', selected' * (model == selected)} | {numbers} |")
    value, opened = (int(document["models"][selected][key]) // WEI_PER_GWEI for key in ("value", "cost"))
    cost, margin = opened * stations / (stations - 1), margins[selected]
    own, share, most = owner["bids"][selected], shares[selected], max(0.0, *others)
    tax = most - others[selected]
    _agrees(share, owner["share"])
    _agrees(tax, owner["tax"])
    _agrees(margin, document["models"][selected]["margin"])
    without = f"model {others.index(most)} would have been selected" if most else "nothing would have been trained"
    return [
        _wrapped(
            f"**Owner {number}, worked out.** Base station {aside} is the claimant: it was drawn when all bids were "
            "sealed, its own is never opened, and it receives all taxes, the lot. The others' costs for model "
            f"{selected} add up to {opened}; the cost of all {stations} is estimated as K = {opened} · {stations}/"
            f"{stations - 1} = {_plain(cost)}. Of the margin V − K, the owners' values less that cost, θ goes to the "
            f"base stations: the owners pay C = K + θ (V − K) = {_plain(cost)} + {theta:.4f} · {_plain(margin)} = "
            f"{cost + theta * margin:.2f}. An owner's share leaves out its own claim v: c = (1 − θ) K / {n} + θ (V − "
            f"v) / {n - 1}. What all others have of a model is A = V − K − v + c."
        ),
        "",
        "| model | V | K | margin V − K | its claim v | its share c | what the others have, A |",
        "|---|---|---|---|---|---|---|",
        *lines,
        "",
        _wrapped(
            f"Model {selected} has the largest margin. Were it for the others alone, {without}: they would have "
            f"{most:.2f}, and of model {selected} they have {others[selected]:.2f}. The difference, {tax:.2f}, is the "
            f"Clarke tax of owner {number}. It ends with {own} − {share:.2f} − {tax:.2f} = {own - share - tax:.2f}. "
            f"That is the margin less the most that the others could have, {_plain(margin)} − {most:.2f}. Its claim "
            "moves neither that most nor the margin at its true value, only which model is selected, and the truth "
            "selects the largest such margin. Nothing of the tax comes back to it. So no lie gains."
        ),
    ]


def below_zero(rounds: int = ROUNDS) -> tuple[float, float]:
    """The parts of truthful owners and base stations that end below zero, in rounds drawn as `make round` draws."""
    losses, members = [0, 0], [0, 0]
    for seed in range(rounds):
        round_, costs = _drawn(seed)
        result = settle_round(round_)
        values = [owner.bids for owner in round_.owners]
        for side, (sign, truths, dues) in enumerate(((1, values, result.owners), (-1, costs, result.stations))):
            nets = [_net(sign, truth, each, result.selected) for truth, each in zip(truths, dues, strict=True)]
            if side == 1 and round_.claimant is not None:
                nets[round_.claimant] += result.lot
            losses[side] += sum(net < 0 for net in nets)
            members[side] += len(nets)
    return losses[0] / members[0], losses[1] / members[1]


def _drawn(seed: int) -> tuple[Round, list[tuple[int, ...]]]:
    """A round of truthful members that do their duty, and what each model costs each base station, gwei."""
    settings = RoundSettings(seed=seed)
    valuations, terms, claimant = draw(settings, LABELS), terms_of(settings, LABELS, 0), claimant_of(settings)
    models = [valuations.targets(owner) for owner in range(settings.owners)]
    views = [OwnersView(settings.claimed_accuracy_bps, model) for model in models]
    costs = [tuple(cost * len(model) for model in models) for cost in valuations.costs]
    round_ = Round(
        owners=tuple(Member(tuple(by_label(values)(view) for view in views)) for values in valuations.values),
        stations=tuple(Member(bids, revealed=number != claimant, recorded=1) for number, bids in enumerate(costs)),
        proposers=tuple(range(settings.owners)),
        claimant=claimant,
        theta_numerator=terms.surplus_bps[0] * THETA_ONE // BASIS_POINTS,
        max_owner_bid=terms.max_owner_bid,
        max_station_bid=terms.max_station_bid,
        bond=terms.bond,
    )
    return round_, costs


def _net(sign: int, truth: Sequence[int], dues: Dues, selected: int | None) -> int:
    """Wei, without the lot."""
    worth = 0 if selected is None else sign * truth[selected] * WEI_PER_GWEI
    return worth - dues.payment


def _signed(gwei: float) -> str:
    return f"{gwei:.2f}".replace("-", "−")


def _plain(gwei: float) -> str:
    """Without decimals where there are none."""
    return _signed(gwei).removesuffix(".00")


def _theta(document: Document) -> float:
    return int(document["theta_numerator"]) / THETA_ONE


def _gwei(wei: int | str) -> str:
    return f"{int(wei) / WEI_PER_GWEI:.2f}" if int(wei) else "0"


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False)


def _agrees(gwei: float, wei: int | str) -> None:
    if abs(gwei - int(wei) / WEI_PER_GWEI) > 1e-6:
        raise ValueError(f"{gwei} gwei by the formula, but the contract moved {wei} wei")


def page_with(part: str, page: str) -> str:
    """The page with that part between its marks."""
    before, rest = page.split(MARKS[0])
    return before + MARKS[0] + part + MARKS[1] + rest.split(MARKS[1])[1]


def main(arguments: Sequence[str]) -> None:
    """Take over another round if it is given, and write the page."""
    path = Path(arguments[0]) if arguments else ROUND
    if not path.is_file():
        sys.exit(f"{path} is no file: name a round.json, or nothing")
    document = json.loads(path.read_text(encoding="utf-8"))
    PAGE.write_text(page_with(text(document), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    write_document(ROUND, document)


if __name__ == "__main__":
    main(sys.argv[1:])
