"""The paper's figure 6: transactions in a block by the rate at which crowdfunding tasks come in, to saturation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from analysis.benchmarks.contract.load import LoadError
from analysis.devnode.anvil import UNLIMITED
from analysis.figures.figure import Claim, Data, Figure, FigureError, Request
from analysis.figures.market import own_market
from analysis.figures.network import Network, Served, serve, serve_on_clock
from analysis.figures.task_stream import MEMBERS_A_SIDE, MODELS, Stream, prepare
from analysis.plot import SERIES, finish, panels, plain_numbers, style

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from analysis.devnode.chain import Chain

# The paper names neither. A private chain of its year, by geth's proof of authority: the 15 s between blocks that
# EIP-225 suggests, and the 8M gas that geth aimed at by itself until April 2022 (go-ethereum #24680).
PRIVATE = Network("private chain: 15 s, 8M gas", 15, 8_000_000)
# Ethereum's main network: a slot every 12 s, 60M gas (EIP-7935); a transaction takes at most 2^24 (EIP-7825).
MAIN = Network("main network: 12 s, 60M gas", 12, 60_000_000)
NETWORKS = (PRIVATE, MAIN)
PAPER_SATURATION = 2.0
"""Transactions a second, where the paper's chain is full."""

# Offered, as a part of what a network's gas allows; how many tasks are ready to be sent; blocks for each rate.
LOADS, TASKS, MOST_BLOCKS = (0.125, 0.25, 0.5, 0.75, 0.9, 1.1, 1.35, 1.65, 2.0), 60, 12
QUICK_LOADS, QUICK_TASKS, QUICK_MOST_BLOCKS = (0.25, 0.5, 0.9, 1.2, 1.5), 26, 6
ON_CLOCK = 1.5  # likewise, once more in real time


def measure(request: Request) -> Data:
    """Offer the same stream of tasks to each network at every rate.

    Raises:
        FigureError: the node does not start, or does not take a transaction.
    """
    loads, tasks, most = (QUICK_LOADS, QUICK_TASKS, QUICK_MOST_BLOCKS) if request.quick else (LOADS, TASKS, MOST_BLOCKS)
    with own_market(limited=False) as market:
        request.say(f"playing and signing {tasks} tasks")
        stream = prepare(market, tasks)
        try:
            networks = [_on(market.chain, network, stream, loads, most, request) for network in NETWORKS]
            request.say("a block without limits")
            everything = len(stream.raw)
            unlimited = serve(market.chain, Network("no limits", 1, UNLIMITED), stream, everything, 1)
        except LoadError as error:
            raise FigureError(str(error)) from None
    return {
        "settings": {
            "members": 2 * MEMBERS_A_SIDE,
            "models": MODELS,
            "tasks": tasks,
            "policy": "equal, proofs of depth 11",
        },
        "task": {"transactions": stream.each, "gas": stream.gas},
        "networks": networks,
        "client": {"transactions_a_second": round(1 / stream.sign_seconds)},
        "unlimited": unlimited.as_json(),
    }


def _on(
    chain: Chain, network: Network, stream: Stream, loads: Sequence[float], most: int, request: Request
) -> dict[str, Any]:
    """One network's part of the data."""
    capacity = network.capacity(stream)

    def blocks(offered: float) -> int:
        return min(most, int(len(stream.raw) / (offered * network.block_seconds)))

    def rates() -> Iterator[Served]:
        for load in loads:
            offered = load * capacity
            request.say(f"{network.name}: {offered:.1f} transactions a second")
            yield serve(chain, network, stream, offered, blocks(offered))

    stepped = [served.as_json() for served in rates()]
    offered = ON_CLOCK * capacity
    number = min(2 if request.quick else 4, blocks(offered))
    request.say(f"{network.name}: the same by the clock, {number * network.block_seconds} s")
    return {
        "name": network.name,
        "block_seconds": network.block_seconds,
        "block_gas": network.block_gas,
        "rates": stepped,
        "on_clock": serve_on_clock(chain, network, stream, offered, number).as_json(),
    }


# ── what the data say ──


def in_a_block(served: Data) -> float:
    """Transactions in a block, on average."""
    return float(sum(block[0] for block in served["blocks"]) / len(served["blocks"]))


def fill(served: Data, network: Data) -> float:
    """What part of the blocks' gas was used."""
    return float(sum(block[1] for block in served["blocks"]) / len(served["blocks"]) / network["block_gas"])


def is_saturated(served: Data) -> bool:
    """Whether more came in than the blocks took: at the end a fiftieth of it or more is waiting."""
    mined = sum(block[0] for block in served["blocks"])
    waiting = served["blocks"][-1][2]
    return bool(waiting > 0.02 * (mined + waiting))


def saturation(network: Data) -> float:
    """Transactions a second that the network takes when more is waiting.

    The mean over all rates that saturate it; 0 if none does.
    """
    full = [served for served in network["rates"] if is_saturated(served)]
    if not full:
        return 0.0
    return float(sum(map(in_a_block, full)) / len(full) / network["block_seconds"])


def busy(served: Data, network: Data) -> float:
    """What part of the time between two blocks the node was busy with what came in."""
    seconds = served["accept_seconds"] + served["mine_seconds"]
    return float(seconds / len(served["blocks"]) / network["block_seconds"])


def fastest(data: Data, doing: str) -> float:
    """Transactions a second that the node accepts ("accept_seconds") or mines ("mine_seconds") at its best.

    Of all that was measured the fastest counts: whatever else the machine had to do can only have made it slower.
    """
    measured = [data["unlimited"], *(served for network in data["networks"] for served in network["rates"])]
    return max(float(sum(block[0] for block in served["blocks"]) / served[doing]) for served in measured)


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    found = [claim for network in data["networks"] for claim in _claims_of(network, data)]
    private = data["networks"][0]
    times = saturation(private) / PAPER_SATURATION
    return [*found, Claim(f"the private chain takes {times:.1f} times the paper's 2 a second", times > 1)]


def _claims_of(network: Data, data: Data) -> list[Claim]:
    """Of one network. Rates are as parts of what fills its blocks by gas."""
    name, rates, clock = network["name"], network["rates"], network["on_clock"]
    full = [served for served in rates if is_saturated(served)]
    if not full:
        return [Claim(f"{name}: there is a rate that fills it", False)]
    by_gas = network["block_gas"] / network["block_seconds"] * data["task"]["transactions"] / data["task"]["gas"]
    below = [served for served in rates if served["offered"] < 0.95 * by_gas]
    highest = max(rates, key=lambda served: float(served["offered"]))
    in_full = [in_a_block(served) for served in full]
    least = min(fill(served, network) for served in full)
    idle = 1 - busy(highest, network)
    signs = data["client"]["transactions_a_second"]
    return [
        Claim(
            f"{name}: up to nine tenths of what its gas allows, every transaction is in the next block",
            max((served["offered"] for served in below), default=0) > 0.85 * by_gas
            and not any(waiting for served in below for _, _, waiting in served["blocks"]),
        ),
        Claim(
            f"{name}: from there on a block takes no more, whatever is offered",
            len(full) > 1 and max(in_full) < 1.06 * min(in_full) and highest["offered"] > 1.3 * saturation(network),
        ),
        Claim(f"{name}: gas is the limit: full blocks use {least:.1%} of it", least > 0.97),
        Claim(f"{name}: the node is not: at the highest rate it is idle {idle:.0%} of the time", idle > 0.5),
        Claim(
            f"{name}: nor is the client: one core signs {signs:,} a second",
            signs > 2 * highest["offered"],
        ),
        Claim(
            f"{name}: by the clock a block takes the same",
            abs(in_a_block(clock) / network["block_seconds"] / saturation(network) - 1) < 0.06
            and fill(clock, network) > 0.97,
        ),
    ]


# ── the drawing ──


def draw(data: Data) -> Drawing:
    """Transactions in a block by the rate, on each network, and what each part of the system could take."""
    drawing, axes = panels(3, width=11.0)
    with style():
        for place, (network, series) in enumerate(zip(data["networks"], SERIES, strict=False)):
            _blocks(axes[place], data, network, series)
        private = axes[0]
        private.axvline(PAPER_SATURATION, color="0.35", linewidth=0.9, linestyle="-.")
        private.annotate(
            "the paper's chain\nis full here",
            (PAPER_SATURATION, private.get_ylim()[1]),
            (4, -4),
            textcoords="offset points",
            va="top",
            fontsize=8,
        )
        _limits(axes[2], data)
    return drawing


def _blocks(axes: Axes, data: Data, network: Data, series: Mapping[str, Any]) -> None:
    rates, clock, seconds = network["rates"], network["on_clock"], network["block_seconds"]
    offered, highest = [served["offered"] for served in rates], rates[-1]
    full = in_a_block(highest)
    axes.plot([0, 1.25 * full / seconds], [0, 1.25 * full], color="0.6", linewidth=0.9, label="all that comes in")
    axes.plot(offered, [in_a_block(served) for served in rates], label="mined, as fast as the node can", **series)
    axes.plot(
        clock["offered"], in_a_block(clock), "+", color="black", markersize=11, zorder=5, label="mined by the clock"
    )
    axes.annotate(
        f"{full:,.0f} a block,\n{fill(highest, network):.1%} of its gas",
        (highest["offered"], full),
        (0, -8),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
    )
    axes.set_xlim(0, 1.05 * highest["offered"])
    axes.set_ylim(0, 1.3 * full)
    each = data["task"]["transactions"]
    to_tasks, to_transactions = (lambda rate: rate * (60 / each)), (lambda rate: rate * (each / 60))
    tasks = axes.secondary_xaxis("top", functions=(to_tasks, to_transactions))
    tasks.set_xlabel(f"tasks a minute ({data['settings']['members']} members, {each} transactions each)", fontsize=8)
    finish(
        axes,
        network["name"][0].upper() + network["name"][1:],
        "transactions generated a second",
        "transactions in a block",
    )
    axes.legend(frameon=False, loc="lower right")


def _limits(axes: Axes, data: Data) -> None:
    bars = [
        *((network["name"].replace(": ", "\n"), saturation(network), "//") for network in data["networks"]),
        ("client\nsigns, one core", data["client"]["transactions_a_second"], ""),
        ("node\naccepts", fastest(data, "accept_seconds"), ""),
        ("node\nmines, no gas limit", fastest(data, "mine_seconds"), ""),
    ]
    for place, (_, rate, hatch) in enumerate(bars):
        colour = SERIES[0]["color"] if hatch else "0.75"
        axes.barh(-place, rate, height=0.6, color="white" if hatch else colour, edgecolor=colour, hatch=hatch, zorder=2)
        axes.annotate(
            f"{rate:,.0f}" if rate >= 20 else f"{rate:.1f}",
            (rate, -place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_yticks([-place for place in range(len(bars))], [name for name, _, _ in bars], fontsize=8)
    axes.set_xscale("log")
    axes.set_xlim(1, 6 * max(rate for _, rate, _ in bars))
    axes.xaxis.set_major_formatter(plain_numbers())
    finish(axes, "What each part can take\n(hatched: limited by gas)", "transactions a second", "", legend=False)
    axes.grid(visible=False, axis="y")


FIGURE = Figure("throughput", "transactions in a block by the rate of tasks", measure, draw, claims)
