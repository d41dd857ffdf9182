"""What the members of one finished round gained and lost, and one of them worked out by hand, for the first page.

    ape run crowdfund_round --out /tmp/round
    python -m analysis.worked_example /tmp/round/round.json

keeps that round as `worked_example.json` and writes the part of README.md between the two marks. Without a path, the
part is written again from the round that is kept. The amounts are worked out by the formulas in the text, and refused
if the contract moved others.
"""

from __future__ import annotations

import json
import random
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.check_round import check
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, theta_numerator
from analysis.provenance import ROOT, write_document
from analysis.round_facts import Dues, Member, Round
from analysis.settlement import settle_round
from fl.crowdfunding.settings import RoundSettings
from fl.crowdfunding.valuations import draw, terms_of

ROUND = Path(__file__).with_suffix(".json")
PAGE = ROOT / "README.md"
MARKS = ("<!-- Written by `python -m analysis.worked_example`. -->\n", "<!-- End of what it writes. -->\n")
LABELS = tuple("0123456789")
ROUNDS = 1_000
THETA_BPS = (2_000, 6_000)  # as the clients choose it

Document = Mapping[str, Any]


def text(document: Document) -> str:
    """The part of the page.

    Args:
        document: a settled round under the equal policy, in which everybody bid the truth and did its duty.

    Raises:
        ValueError: it is not such a round, or not what the mechanism makes of its bids.
    """
    if found := check(document):
        raise ValueError("; ".join(found))
    if document["status"] != "settled" or document["policy"] != "equal":
        raise ValueError("the example is a settled round under the equal policy")
    return "\n".join([*_gains(document), "", *_one_owner(document), ""])


def _gains(document: Document) -> list[str]:
    rows, model, caps = [], document["selected"], document["caps"]
    for side, name, worth, sign, moved in (
        ("owners", "owner", "worth", 1, "pays"),
        ("base_stations", "base station", "costs", -1, "gets"),
    ):
        for number, member in enumerate(document[side], 1):
            sealed = member["bids"] is None  # the claimant's, for good: it ends with that less its cost
            bid, share = 0 if sealed else member["bids"][model], abs(int(member["share"]))
            net = sign * bid + (int(member["lot"]) - int(member["payment"])) / WEI_PER_GWEI
            ends = f"{net:+.2f}".replace("-", "−") + " less its cost" * sealed
            known = "sealed" if sealed else f"{worth} {bid}"
            cells = f"{known} | {moved} {_gwei(share)} | {_gwei(member['tax'])} | {_gwei(member['lot'])}"
            rows.append((net, f"| {name} {number} | {cells} | {ends} |"))
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
            "truthful, efficient and balanced can prevent that, but the loss is bounded. An owner that does its duty "
            f"pays at most twice the cap on its bids ({2 * caps['owner']} gwei here). A base station loses at most the "
            f"cap on its own ({caps['base_station']}). Whoever withholds its bids, never reports or is voted to have "
            f"claimed too much loses its bond ({int(document['bond']) // WEI_PER_GWEI}) as well, and of the global "
            "rounds that a base station misses each takes its part of it."
        ),
    ]


def _one_owner(document: Document) -> list[str]:
    """The owner with the largest tax."""
    number, owner = max(enumerate(document["owners"], 1), key=lambda pair: int(pair[1]["tax"]))
    n, stations = len(document["owners"]), len(document["base_stations"])
    theta, selected = _theta(document), document["selected"]
    lines, margins, shares, others = [], [], [], []
    for model, (sums, own) in enumerate(zip(document["models"], owner["bids"], strict=True)):
        value, claimed = (int(sums[key]) // WEI_PER_GWEI for key in ("value", "cost"))
        cost = claimed * stations / (stations - 1)
        margins.append(value - cost)
        shares.append((1 - theta) * cost / n + theta * (value - own) / (n - 1))
        others.append(margins[-1] - own + shares[-1])
        numbers = f"{value} | {cost:.2f} | {margins[-1]:.2f} | {own} | {shares[-1]:.2f} | {others[-1]:.2f}"
        lines.append(f"| {model}{', selected' * (model == selected)} | {numbers} |")
    value = int(document["models"][selected]["value"]) // WEI_PER_GWEI
    cost, own, share = value - margins[selected], owner["bids"][selected], shares[selected]
    most = max(0.0, *others)
    tax = most - others[selected]
    _agrees(share, owner["share"])
    _agrees(tax, owner["tax"])
    without = f"model {others.index(most)} would have been selected" if most else "nothing would have been trained"
    return [
        _wrapped(
            f"**Owner {number}, worked out.** One base station, drawn once the bids were sealed, stands aside: its "
            "cost is not looked at, but taken for the mean of the others', and it gets all taxes. So K̂ is the "
            f"others' costs times {stations}/{stations - 1}. Of the margin V − K̂, the owners' values less these "
            "costs, θ goes to the base stations: the owners pay "
            f"C = K̂ + θ (V − K̂) = {cost:.2f} + {theta:.4f} · {margins[selected]:.2f} = "
            f"{cost + theta * margins[selected]:.2f}. An owner's share leaves out its own claim v: c = (1 − θ) K̂ / "
            f"{n} + θ (V − v) / {n - 1}. What all others have of a model is A = V − K̂ − v + c."
        ),
        "",
        "| model | V | K̂ | margin V − K̂ | its claim v | its share c | what the others have, A |",
        "|---|---|---|---|---|---|---|",
        *lines,
        "",
        _wrapped(
            f"Model {selected} has the largest margin. Were it for the others alone, {without}: they would have "
            f"{most:.2f}, and of model {selected} they have {others[selected]:.2f}. The difference, {tax:.2f}, is the "
            f"Clarke tax of owner {number}. It ends with {own} − {share:.2f} − {tax:.2f} = {own - share - tax:.2f}. "
            f"That is the margin less the most that the others could have, {margins[selected]:.2f} − {most:.2f}. Its "
            "claim moves neither the true margins nor that most, only which model is selected, and the truth selects "
            "the largest true margin. So no lie gains; and as no tax comes back to whom it could tempt, none does by "
            "what others pay."
        ),
    ]


def below_zero(rounds: int = ROUNDS) -> tuple[float, float]:
    """The parts of truthful owners and base stations that end below zero, in rounds drawn as `make round` draws."""
    losses, members = [0, 0], [0, 0]
    for seed in range(rounds):
        drawn = _drawn(seed)
        result = settle_round(drawn)
        for side, (sign, seats, dues) in enumerate(
            ((1, drawn.owners, result.owners), (-1, drawn.stations, result.stations))
        ):
            nets = [_net(sign, seat, each, result.selected) for seat, each in zip(seats, dues, strict=True)]
            if side and drawn.claimant is not None:
                nets[drawn.claimant] += result.lot
            losses[side] += sum(net < 0 for net in nets)
            members[side] += len(nets)
    return losses[0] / members[0], losses[1] / members[1]


def _drawn(seed: int) -> Round:
    settings = RoundSettings(seed=seed)
    valuations, terms = draw(settings, LABELS), terms_of(settings, LABELS, 0, bytes(32))
    models = [valuations.targets(owner) for owner in range(settings.owners)]
    luck = random.Random(seed)
    u, claimant = luck.randrange(2**64), luck.randrange(settings.base_stations)
    return Round(
        owners=tuple(
            Member(tuple(sum(worth.get(y, 0) for y in model) for model in models)) for worth in valuations.values
        ),
        stations=tuple(
            Member(tuple(cost * len(model) for model in models), revealed=number != claimant, recorded=1)
            for number, cost in enumerate(valuations.costs)
        ),
        proposers=tuple(range(settings.owners)),
        claimant=claimant,
        theta_numerator=theta_numerator(*THETA_BPS, u, False),
        max_owner_bid=terms.max_owner_bid,
        max_station_bid=terms.max_base_bid,
        bond=terms.bond,
    )


def _net(sign: int, member: Member, dues: Dues, selected: int | None) -> int:
    """Wei, without the lot."""
    worth = 0 if selected is None else sign * member.bids[selected] * WEI_PER_GWEI
    return worth - dues.payment


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
    document = json.loads((Path(arguments[0]) if arguments else ROUND).read_text(encoding="utf-8"))
    PAGE.write_text(page_with(text(document), PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    write_document(ROUND, document)


if __name__ == "__main__":
    main(sys.argv[1:])
