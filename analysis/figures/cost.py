"""What a round costs, in gas and in money, from a handful of members to thousands."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import NullFormatter

from analysis.benchmarks.contract.round_gas import RoundGas, play
from analysis.devnode.chain import TRANSACTION_GAS
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.plot import SERIES, finish, panels, plain_numbers, style

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

SIZES = (8, 20, 60, 200, 600, 2_000)
QUICK_SIZES = (8, 20, 100)
GAS_PRICES = (0.1, 1, 10, 50)
"""Gwei. The first is a quiet main network or a busy rollup's, the last the main network when it is crowded."""
DOLLARS_AN_ETHER = 3_000
"""An assumption, not a measurement: every amount in dollars is proportional to it."""

STEPS: Mapping[str, tuple[str, ...]] = {
    "join, propose": ("join", "propose"),
    "commit": ("commitBid",),
    "reveal": ("revealBid",),
    "record updates": ("recordUpdate",),
    "vote": ("vote",),
    "settle, in batches of 50": ("settleMany",),
    "create, draw, select, report, lot": (
        "createRound",
        "drawClaimant",
        "selectModel",
        "recordGlobalRound",
        "reportResult",
        "claimLot",
    ),
}

SHADES = (
    ("0.35", ""),
    ("0.9", ""),
    ("0.6", ""),
    ("1.0", "///"),
    ("0.8", ""),
    ("#9ecae1", ""),
    ("0.2", ""),
)
"""A fill for each step: neighbours differ without colour too."""


def measure(request: Request) -> Data:
    """Play whole rounds on a node with the main network's limit on transactions.

    Raises:
        FigureError: the node does not start.
    """
    sizes = []
    with own_market() as market:
        for members in QUICK_SIZES if request.quick else SIZES:
            request.say(f"a round of {members:,} members")
            sizes.append(_size(play(market, members)))
    return {
        "settings": {
            "policy": "equal, no stake, membership proofs of depth 11, every account new",
            "gas_prices_gwei": list(GAS_PRICES),
            "dollars_an_ether": DOLLARS_AN_ETHER,
        },
        "sizes": sizes,
    }


def _size(spent: RoundGas) -> dict[str, Any]:
    steps = {
        step: sum(tally.gas for case, tally in spent.tallies.items() if case.call in calls)
        for step, calls in STEPS.items()
    }
    if sum(steps.values()) != spent.gas:
        raise ValueError(f"a call belongs to no step: {sorted({case.call for case in spent.tallies})}")
    return {
        "members": spent.members,
        "models": spent.models,
        "transactions": spent.transactions,
        "gas": spent.gas,
        "largest_transaction": spent.largest,
        "by_step": steps,
    }


def dollars(gas: float, gwei: float, data: Data) -> float:
    """What gas costs at a price, at the assumed price of an ether."""
    return float(gas * gwei * 1e-9 * data["settings"]["dollars_an_ether"])


def per_member(size: Data) -> float:
    """Gas."""
    return float(size["gas"] / size["members"])


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    sizes = data["sizes"]
    ten = [size for size in sizes if size["models"] == 10]
    small, large = ten[0], ten[-1]
    cheap, dear = (dollars(per_member(large), gwei, data) for gwei in (min(GAS_PRICES), max(GAS_PRICES)))
    largest = max(size["largest_transaction"] for size in sizes)
    return [
        Claim(
            "with ten models a member never costs more in a larger round: "
            f"{per_member(small):,.0f} gas of {small['members']}, {per_member(large):,.0f} of {large['members']:,}",
            all(per_member(b) <= per_member(a) for a, b in pairwise(ten)) and len(ten) > 1,
        ),
        Claim(
            f"no transaction takes more than {largest:,} gas, an eighth of what one may take",
            largest <= TRANSACTION_GAS / 8,
        ),
        Claim(
            f"a member of {large['members']:,} costs ${cheap:.2f} at {min(GAS_PRICES)} gwei and ${dear:.0f} at "
            f"{max(GAS_PRICES)}, if an ether is worth ${data['settings']['dollars_an_ether']:,}",
            0 < cheap < 0.10 and 30 < dear < 40,
        ),
        Claim(
            "joining and revealing are the dearest steps at every size with ten models",
            all(
                set(sorted(size["by_step"], key=size["by_step"].get)[-2:]) == {"join, propose", "reveal"}
                for size in ten
            ),
        ),
    ]


# ── the drawing ──


def draw(data: Data) -> Drawing:
    """Money by the number of members at several gas prices; gas of a member by step."""
    drawing, (left, right) = panels(2, height=3.9, width=10.0)
    with style():
        _money(left, data)
        _steps(right, data)
    return drawing


def _money(axes: Axes, data: Data) -> None:
    sizes = data["sizes"]
    members = [size["members"] for size in sizes]
    for gwei, series in zip(reversed(GAS_PRICES), SERIES, strict=False):
        axes.plot(members, [dollars(size["gas"], gwei, data) for size in sizes], label=f"{gwei:g} gwei", **series)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(members)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(plain_numbers())
        axis.set_minor_formatter(NullFormatter())
    an_ether = data["settings"]["dollars_an_ether"]
    ether = axes.secondary_yaxis("right", functions=(lambda money: money / an_ether, lambda ether: ether * an_ether))
    ether.set_ylabel("ether")
    ether.yaxis.set_major_formatter(plain_numbers())
    finish(axes, "A whole round", "members (half owners, half base stations)", f"dollars, at ${an_ether:,} an ether")
    axes.legend(frameon=False, title="a unit of gas costs", title_fontsize=8)


def _steps(axes: Axes, data: Data) -> None:
    sizes = data["sizes"]
    bottom = [0.0] * len(sizes)
    for step, (shade, hatch) in zip(STEPS, SHADES, strict=True):
        heights = [size["by_step"][step] / size["members"] / 1e3 for size in sizes]
        axes.bar(
            range(len(sizes)),
            heights,
            bottom=bottom,
            width=0.7,
            label=step,
            color=shade,
            hatch=hatch,
            edgecolor="0.1",
            linewidth=0.6,
        )
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set_xticks(range(len(sizes)), [f"{size['members']:,}" for size in sizes])
    finish(axes, "Gas of a member, by step", "members", "thousand gas a member", legend=False)
    axes.grid(visible=False, axis="x")
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, bbox_to_anchor=(1.0, 1.0), loc="upper left")


FIGURE = Figure("cost", "what a round costs, in gas and in money", measure, draw, claims)
